"""Deployment: every replica is of the newest revision and available."""

from ops.kube.byhand import halted
from ops.kube.objects import Object, annotations_of, condition, number, owned_by, text
from ops.kube.readiness.causes import failed
from ops.kube.readiness.state import Done, State, Surroundings, Waiting
from ops.kube.readiness.workload import outlasts, proven, verdict

_REVISION = "deployment.kubernetes.io/revision"


def judge(deployment: Object, scene: Surroundings) -> State:
    """As `kubectl rollout status` decides it, and with the cause when it fails."""
    if number(deployment, "status", "observedGeneration") < number(deployment, "metadata", "generation"):
        return Waiting("the controller to see it")
    wanted = number(deployment, "spec", "replicas", default=1)
    replicas, updated, available = (number(deployment, "status", f) for f in ("replicas", "updatedReplicas", "availableReplicas"))
    if updated >= wanted and replicas <= updated and available >= wanted:
        return proven(deployment, current(deployment, scene), scene, wanted) or Done()
    refused = condition(deployment, "ReplicaFailure")
    if text(refused, "status") == "True" and outlasts(scene.seconds_since(text(refused, "lastTransitionTime")), scene):
        return failed("refused", why=text(refused, "message"))
    newest = current(deployment, scene)
    ready = sum(text(condition(pod, "Ready"), "status") == "True" for pod in newest)
    if ready >= wanted and replicas > updated:
        return Waiting(f"{replicas - updated} former pods to end")
    state = verdict(newest, scene, ready, wanted)
    return _stalled(deployment, state) if isinstance(state, Waiting) else state


def _stalled(deployment: Object, state: Waiting) -> State:
    """Whether there is anything to wait for."""
    if why := halted(deployment):
        return failed("halted", why=why)
    if text(condition(deployment, "Progressing"), "reason") == "ProgressDeadlineExceeded":
        seconds = number(deployment, "spec", "progressDeadlineSeconds", default=600)
        return failed("progress", seconds=seconds, why=state.reason)
    return state


def current(deployment: Object, scene: Surroundings) -> list[Object]:
    """The pods of its newest revision."""
    uid, revision = text(deployment, "metadata", "uid"), annotations_of(deployment).get(_REVISION)
    sets = [r for r in scene.replica_sets if owned_by(r, uid) and annotations_of(r).get(_REVISION) == revision]
    return [pod for replica_set in sets for pod in scene.pods_of(text(replica_set, "metadata", "uid"))]
