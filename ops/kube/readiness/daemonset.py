"""DaemonSet: a pod of the newest revision is available on every node that takes one."""

from ops.kube.objects import Object, number, text
from ops.kube.readiness.state import Done, State, Surroundings, Waiting
from ops.kube.readiness.workload import proven, refused_pods, verdict


def judge(daemon_set: Object, scene: Surroundings) -> State:
    """As `kubectl rollout status` decides it."""
    if number(daemon_set, "status", "observedGeneration") < number(daemon_set, "metadata", "generation"):
        return Waiting("the controller to see it")
    wanted = number(daemon_set, "status", "desiredNumberScheduled")
    updated, available = number(daemon_set, "status", "updatedNumberScheduled"), number(daemon_set, "status", "numberAvailable")
    if updated >= wanted and available >= wanted:
        return proven(daemon_set, scene.pods_of(text(daemon_set, "metadata", "uid")), scene, wanted) or Done()
    uid = text(daemon_set, "metadata", "uid")
    newest = max((text(p, "metadata", "creationTimestamp") for p in scene.pods_of(uid)), default="")
    current = [p for p in scene.pods_of(uid) if text(p, "metadata", "creationTimestamp") == newest]
    return refused_pods(uid, scene) or verdict(current, scene, available, wanted)
