"""An API server in memory: what a change of an environment asks of one, for tests of what is asked, in which order, and what is told.

It keeps objects by their path, and knows no admission, no controllers and no watches: what those do is tested on the testbed.
"""

from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from copy import deepcopy
from typing import Any

from ops import catalog
from ops.cluster.target import Target
from ops.kube.client import ApiError, Client
from ops.kube.discovery import Resource
from ops.kube.objects import Object, labels_of, table, text

KINDS = (
    Resource("v1", "namespaces", False, "Namespace"),
    Resource("v1", "secrets", True, "Secret"),
    Resource("v1", "configmaps", True, "ConfigMap"),
    Resource("apps/v1", "replicasets", True, "ReplicaSet"),
    Resource("batch/v1", "jobs", True, "Job"),
    Resource("batch/v1", "cronjobs", True, "CronJob"),
    Resource("v1", "pods", True, "Pod"),
    Resource("networking.k8s.io/v1", "ingresses", True, "Ingress"),
)
HOME = catalog.load().namespaces[0]
TARGET = Target(catalog.load().environments["staging"], None, "context", "https://server")


class Memory(Client):
    """A client of it. `answering` is asked before each request (method, path) and may raise; `writes` has all that changed something."""

    def __init__(self, *objects: Object) -> None:
        nothing: Any = None
        super().__init__(TARGET, nothing, ThreadPoolExecutor(4), _resources={(kind.api_version, kind.kind): kind for kind in KINDS})
        self.kept: dict[str, Object] = {}
        self.version = 0
        self.writes: list[str] = []
        self.answering: Callable[[str, str], None] = lambda method, path: None
        namespaces: list[Object] = [{"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}} for name in ("kube-system", HOME)]
        for manifest in (*namespaces, *objects):
            self.keep(manifest)

    def keep(self, manifest: Object) -> Object:
        """Put an object there, as its own manager would."""
        resource = self.resource_of(manifest)
        return self._store(resource.path(text(manifest, "metadata", "namespace"), text(manifest, "metadata", "name")), deepcopy(manifest))

    def request(self, method: str, path: str, query: Mapping[str, str] | None = None, body: Any = None, **how: Any) -> Object:
        self.answering(method, path)
        query = query or {}
        found = self.kept.get(path)
        if method == "GET":
            return deepcopy(found) if found is not None else self._list(path, query, method)
        if path.endswith("selfsubjectaccessreviews"):
            return {"status": {"allowed": True}}
        if "dryRun" not in query:
            self.writes.append(f"{method} {path}")
        if method == "DELETE":
            if found is None:
                raise ApiError(404, {}, f"{method} {path}")
            return self.kept.pop(path)
        if method == "POST":
            path, found = f"{path}/{text(body, 'metadata', 'name')}", self.kept.get(f"{path}/{text(body, 'metadata', 'name')}")
            if found is not None:
                raise ApiError(409, {}, f"{method} {path}")
        made = _merged(found or {}, body) if method == "PATCH" else deepcopy(body)
        return made if "dryRun" in query else self._store(path, made)

    def _list(self, path: str, query: Mapping[str, str], method: str) -> Object:
        if path.rpartition("/")[2] not in {kind.plural for kind in KINDS}:
            raise ApiError(404, {}, f"{method} {path}")
        label, _, value = query.get("labelSelector", "").partition("=")
        here = [o for place, o in self.kept.items() if place.rpartition("/")[0] == path]
        fitting: list[Any] = [deepcopy(o) for o in here if not label or (label in labels_of(o) and value in ("", labels_of(o)[label]))]
        return {"items": fitting}

    def _store(self, path: str, made: Object) -> Object:
        self.version += 1
        before = table(self.kept.get(path), "metadata")
        uid = before.get("uid") or f"uid-{self.version}"
        made["metadata"] = {**table(made, "metadata"), "uid": uid, "resourceVersion": str(self.version)}
        self.kept[path] = made
        return deepcopy(made)

    def of_kind(self, kind: str) -> list[Object]:
        """The objects of a kind."""
        return [o for o in self.kept.values() if text(o, "kind") == kind]


def _merged(found: Any, change: Any) -> Any:
    if not isinstance(found, dict) or not isinstance(change, dict):
        return deepcopy(change)
    return {**found, **{name: _merged(found.get(name), value) for name, value in change.items()}}
