"""In which order objects are applied, and which of them are never deleted."""

from collections.abc import Collection
from enum import IntEnum

from ops.kube.objects import Object, containers_of, labels_of, pod_template, text


class Phase(IntEnum):
    """What must be there before the next can work. Each phase is ready before the next begins."""

    NAMESPACES = 0
    CONFIGURATION = 1
    DATA = 2
    MIGRATION = 3
    JOBS = 4
    WORKLOADS = 5
    ROUTES = 6
    PRUNE = 7


COMPONENT = "app.kubernetes.io/component"
AFTER_MIGRATIONS = "job"  # the component of a Job that waits for those of the phase before it


_FIRST = ("Namespace", "CustomResourceDefinition", "PriorityClass", "StorageClass", "IngressClass")
_CONFIGURATION = (
    "ServiceAccount",
    "ConfigMap",
    "Secret",
    "SealedSecret",
    "NetworkPolicy",
    "Role",
    "RoleBinding",
    "ClusterRole",
    "ClusterRoleBinding",
    "ResourceQuota",
    "LimitRange",
    "PersistentVolume",
    "PersistentVolumeClaim",
)
_WORKLOADS = ("Deployment", "StatefulSet", "DaemonSet", "CronJob", "Pod", "ReplicaSet")

# Deleting one of these loses what no record can bring back.
KEPT = ("Namespace", "PersistentVolumeClaim", "PersistentVolume", "Secret", "SealedSecret", "CustomResourceDefinition")


def phase_of(manifest: Object, stores: Collection[str]) -> Phase:
    """The phase of an object. `stores` are the images that make a workload a store."""
    kind = text(manifest, "kind")
    if kind in _FIRST:
        return Phase.NAMESPACES
    if kind in _CONFIGURATION:
        return Phase.CONFIGURATION
    if kind == "Service":
        return Phase.DATA
    if kind == "Job":
        return Phase.JOBS if labels_of(manifest).get(COMPONENT) == AFTER_MIGRATIONS else Phase.MIGRATION
    if kind in _WORKLOADS:
        template = pod_template(manifest)
        images = [text(container, "image") for container in containers_of(template)] if template else []
        return Phase.DATA if any(image in stores for image in images) else Phase.WORKLOADS
    return Phase.ROUTES
