"""An overlay → the objects that a deploy wants, with the digest of every image of ours in place."""

import hashlib
import json
import re
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from ops.catalog.model import Catalog, Environment
from ops.catalog.names import OWNED
from ops.command import Command, run
from ops.documents import Json, load_all
from ops.errors import UsageError
from ops.kube.objects import Object, at, containers_of, key_of, pod_template, rows, table, text

DIGEST = re.compile(r"sha256:[0-9a-f]{64}")


@dataclass(frozen=True, slots=True)
class Rendered:
    """What an overlay wants: objects in no order, and the digests that they run (image name → `sha256:…`)."""

    objects: tuple[Object, ...]
    digests: Mapping[str, str]


def render(catalog: Catalog, environment: Environment, digests: Mapping[str, str], built: str | None = None) -> Rendered:
    """Build the environment's overlay (`built`: what kustomize made of it), put the digests in, name each Job after its content.

    Raises `UsageError`, with all mistakes at once, for an image that is neither ours with a digest, nor a store of the
    catalogue, nor pinned; and for objects that are there twice.
    """
    folder = catalog.root / str(environment.overlay)
    objects = _parse(build(folder) if built is None else built, folder)
    names = {catalog.repository(name): name for name in catalog.images}
    stores = {store.image for store in catalog.stores.values()}
    mistakes = [*_twice(objects)]
    used: dict[str, str] = {}
    for manifest in objects:
        for holder, field in _references(manifest):
            reference = text(holder, field)
            name = names.get(_repository(reference))
            if name is None:
                if reference not in stores and "@sha256:" not in reference:
                    mistakes.append(f"{key_of(manifest)}: image {reference or '(none)'} is no image of the catalogue and is not pinned")
            elif not DIGEST.fullmatch(digests.get(name, "")):
                mistakes.append(f"{key_of(manifest)}: there is no digest for image {name}")
            else:
                used[name] = digests[name]
                holder[field] = f"{catalog.repository(name)}@{digests[name]}"
    if mistakes:
        raise UsageError(f"rendering {folder}", "\n".join(mistakes), "Correct the manifests, or build the missing images.")
    for manifest in objects:
        _name_job(manifest)
        mark(manifest, environment.name)
    return Rendered(tuple(objects), used)


def build(folder: Path) -> str:
    """What `kustomize build` makes of a folder: a stream of YAML documents."""
    if not folder.is_dir():
        raise UsageError("rendering an overlay", f"there is no folder {folder}", "Correct the environment's `overlay` in platform.yaml.")
    argv, env = _kustomize()
    command = Command((*argv, str(folder)), f"rendering {folder}", env=env, remedy="Correct the manifest that kustomize names.")
    return run(command, timeout=120).stdout


def _kustomize() -> tuple[tuple[str, ...], Mapping[str, str]]:
    from ops import tools

    tool = tools.find("kustomize")
    return (*tool.argv, "build"), {"GOGC": "400", **tool.env}  # it lives for a quarter of a second, a fifth of which would be garbage


def _parse(stream: str, folder: Path) -> list[Object]:
    # Octal numbers are read as the API server does; kustomize has quoted what must stay text.
    documents = load_all(stream)
    objects = [document for document in documents if isinstance(document, dict)]
    if not objects:
        raise UsageError(f"rendering {folder}", "it makes no object", "List the manifests in its kustomization.yaml.")
    return objects


def _twice(objects: Iterable[Object]) -> list[str]:
    counted = Counter(map(key_of, objects))
    return [f"{key} is there {count} times" for key, count in counted.items() if count > 1]


def _references(manifest: Object) -> list[tuple[Object, str]]:
    """Where each image reference lies: the mapping that holds it, and its field."""
    template = pod_template(manifest)
    if template is None:
        return []
    volumes = [table(volume, "image") for volume in rows(template, "spec", "volumes") if "image" in volume]
    return [*((container, "image") for container in containers_of(template)), *((volume, "reference") for volume in volumes)]


def _repository(reference: str) -> str:
    """An image reference without its digest and tag. A colon before the last slash is a port."""
    bare = reference.partition("@")[0]
    head, slash, last = bare.rpartition("/")
    return head + slash + last.partition(":")[0]


def _name_job(manifest: Object) -> None:
    """A Job's template cannot change, so each content has a name of its own: the same content is the same, finished Job."""
    if text(manifest, "kind") == "Job":
        metadata = table(manifest, "metadata")
        metadata["name"] = f"{text(manifest, 'metadata', 'name')}-{fingerprint(at(manifest, 'spec'))[:10]}"


def mark(manifest: Object, environment: str) -> None:
    """Label an object as one that a deploy to this environment makes."""
    metadata = table(manifest, "metadata")
    metadata["labels"] = {**table(metadata, "labels"), OWNED: environment}


def fingerprint(value: Json) -> str:
    """The sha256 of a value's canonical JSON."""
    return hashlib.sha256(json.dumps(value, sort_keys=True, separators=(",", ":")).encode()).hexdigest()
