"""What pods need of Secrets and ConfigMaps, read from manifests: names, keys, and the catalogue's variables."""

import hashlib
import hmac
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from ops.catalog.model import Catalog
from ops.kube.objects import Key, Object, containers_of, key_of, pod_template, rows, table, text

CHECKSUM = "nextai-agent.com/secrets-checksum"
SecretPlace = tuple[str, str]  # namespace, name


@dataclass(frozen=True, slots=True)
class SecretFound:
    """A Secret as far as it may be known outside: the names of its keys, and a keyed hash of its data."""

    keys: frozenset[str]
    hash: str


def secrets_of(manifest: Object) -> dict[SecretPlace, frozenset[str]]:
    """The Secrets that an object's pods cannot start without, with the keys they name."""
    template = pod_template(manifest)
    if template is None:
        return {}
    namespace = text(manifest, "metadata", "namespace")
    needed: dict[SecretPlace, frozenset[str]] = {}
    for name, keys in _references(template):
        needed[namespace, name] = needed.get((namespace, name), frozenset()) | keys
    return needed


def _references(template: Object) -> Iterator[tuple[str, frozenset[str]]]:
    for container in containers_of(template):
        for source in rows(container, "envFrom"):
            yield from _one(table(source, "secretRef"), frozenset())
        for variable in rows(container, "env"):
            reference = table(variable, "valueFrom", "secretKeyRef")
            yield from _one(reference, frozenset({text(reference, "key")}))
    for volume in rows(template, "spec", "volumes"):
        secret = table(volume, "secret")
        items = frozenset(text(item, "key") for item in rows(secret, "items"))
        yield from _one({"name": text(secret, "secretName"), "optional": secret.get("optional")}, items)
        for source in rows(volume, "projected", "sources"):
            yield from _one(table(source, "secret"), frozenset())


def _one(reference: Object, keys: frozenset[str]) -> Iterator[tuple[str, frozenset[str]]]:
    if text(reference, "name") and reference.get("optional") is not True:
        yield text(reference, "name"), keys


def digest(secret: Object, cluster: str) -> str:
    """A hash of a Secret's data, keyed with the cluster's id, so that it says nothing elsewhere."""
    values = {**table(secret, "data")}
    message = "\0".join(f"{k}\0{v}" for k, v in sorted(values.items()))
    return hmac.new(cluster.encode(), message.encode(), hashlib.sha256).hexdigest()


def sealed_digest(sealed: Object) -> str:
    """A hash of what a SealedSecret holds: it changes when the Secret will."""
    values = table(sealed, "spec", "encryptedData")
    return hashlib.sha256("\0".join(f"{k}\0{v}" for k, v in sorted(values.items())).encode()).hexdigest()


def stamp(manifest: Object, secrets: Mapping[SecretPlace, SecretFound]) -> None:
    """Write the checksum of the Secrets that the pods read into their template, so that a changed Secret restarts them.

    A Job is left alone: its template cannot change, and its name is its content's.
    """
    template = pod_template(manifest)
    if template is None or text(manifest, "kind") in ("Job", "CronJob", "Pod"):
        return
    read = sorted(place for place in secrets_of(manifest) if place in secrets)
    if not read:
        return
    joined = "\0".join(f"{name}\0{secrets[namespace, name].hash}" for namespace, name in read)
    metadata = template.setdefault("metadata", {})
    if isinstance(metadata, dict):
        checksum = hashlib.sha256(joined.encode()).hexdigest()[:16]
        metadata["annotations"] = {**table(metadata, "annotations"), CHECKSUM: checksum}


def missing_secrets(objects: Iterable[Object], secrets: Mapping[SecretPlace, SecretFound]) -> list[str]:
    """Every Secret, and every key of one, that pods need and that is not there."""
    needed: dict[SecretPlace, dict[str, set[Key]]] = {}
    for manifest in objects:
        for place, keys in secrets_of(manifest).items():
            for name in keys or {""}:
                needed.setdefault(place, {}).setdefault(name, set()).add(key_of(manifest))
    lines: list[str] = []
    for (namespace, secret), keys_of in sorted(needed.items()):
        found = secrets.get((namespace, secret))
        if found is None:
            readers = sorted({str(reader) for readers in keys_of.values() for reader in readers})
            lines.append(f"Secret {namespace}/{secret} is missing: {', '.join(readers)} cannot start")
        else:
            lines += [
                f"Secret {namespace}/{secret} has no key {name}: {', '.join(map(str, sorted(readers)))} cannot start"
                for name, readers in sorted(keys_of.items())
                if name and name not in found.keys
            ]
    return lines


def missing_variables(catalog: Catalog, objects: Iterable[Object], secrets: Mapping[SecretPlace, SecretFound]) -> list[str]:
    """Every required variable of the catalogue that a container of ours would start without."""
    objects = list(objects)
    maps = {(k.namespace, k.name): frozenset(table(o, "data")) for o in objects if (k := key_of(o)).kind == "ConfigMap"}
    images = {catalog.repository(name): name for name in catalog.images}
    lines: list[str] = []
    for manifest in objects:
        template = pod_template(manifest)
        for container in containers_of(template) if template else ():
            name = images.get(text(container, "image").partition("@")[0])
            if name is None:
                continue
            given = _given(container, text(manifest, "metadata", "namespace"), maps, secrets)
            if given is None:
                continue  # a source is missing: said by missing_secrets
            lines += [
                f"{key_of(manifest)}: container {text(container, 'name')} does not get {variable.name} ({variable.description})"
                for variable in catalog.variables_of(name)
                if variable.required and variable.default is None and variable.name not in given
            ]
    return lines


def _given(
    container: Object, namespace: str, maps: Mapping[SecretPlace, frozenset[str]], secrets: Mapping[SecretPlace, SecretFound]
) -> frozenset[str] | None:
    """The variables a container gets, or None when one of its sources is not there."""
    names = {text(variable, "name") for variable in rows(container, "env")}
    for source in rows(container, "envFrom"):
        prefix = text(source, "prefix")
        secret, config = text(source, "secretRef", "name"), text(source, "configMapRef", "name")
        if secret and (namespace, secret) not in secrets:
            return None
        keys = secrets[namespace, secret].keys if secret else maps.get((namespace, config), frozenset())
        names |= {prefix + key for key in keys}
    return frozenset(names)


def config_maps_of(manifest: Object) -> set[SecretPlace]:
    """The ConfigMaps that an object's pods read."""
    template = pod_template(manifest)
    if template is None:
        return set()
    names: set[str] = set()
    for container in containers_of(template):
        names |= {text(source, "configMapRef", "name") for source in rows(container, "envFrom")}
        names |= {text(variable, "valueFrom", "configMapKeyRef", "name") for variable in rows(container, "env")}
    for volume in rows(template, "spec", "volumes"):
        names.add(text(volume, "configMap", "name"))
        names |= {text(source, "configMap", "name") for source in rows(volume, "projected", "sources")}
    return {(text(manifest, "metadata", "namespace"), name) for name in names if name}
