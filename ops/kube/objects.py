"""Kubernetes objects as plain JSON: reading them, and what identifies one."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TypeAlias

from ops.documents import Json

Object: TypeAlias = dict[str, Json]

SCALED = ("Deployment", "StatefulSet")  # what has a number of replicas
WORKLOADS = (*SCALED, "DaemonSet")


@dataclass(frozen=True, slots=True, order=True)
class Key:
    """What identifies an object in a cluster. `namespace` is empty for what lies in none."""

    kind: str
    namespace: str
    name: str
    group: str = ""  # API group, empty for the core

    def __str__(self) -> str:
        return f"{self.kind} {self.namespace}/{self.name}" if self.namespace else f"{self.kind} {self.name}"

    @property
    def written(self) -> str:
        """The key as a record holds it; `key_from` reads it."""
        return "/".join((self.group, self.kind, self.namespace, self.name))


def key_from(written: str) -> Key:
    """The key that `Key.written` wrote."""
    group, kind, namespace, name = written.split("/", 3)
    return Key(kind, namespace, name, group)


def key_of(manifest: Object) -> Key:
    """The key of an object."""
    return Key(
        text(manifest, "kind"),
        text(manifest, "metadata", "namespace"),
        text(manifest, "metadata", "name"),
        group_of(text(manifest, "apiVersion")),
    )


def group_of(api_version: str) -> str:
    """`apps` of `apps/v1`, the empty string of `v1`."""
    return api_version.rpartition("/")[0]


def at(value: Json, *path: str | int) -> Json:
    """What lies at a path, or None."""
    for step in path:
        if isinstance(value, dict) and isinstance(step, str):
            value = value.get(step)
        elif isinstance(value, list) and isinstance(step, int) and -len(value) <= step < len(value):
            value = value[step]
        else:
            return None
    return value


def text(value: Json, *path: str | int) -> str:
    """The text at a path, or the empty string."""
    found = at(value, *path)
    return found if isinstance(found, str) else ""


def number(value: Json, *path: str | int, default: int = 0) -> int:
    """The integer at a path, or `default`."""
    found = at(value, *path)
    return found if isinstance(found, int) and not isinstance(found, bool) else default


def table(value: Json, *path: str | int) -> Object:
    """The mapping at a path, or an empty one. What is found is not copied."""
    found = at(value, *path)
    return found if isinstance(found, dict) else {}


def rows(value: Json, *path: str | int) -> list[Object]:
    """The mappings of the list at a path, or an empty list."""
    found = at(value, *path)
    return [row for row in found if isinstance(row, dict)] if isinstance(found, list) else []


def texts(value: Json, *path: str | int) -> list[str]:
    """The texts of the list at a path, or an empty list."""
    found = at(value, *path)
    return [row for row in found if isinstance(row, str)] if isinstance(found, list) else []


def same(one: Json, other: Json) -> bool:
    """Whether two values are the same to an API server. Python takes true for 1, and 1.0 too."""
    return one is other or (one == other and json.dumps(one, sort_keys=True) == json.dumps(other, sort_keys=True))


def labels_of(manifest: Object) -> dict[str, str]:
    """The labels of an object."""
    return {k: v for k, v in table(manifest, "metadata", "labels").items() if isinstance(v, str)}


def annotations_of(manifest: Object) -> dict[str, str]:
    """The annotations of an object."""
    return {k: v for k, v in table(manifest, "metadata", "annotations").items() if isinstance(v, str)}


def condition(manifest: Object, kind: str) -> Object:
    """A condition of an object's status, or an empty mapping."""
    return next((c for c in rows(manifest, "status", "conditions") if text(c, "type") == kind), {})


def owned_by(manifest: Object, uid: str) -> bool:
    """Whether an owner reference names this uid."""
    return any(text(owner, "uid") == uid for owner in rows(manifest, "metadata", "ownerReferences"))


def selects(selector: Mapping[str, str], labels: Mapping[str, str]) -> bool:
    """Whether a `matchLabels` selector takes these labels."""
    return all(labels.get(k) == v for k, v in selector.items())


def pod_template(manifest: Object) -> Object | None:
    """The object that holds a pod's `metadata` and `spec`: the template of a workload, or a Pod itself."""
    match text(manifest, "kind"):
        case "Pod":
            return manifest
        case "CronJob":
            found = at(manifest, "spec", "jobTemplate", "spec", "template")
        case "Deployment" | "StatefulSet" | "DaemonSet" | "ReplicaSet" | "Job":
            found = at(manifest, "spec", "template")
        case _:
            return None
    return found if isinstance(found, dict) else None


def statuses_of(pod: Object) -> list[Object]:
    """How each container of a pod is, those that run before the others included."""
    return [*rows(pod, "status", "initContainerStatuses"), *rows(pod, "status", "containerStatuses")]


def sidecars_of(template: Object) -> list[Object]:
    """The containers that start before the others and run on beside them."""
    return [container for container in rows(template, "spec", "initContainers") if text(container, "restartPolicy") == "Always"]


def containers_of(template: Object) -> Iterator[Object]:
    """Every container of a pod: those that run, those that run first, those that were added."""
    for group in ("initContainers", "containers", "ephemeralContainers"):
        yield from rows(template, "spec", group)
