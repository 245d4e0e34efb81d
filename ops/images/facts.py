"""What is there: the sources, the base images' digests, and the images that the registry or the engine has already.

A base image is what its registry says it is; where the registry does not answer, it is what the engine has under that name.
Either way the build is told the digest. A digest that the registry gave is remembered for ten minutes, and nothing else: what failed is
asked again. What the engine has may be older, and is never taken without a word.
"""

import json
import platform
import time
from collections.abc import Collection, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from ops.background import begin
from ops.catalog.model import Catalog, Image
from ops.console.output import warn
from ops.errors import Failure
from ops.folders import cache
from ops.images.disk import plain
from ops.images.dockerfile import Dockerfile
from ops.images.engine import Asked, LazyEngine, connect
from ops.images.inputs import gather
from ops.images.model import Base, BuildEngine, InputFile
from ops.images.recipe import parse
from ops.images.record import write_json
from ops.images.registry import ImageReference, digests, reference

MEMORY_SECONDS = 600
_INDEX = (".index.v1+json", ".manifest.list.v2+json")


@dataclass(frozen=True, slots=True)
class ImageFacts:
    """What a plan is made from, besides what is there under the keys."""

    platform: str
    bases: Mapping[str, Base]  # by the catalogue's reference
    recipes: Mapping[str, Dockerfile]  # by their place
    entries: Mapping[str, tuple[InputFile, ...]]  # image -> what goes into it


def look(catalog: Catalog, images: Collection[Image], engine: BuildEngine) -> ImageFacts:
    """The facts that the keys depend on."""
    recipes = {file: parse(file, _recipe(catalog.root, file)) for file in dict.fromkeys(image.dockerfile for image in images)}
    references = sorted({base for image in images for base in image.stack.bases.values()})
    client = LazyEngine(engine)  # a build elsewhere, with bases from a registry, needs no engine here
    bases = begin(partial(_bases, references, engine, client))  # neither the registries nor git need wait for the other
    entries = gather(catalog.root, images, recipes, catalog.database.migrations)
    return ImageFacts(
        platform=engine.platform or _platform(client),
        bases={base.reference: base for base in bases.result()},
        recipes=recipes,
        entries=entries,
    )


def present(references: Collection[str], engine: BuildEngine, *, push: bool) -> dict[str, str | None]:
    """The digest under each name, in the registry (`push`) or else in the engine; None where it is not there.

    Raises `Failure` when the registry or the engine does not answer.
    """
    if not push:
        client = connect(engine)
        return {name: _inspect(client, name)[0] for name in references}
    answers = digests([reference(name) for name in references], engine.docker_config)
    found: dict[str, str | None] = {}
    for name in references:
        answer = answers[reference(name)]
        if isinstance(answer, Failure):
            raise answer
        found[name] = answer
    return found


def _platform(client: Asked | None) -> str:
    if client:
        version = client.version()
        return f"{version['Os']}/{version['Arch']}"
    machine = platform.machine().lower()
    return "linux/" + {"x86_64": "amd64", "aarch64": "arm64"}.get(machine, machine)


def _recipe(root: Path, file: str) -> str:
    try:
        return plain(root, file).decode("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        remedy = "Restore the file, or correct `dockerfile` in platform.yaml."
        why = error.strerror if isinstance(error, OSError) else "it is not UTF-8"
        raise Failure("reading the Dockerfiles", f"{file}: {why}", remedy) from error


def _bases(wanted: Iterable[str], engine: BuildEngine, client: Asked | None) -> list[Base]:
    pinned = [name for name in wanted if "@" in name]
    asked = [name for name in wanted if "@" not in name]
    found = [Base(name, name.partition("@")[2], name) for name in pinned]
    known, causes = _asked(asked, engine)
    for name in asked:
        if digest := known.get(name):
            found.append(Base(name, digest, f"{name}@{digest}"))
        else:
            found.append(_local_base(name, client, engine.platform, causes[name]))
    for cause in dict.fromkeys(causes.values()):
        names = ", ".join(name for name in asked if causes.get(name) == cause)
        warn(f"warning: {names}: the copy in this machine's engine is used, and may be older: {cause}")
    return found


def _local_base(name: str, client: Asked | None, platform: str | None, cause: str) -> Base:
    """What the engine has of a base image. `cause`: why its registry gave no digest."""
    digest, pinned = _inspect(client, name, platform) if client else (None, False)
    if digest is None:
        registry = f"its registry did not give a digest ({cause})"
        here = f"the engine here does not have it{f' for {platform}' if platform else ''}" if client else "no Docker engine answers here"
        remedy = f"Run `docker pull {f'--platform {platform} ' if platform else ''}{name}` where its registry can be reached."
        raise Failure("resolving the base images", f"{name}: {registry}, and {here}", remedy)
    return Base(name, digest, f"{name}@{digest}" if pinned else name)


def _inspect(client: Asked, name: str, platform: str | None = None) -> tuple[str | None, bool]:
    """What the engine has under a name, and whether that is a manifest's digest (else it is the engine's own id).

    `platform`: an image of another one does not count. The builder would take it all the same, and call what it makes of it the wanted one.
    """
    image = client.inspect_image(name)
    if image is None:
        return None, False
    descriptor = image.get("Descriptor")
    media = (
        str(descriptor.get("mediaType", "")) if isinstance(descriptor, dict) else ""
    )  # of an index the builder takes its platform's image
    if platform and not media.endswith(_INDEX) and platform.split("/")[:2] != [image["Os"], image["Architecture"]]:
        return None, False
    repository = reference(name).repository
    digests_ = image.get("RepoDigests")
    for entry in digests_ if isinstance(digests_, list) else ():
        known = reference(entry)
        if known.repository == repository and known.registry == reference(name).registry:
            return known.tag, True
    return str(image["Id"]), False


def _asked(names: list[str], engine: BuildEngine) -> tuple[dict[str, str], dict[str, str]]:
    """The digests that the registries give for base images: from memory where that is fresh, else asked; and why one gave none."""
    file = cache() / "images" / "bases.json"
    memory = _read_memory(file)
    now = time.time()
    known = {name: memory[name][1] for name in names if name in memory and 0 <= now - memory[name][0] < MEMORY_SECONDS}
    causes: dict[str, str] = {}
    if unknown := [name for name in names if name not in known]:
        answers: dict[ImageReference, str | Failure | None] = digests([reference(name) for name in unknown], engine.docker_config)
        for name in unknown:
            answer = answers[reference(name)]
            if isinstance(answer, str):
                known[name] = answer
            else:
                causes[name] = _cause(reference(name), answer)
        if given := {name: (now, known[name]) for name in unknown if name in known}:
            write_json(file, memory | given)
    return known, causes


def _cause(asked: ImageReference, answer: Failure | None) -> str:
    """Why there is no digest, and who failed: the registry, or what its login comes from."""
    if answer is None:
        return f"{asked.registry} has no such tag"
    return f"{asked.registry}: {answer.cause}" if answer.doing.startswith("asking the registry") else f"{answer.doing}: {answer.cause}"


def _read_memory(file: Path) -> dict[str, tuple[float, str]]:
    with suppress(OSError, ValueError, TypeError, AttributeError):
        return {str(name): (float(at), digest) for name, (at, digest) in json.loads(file.read_text()).items() if isinstance(digest, str)}
    return {}
