"""The Job that runs the database's migrations, with the scratch server beside it on which they are tried first."""

from ops.catalog import Catalog, Job
from ops.config import sidecar
from ops.config.local import secret_name
from ops.documents import Json
from ops.kube.objects import Object
from ops.manifests.base import NAME, head, reaches

COMPONENT = "migration"
_NAME = "migrate"
_SECONDS = 1800
_FINAL = (2, 3)  # wrong usage, and refused by a gate: another try would say the same (docs/decisions/exit-codes.md)


def job(catalog: Catalog, job: Job) -> Object:
    """The Job. Its template cannot change: a deploy names it by its content, runs it before the services and waits for it."""
    pod: Object = {
        "serviceAccountName": job.name,
        "restartPolicy": "Never",
        "initContainers": [_scratch(catalog)],
        "containers": [_container(catalog, job)],
        "volumes": [_folder(sidecar.NAME, "1Gi"), _folder("tmp", "64Mi")],
    }
    final: Object = {"containerName": _NAME, "operator": "In", "values": [*_FINAL]}
    spec: Object = {
        "backoffLimit": 3,
        "activeDeadlineSeconds": _SECONDS,
        "podFailurePolicy": {"rules": [{"action": "FailJob", "onExitCodes": final}]},
        "template": {"metadata": {"labels": {NAME: job.name, **reaches(job)}}, "spec": pod},
    }
    return {**head("batch/v1", "Job", job.name, job.namespace), "spec": spec}


def _container(catalog: Catalog, job: Job) -> Object:
    return {
        "name": _NAME,
        "image": catalog.repository(job.name),
        "env": [{"name": sidecar.VARIABLE, "value": sidecar.URL}],
        "envFrom": [{"secretRef": {"name": secret_name(job.name)}}],
        "resources": {"requests": {"cpu": "100m", "memory": "128Mi"}, "limits": {"cpu": "500m", "memory": "256Mi"}},
        "volumeMounts": [{"name": "tmp", "mountPath": "/tmp"}],  # noqa: S108 (a volume of the pod's own)
    }


def _scratch(catalog: Catalog) -> Object:
    """A sidecar: a throw-away server, of the version of the environment's own."""
    closed: Object = {
        "runAsUser": sidecar.USER,
        "runAsGroup": sidecar.USER,
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "runAsNonRoot": True,
        "capabilities": {"drop": ["ALL"]},
        "seccompProfile": {"type": "RuntimeDefault"},
    }
    return {
        "name": sidecar.NAME,
        "image": catalog.stores[catalog.database.store].image,
        "restartPolicy": "Always",
        "command": [*sidecar.COMMAND],
        "startupProbe": {"exec": {"command": [*sidecar.READY]}, "periodSeconds": 1, "timeoutSeconds": 5, "failureThreshold": 90},
        "securityContext": closed,
        "resources": {"requests": {"cpu": "100m", "memory": "64Mi"}, "limits": {"cpu": "1", "memory": "512Mi"}},
        "volumeMounts": [{"name": sidecar.NAME, "mountPath": sidecar.HOME}],
    }


def _folder(name: str, size: str) -> Json:
    return {"name": name, "emptyDir": {"sizeLimit": size}}
