"""HorizontalPodAutoscaler: what it scales has as many pods as it allows at least, and they are available."""

from ops.kube.objects import Object, condition, number, text
from ops.kube.readiness import deployment, statefulset
from ops.kube.readiness.causes import failed
from ops.kube.readiness.state import Done, State, Surroundings, Waiting
from ops.kube.readiness.workload import proven

_TARGETS = {"Deployment": (deployment.judge, deployment.current), "StatefulSet": (statefulset.judge, statefulset.current)}


def judge(autoscaler: Object, scene: Surroundings) -> State:
    """Without metrics too it keeps within its bounds. More pods than the least may come and go: they are not waited for."""
    kind, name = (text(autoscaler, "spec", "scaleTargetRef", field) for field in ("kind", "name"))
    if kind not in _TARGETS:
        return Done()
    target = next((w for w in scene.workloads if (text(w, "kind"), text(w, "metadata", "name")) == (kind, name)), None)
    if target is None:
        return failed("target", kind=kind, name=name)
    least, most = number(autoscaler, "spec", "minReplicas", default=1), number(autoscaler, "spec", "maxReplicas")
    replicas = number(target, "spec", "replicas", default=1)
    judge_target, current = _TARGETS[kind]
    if replicas == 0:
        return Done()  # it leaves that alone; the plan has said so
    if not least <= replicas <= most:
        able = condition(autoscaler, "AbleToScale")
        hindered = f" ({text(able, 'message')})" if text(able, "status") == "False" else ""
        return Waiting(f"{kind} {name} to go from {replicas} to {min(max(replicas, least), most)}{hindered}")
    if number(target, "status", "availableReplicas") >= least and number(target, "status", "replicas") <= most:
        return proven(target, current(target, scene), scene, least) or Done()
    return judge_target(target, scene)
