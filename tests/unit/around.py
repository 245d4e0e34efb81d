"""What lies around an object when its readiness is judged: pods as an API server writes them, and the time."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from ops.kube.readiness import Surroundings

NOW = datetime(2026, 1, 1, 12, 0, 0, tzinfo=UTC)


def ago(seconds: float) -> str:
    return (NOW - timedelta(seconds=seconds)).strftime("%Y-%m-%dT%H:%M:%SZ")


def scene(pods: Sequence[Any] = (), *, begun: float = 3600.0, **more: Any) -> Surroundings:
    return Surroundings(NOW, NOW - timedelta(seconds=begun), pods, **more)


def pod(name: str = "web-1", owner: str = "rs", *, status: dict[str, Any] | None = None, **more: Any) -> dict[str, Any]:
    metadata = {"name": name, "namespace": "n", "uid": f"uid-{name}", "ownerReferences": [{"uid": owner}], **more}
    spec = {"containers": [{"name": "web", "readinessProbe": {"periodSeconds": 1, "failureThreshold": 3}}]}
    return {"kind": "Pod", "metadata": metadata, "spec": spec, "status": {"phase": "Running", **(status or {})}}


def container(**state: Any) -> dict[str, Any]:
    return {"containerStatuses": [{"name": "web", "image": "r/web@sha256:1", "restartCount": 0, "ready": False, **state}]}
