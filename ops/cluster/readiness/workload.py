"""What the pods of one revision say about the workload that owns them."""

from collections.abc import Sequence

from ops.cluster.objects import Object, condition, text
from ops.cluster.readiness import pod as pods
from ops.cluster.readiness.state import Failed, Scene, Waiting


def verdict(current: Sequence[Object], scene: Scene, ready: int, wanted: int) -> Failed | Waiting:
    """The first definite cause among the pods of the current revision, or what they wait for."""
    for found in current:
        cause = pods.trouble(found, scene)
        if cause:
            return cause
    waits = [pods.waiting_for(p, scene) for p in current if text(condition(p, "Ready"), "status") != "True"]
    return Waiting(f"{ready} of {wanted} ready" + (f"; {waits[0]}" if waits else ""))


def refused_pods(uid: str, scene: Scene) -> Failed | None:
    """A quota, a policy or an admission hook that lets the controller make no pod."""
    said = scene.news_of(uid, "FailedCreate")
    return Failed(f"no pod may be created: {text(said[-1], 'message')}") if said else None
