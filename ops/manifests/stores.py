"""The objects of a store: what is the same for all of them stands here, what is a kind's own in its file of ops/stores."""

from ops import stores
from ops.catalog import Catalog, Store
from ops.config.local import secret_name
from ops.documents import Json
from ops.kube.objects import Object
from ops.manifests.base import NAME, Objects, account, address, budget, head, pods
from ops.stores import Access, StoreKind
from ops.stores.model import Check, Folder

_DATA = "data"


def of_store(catalog: Catalog, store: Store) -> Objects:
    """All objects of a store. Its port bears its name."""
    # Gives each pod of the StatefulSet a name of its own, also before it is ready.
    each = address(store, _headless(store), store.name, {"clusterIP": "None", "publishNotReadyAddresses": True})
    return [account(store), stateful_set(catalog, store), address(store, store.name, store.name), each, budget(store)]


def _headless(store: Store) -> str:
    return f"{store.name}-headless"


def stateful_set(catalog: Catalog, store: Store) -> Object:
    """The StatefulSet of a store: one pod, with a volume for its data."""
    kind = stores.of(store)
    user: Object = {"runAsUser": kind.pod.user, "runAsGroup": kind.pod.group, "fsGroup": kind.pod.volume_group}
    pod: Object = {
        "serviceAccountName": store.name,
        "securityContext": {**user, "fsGroupChangePolicy": "OnRootMismatch"},
        "containers": [_container(catalog, store, kind)],
        "terminationGracePeriodSeconds": kind.grace,
        "volumes": [_volume(folder) for folder in kind.pod.folders],
    }
    claim: Object = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": kind.pod.storage}}}
    spec: Object = {
        "replicas": 1,
        "serviceName": _headless(store),
        "selector": pods(store.name),
        "template": {"metadata": {"labels": {NAME: store.name}}, "spec": pod},
        "volumeClaimTemplates": [{"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": {"name": _DATA}, "spec": claim}],
    }
    return {**head("apps/v1", "StatefulSet", store.name, store.namespace), "spec": spec}


def _container(catalog: Catalog, store: Store, kind: StoreKind) -> Object:
    inside = Access(f"{store.name}.{store.namespace}", store.port, catalog.database.user, catalog.database.name, contents=store.contents)
    ports: list[Json] = [
        {"name": name, "containerPort": port, "protocol": "TCP"} for name, port in {store.name: store.port, **kind.pod.ports}.items()
    ]
    mounts: list[Json] = [{"name": name, "mountPath": path} for name, path in _places(store, kind).items()]
    check = kind.check(inside)
    return {
        "name": store.name,
        "image": store.image,
        **({"command": [*kind.pod.command(store)]} if kind.pod.command else {}),
        "env": _variables(catalog, store, {**kind.settings(inside), **kind.pod.settings}),
        "ports": ports,
        "resources": {"requests": {**kind.pod.resources.requests}, "limits": {**kind.pod.resources.limits}},
        "startupProbe": _probe(check, period=2, timeout=5, failures=kind.pod.tries),
        "readinessProbe": _probe(check, period=5, timeout=5, failures=3),
        "livenessProbe": _probe(check, period=20, timeout=10, failures=6),
        "volumeMounts": mounts,
    }


def _places(store: Store, kind: StoreKind) -> dict[str, str]:
    return {_DATA: store.data, **{folder.name: folder.path for folder in kind.pod.folders}}


def _variables(catalog: Catalog, store: Store, settings: dict[str, str]) -> list[Json]:
    """The image's own, and the secrets that the catalogue says."""
    own: list[Json] = [{"name": name, "value": value} for name, value in settings.items()]
    for variable in catalog.variables_of(store.name):
        if variable.secret:
            own.append({"name": variable.name, "valueFrom": {"secretKeyRef": {"name": secret_name(store.name), "key": variable.name}}})
    return own


def _volume(folder: Folder) -> Json:
    medium: Object = {"medium": "Memory"} if folder.memory else {}
    return {"name": folder.name, "emptyDir": {**medium, "sizeLimit": folder.size}}


def _probe(check: Check, *, period: int, timeout: int, failures: int) -> Object:
    asked: Object = {"exec": {"command": [*check.argv]}} if check.argv else {"httpGet": {"path": check.path, "port": check.port}}
    return {**asked, "periodSeconds": period, "timeoutSeconds": timeout, "failureThreshold": failures}
