"""StatefulSet: every replica is of the newest revision and ready."""

from ops.kube.objects import Object, condition, labels_of, number, text
from ops.kube.readiness import pod as pods
from ops.kube.readiness.state import Done, Failed, State, Stuck, Surroundings, Waiting
from ops.kube.readiness.workload import proven, refused_pods, verdict

_REVISION = "controller-revision-hash"


def judge(stateful_set: Object, scene: Surroundings) -> State:
    """Ready in its newest revision. A broken pod of a former one is `Stuck`: the controller does not replace it by itself
    (https://github.com/kubernetes/kubernetes/issues/67250)."""
    if number(stateful_set, "status", "observedGeneration") < number(stateful_set, "metadata", "generation"):
        return Waiting("the controller to see it")
    wanted = number(stateful_set, "spec", "replicas", default=1)
    ready = number(stateful_set, "status", "readyReplicas")
    newest = text(stateful_set, "status", "updateRevision")
    rolled_out = newest == text(stateful_set, "status", "currentRevision") or number(stateful_set, "status", "updatedReplicas") >= wanted
    if rolled_out and ready >= wanted and number(stateful_set, "status", "replicas") <= wanted:
        return proven(stateful_set, current(stateful_set, scene), scene, wanted) or Done()
    owned = scene.pods_of(text(stateful_set, "metadata", "uid"))
    for found in owned:
        if labels_of(found).get(_REVISION) != newest and text(condition(found, "Ready"), "status") != "True":
            cause = pods.trouble(found, scene)
            if isinstance(cause, Failed):
                namespace, name, uid = (text(found, "metadata", field) for field in ("namespace", "name", "uid"))
                return Stuck(namespace, name, uid, cause.cause)
    refused = refused_pods(text(stateful_set, "metadata", "uid"), scene)
    return refused or verdict(current(stateful_set, scene), scene, ready, wanted)


def current(stateful_set: Object, scene: Surroundings) -> list[Object]:
    """The pods of its newest revision."""
    newest = text(stateful_set, "status", "updateRevision")
    return [p for p in scene.pods_of(text(stateful_set, "metadata", "uid")) if labels_of(p).get(_REVISION) == newest]
