"""What the pods of one revision say about the workload that owns them."""

from collections.abc import Sequence

from ops.kube.objects import Object, condition, pod_template, text
from ops.kube.readiness import pod as pods
from ops.kube.readiness import steady
from ops.kube.readiness.causes import CAUSES, failed
from ops.kube.readiness.state import Failed, Surroundings, Waiting, event_time

_ROOM_SECONDS = 60


def verdict(current: Sequence[Object], scene: Surroundings, ready: int, wanted: int) -> Failed | Waiting:
    """The first definite cause among the pods of the current revision, or what they wait for."""
    for found in current:
        cause = pods.trouble(found, scene)
        if cause:
            return cause
    waits = [pods.waiting_for(p, scene) for p in current if text(condition(p, "Ready"), "status") != "True"]
    return Waiting(f"{ready} of {wanted} ready" + (f"; {waits[0]}" if waits else ""))


def proven(workload: Object, current: Sequence[Object], scene: Surroundings, wanted: int) -> Failed | Waiting | None:
    """What is still to be seen of a workload that Kubernetes calls ready. Only where a container has no readiness probe is there
    anything: None when `wanted` of the pods of its current revision have run for a while."""
    if not wanted or not steady.unprobed(pod_template(workload) or {}):
        return None
    states = [pods.proven(found, scene) for found in current]
    ended = next((state for state in states if isinstance(state, Failed)), None)
    if ended or sum(state is None for state in states) >= wanted:
        return ended
    return next((state for state in states if state), Waiting("its pods to be seen"))


def refused_pods(uid: str, scene: Surroundings) -> Failed | None:
    """A quota, a policy or an admission hook that lets the controller make no pod, and has not let it since."""
    said = scene.news_of(uid, "FailedCreate")
    made = scene.news_of(uid, "SuccessfulCreate")
    if not said or (made and event_time(made[-1]) >= event_time(said[-1])):
        return None
    return failed("refused", why=text(said[-1], "message")) if outlasts(scene.age_of(said[0]), scene) else None


def outlasts(refused_seconds: float, scene: Surroundings) -> bool:
    """Whether pods have been refused for longer than what may be passing: a hook that was away for a moment, a quota in which a pod
    that leaves makes room. What was refused before this rollout began says nothing of it: a controller reports it until it looks again.
    """
    seen = (scene.now - scene.since).total_seconds()
    return min(refused_seconds, seen) >= (_ROOM_SECONDS if scene.making_room else CAUSES["refused"].seconds)
