"""Reading Kubernetes objects as plain data: what is not there reads as empty, so that a rule is one line."""

from collections.abc import Mapping

Manifest = Mapping[str, object]

# Where each kind keeps its pod.
PODS: dict[str, tuple[str, ...]] = {
    "Pod": ("spec",),
    "Deployment": ("spec", "template", "spec"),
    "StatefulSet": ("spec", "template", "spec"),
    "DaemonSet": ("spec", "template", "spec"),
    "ReplicaSet": ("spec", "template", "spec"),
    "Job": ("spec", "template", "spec"),
    "CronJob": ("spec", "jobTemplate", "spec", "template", "spec"),
}


def at(value: object, *path: str) -> object:
    """What lies at a path of keys, or None."""
    for key in path:
        value = value.get(key) if isinstance(value, Mapping) else None
    return value


def mapping(value: object, *path: str) -> Manifest:
    """The mapping at a path, or an empty one."""
    found = at(value, *path)
    return found if isinstance(found, Mapping) else {}


def items(value: object, *path: str) -> list[Manifest]:
    """The mappings of the list at a path."""
    found = at(value, *path)
    return [item for item in found if isinstance(item, Mapping)] if isinstance(found, list) else []


def strings(value: object, *path: str) -> list[str]:
    """The texts of the list at a path."""
    found = at(value, *path)
    return [str(item) for item in found] if isinstance(found, list) else []


def text(value: object, *path: str) -> str:
    """The value at a path as text; empty where there is none."""
    found = at(value, *path)
    return "" if found is None else str(found)


def name_of(thing: Manifest) -> str:
    """An object's name."""
    return text(thing, "metadata", "name")


def namespace_of(thing: Manifest) -> str:
    """An object's namespace."""
    return text(thing, "metadata", "namespace") or "default"


def owner(thing: Manifest) -> str:
    """The service, job or store that an object belongs to: its name label, or its name."""
    return text(thing, "metadata", "labels", "app.kubernetes.io/name") or name_of(thing)


def pod_spec(workload: Manifest) -> Manifest:
    """A workload's pod."""
    return mapping(workload, *PODS[str(workload.get("kind"))])


def pod_labels(workload: Manifest) -> Manifest:
    """The labels that a workload's pods have."""
    return mapping(workload, *PODS[str(workload.get("kind"))][:-1], "metadata", "labels")


def containers(workload: Manifest) -> list[Manifest]:
    """All containers of a workload's pod, those that run before it among them."""
    return [container for key in ("initContainers", "containers") for container in items(pod_spec(workload), key)]


def lasting(workload: Manifest) -> list[Manifest]:
    """The containers of a workload's pod that go on running: sidecars, and those that are no init containers."""
    pod = pod_spec(workload)
    return [c for c in items(pod, "initContainers") if text(c, "restartPolicy") == "Always"] + items(pod, "containers")


def main_container(workload: Manifest, name: str) -> Manifest:
    """The container that bears the workload's name, or else the first."""
    found = items(pod_spec(workload), "containers")
    return next((c for c in found if c.get("name") == name), found[0] if found else {})


def port_names(workload: Manifest) -> dict[str, int]:
    """The ports of a workload's containers by name (by number where they have none)."""
    entries = [port for container in containers(workload) for port in items(container, "ports")]
    return {text(p, "name") or text(p, "containerPort"): int(text(p, "containerPort") or 0) for p in entries}


def resolve(workload: Manifest, port: object) -> int:
    """The number that a port's name or number means in a workload; 0 where it means none."""
    return port if isinstance(port, int) else port_names(workload).get(str(port), 0)
