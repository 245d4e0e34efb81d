"""Job: it has run to its end."""

from ops.cluster.objects import Object, condition, number, text
from ops.cluster.readiness import pod as pods
from ops.cluster.readiness.state import Done, Failed, Scene, State, Waiting
from ops.cluster.readiness.workload import refused_pods


def judge(job: Object, scene: Scene) -> State:
    """Complete; or failed for good; or a pod of it that can never start."""
    if "True" in (text(condition(job, "Complete"), "status"), text(condition(job, "SuccessCriteriaMet"), "status")):
        return Done()
    owned = sorted(scene.pods_of(text(job, "metadata", "uid")), key=lambda p: text(p, "metadata", "creationTimestamp"))
    failed = condition(job, "Failed")
    if text(failed, "status") == "True":
        return _ended(text(failed, "message") or text(failed, "reason"), owned, scene)
    refused = refused_pods(text(job, "metadata", "uid"), scene)
    if refused:
        return refused
    for found in owned:
        cause = pods.trouble(found, scene)
        if cause and text(found, "status", "phase") == "Pending":
            return cause
    failures = number(job, "status", "failed")
    return Waiting(f"its end ({failures} tries failed)" if failures else "its end")


def _ended(message: str, owned: list[Object], scene: Scene) -> Failed:
    for found in reversed(owned):
        cause = pods.trouble(found, scene)
        if cause:
            return Failed(f"{message}: {cause.cause}", cause.log)
    return Failed(message)
