"""Job: it has run to its end."""

from dataclasses import replace

from ops.kube.objects import Object, at, condition, number, sidecars_of, statuses_of, table, text
from ops.kube.readiness import pod as pods
from ops.kube.readiness.causes import failed
from ops.kube.readiness.state import Done, Failed, LogOf, State, Surroundings, Waiting
from ops.kube.readiness.workload import refused_pods


def judge(job: Object, scene: Surroundings) -> State:
    """Complete; or failed for good; or a pod of it that can never start."""
    if "True" in (text(condition(job, "Complete"), "status"), text(condition(job, "SuccessCriteriaMet"), "status")):
        return Done()
    owned = sorted(scene.pods_of(text(job, "metadata", "uid")), key=lambda p: text(p, "metadata", "creationTimestamp"))
    if text(condition(job, "Failed"), "status") == "True":
        return _ended(job, owned, scene)
    refused = refused_pods(text(job, "metadata", "uid"), scene)
    if refused:
        return refused
    for found in owned:
        cause = pods.trouble(found, scene)
        if cause and text(found, "status", "phase") == "Pending":
            return cause
    return Waiting(_words(job, owned), _log(owned))


def ended(job: Object) -> bool:
    """Whether it has run to its end, well or not."""
    return any(text(condition(job, kind), "status") == "True" for kind in ("Complete", "Failed"))


def _words(job: Object, owned: list[Object]) -> str:
    """What is waited for, with the exit code of the try before this one."""
    codes = [code for found in owned for code in _exit_codes(found)]
    failures = max(number(job, "status", "failed"), len(codes))
    if not failures:
        return "its end"
    last = f", the last with exit code {codes[-1]}" if codes else ""
    return f"its end ({failures} of {number(job, 'spec', 'backoffLimit', default=6) + 1} tries failed{last})"


def _exit_codes(pod: Object) -> list[int]:
    """With which codes a pod's containers have ended that were to end well: a pod may try again by itself."""
    ends = [table(status, state, "terminated") for status in _work(pod) for state in ("lastState", "state")]
    return [code for end in ends if (code := number(end, "exitCode"))]


def _work(pod: Object) -> list[Object]:
    """How the containers are that do the work. A sidecar is ended when they are done, with whatever code."""
    beside = {text(container, "name") for container in sidecars_of(pod)}
    return [status for status in statuses_of(pod) if text(status, "name") not in beside]


def _log(owned: list[Object]) -> LogOf | None:
    """Whose lines tell how far it is: of the try that runs, or else of the one that failed last."""
    for found in reversed(owned):
        for status in _work(found):
            if at(status, "state", "running") or number(status, "state", "terminated", "exitCode"):
                return LogOf(text(found, "metadata", "namespace"), text(found, "metadata", "name"), text(status, "name"))
    return None


def _ended(job: Object, owned: list[Object], scene: Surroundings) -> Failed:
    """Why it failed for good. A deadline ends the pods, which then say nothing of why."""
    ended = condition(job, "Failed")
    message = text(ended, "message") or text(ended, "reason")
    cause = next((cause for found in reversed(owned) if (cause := pods.trouble(found, scene))), None)
    if text(ended, "reason") == "DeadlineExceeded":
        return failed("deadline", cause.log if cause else _log(owned), message=message, why=f": {cause.cause}" if cause else "")
    if cause is None:
        return Failed(message, _log(owned), "job")
    found = failed("job", cause.log, message=message, why=cause.cause)
    return replace(found, kind="job" if cause.kind in ("crash", "pod") else cause.kind)
