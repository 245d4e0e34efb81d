"""Why one container of a pod does not run, or is not ready."""

from dataclasses import dataclass, replace

from ops.kube.objects import Object, condition, number, rows, table, text
from ops.kube.readiness import reasons, steady
from ops.kube.readiness.causes import CAUSES, failed
from ops.kube.readiness.state import CauseKind, Failed, LogOf, Surroundings, event_time, parse_time


@dataclass(frozen=True, slots=True)
class Observed:
    """A container as its pod's `status` entry and the events show it."""

    pod: Object
    status: Object
    scene: Surroundings

    @property
    def name(self) -> str:
        """The container's name."""
        return text(self.status, "name")

    @property
    def spec(self) -> Object:
        """What the pod says of it; empty for an init container."""
        return next((c for c in rows(self.pod, "spec", "containers") if text(c, "name") == self.name), {})

    def log(self, *, previous: bool = False) -> LogOf:
        """Its lines, or those of its `previous` run."""
        return LogOf(text(self.pod, "metadata", "namespace"), text(self.pod, "metadata", "name"), self.name, previous)

    def events(self, *why: str) -> list[Object]:
        """The events about its pod, oldest first."""
        return self.scene.events_of(text(self.pod, "metadata", "uid"), *why)

    def probes(self, *starts: str) -> list[Object]:
        """The events about its probes that failed, whose messages start so."""
        field = f"spec.containers{{{self.name}}}"
        return [
            event
            for event in self.events("Unhealthy")
            if text(event, "message").startswith(starts) and text(event, "involvedObject", "fieldPath") in ("", field)
        ]


def not_made(seen: Observed) -> Failed | None:
    """Why it cannot be made. No such image is definite at once; a registry that cannot be reached has a minute to come back."""
    waiting = table(seen.status, "state", "waiting")
    reason, message = text(waiting, "reason"), text(waiting, "message")
    errors = [e for e in seen.events("Failed") if "pull" in text(e, "message")]
    age = seen.scene.age_of(errors[0]) if errors else 0.0
    if reason in reasons.PULL and (age > CAUSES["image"].seconds or reasons.FINAL_PULL.search(f"{reason} {message}")):
        return failed("image", image=text(seen.status, "image"), why=reasons.innermost(message) or reason)
    if reason in reasons.CREATE and not reasons.PASSING.search(message):
        found = failed("configuration", name=seen.name, why=message or reason)
        return replace(found, kind="platform") if reasons.FOREIGN.search(message) else found
    return None


def ended(seen: Observed) -> Failed | None:
    """Why it ends. A container that ended twice will do it again. Once may be bad luck, unless no probe can tell whether it works now."""
    restarts = number(seen.status, "restartCount")
    now = table(seen.status, "state", "terminated")
    last = now or table(seen.status, "lastState", "terminated")
    looping = text(seen.status, "state", "waiting", "reason") == "CrashLoopBackOff"
    if not (restarts and last and (looping or now)) and not steady.fell(seen.pod, seen.status, seen.scene):
        return None
    log, code = seen.log(previous=not now), number(last, "exitCode")
    said = text(last, "message").strip()
    message = f": {said}" if said else ""
    killed = seen.probes("Liveness probe", "Startup probe") if code in (137, 143, 0, 2) else []
    if killed and text(last, "reason") != "OOMKilled":
        return failed("liveness", log, name=seen.name, restarts=max(restarts, 1), why=text(killed[-1], "message") + message)
    ends = restarts + bool(now or looping)
    times = f" {ends} times" if ends > 1 else ""
    return failed(kind_of(last), log, name=seen.name, times=times, code=code, reason=reason_of(last), message=message, why=said)


def not_ready(seen: Observed) -> Failed | None:
    """Why it runs, and has not been ready for longer than its own probes give it."""
    started, spec = text(seen.status, "state", "running", "startedAt"), seen.spec
    if not started or seen.status.get("ready") is True or not {"readinessProbe", "startupProbe"} & set(spec):
        return None
    unready_since = text(condition(seen.pod, "ContainersReady"), "lastTransitionTime") or started
    unready = min(seen.scene.seconds_since(started), seen.scene.seconds_since(unready_since))
    said = [e for e in seen.probes("Readiness probe", "Startup probe") if event_time(e) >= parse_time(started)]
    # Without an event of the kubelet it is waited for longer: the event may still come.
    if unready < readiness_timeout(spec, started=seen.status.get("started") is True) * (1 if said else 2):
        return None
    answer = text(said[-1], "message").strip() if said else "its probe does not succeed"
    return failed("readiness", seen.log(), name=seen.name, seconds=unready, why=answer)


def readiness_timeout(container: Object, *, started: bool) -> float:
    """Seconds that a container's own probes allow until it is ready: the startup probe's (until it has `started`), then twice the
    readiness threshold, 15 at least."""

    def seconds(probe: str, times: int) -> int:
        settings = table(container, probe)
        if not settings:
            return 0
        period, threshold = number(settings, "periodSeconds", default=10), number(settings, "failureThreshold", default=3)
        return number(settings, "initialDelaySeconds") + times * period * threshold

    return max(15.0, seconds("readinessProbe", 2) + (0 if started else seconds("startupProbe", 1)))


def kind_of(end: Object) -> CauseKind:
    """Why a container ended, as far as its `terminated` state tells."""
    if text(end, "reason") == "OOMKilled":
        return "memory"
    if reasons.FOREIGN.search(text(end, "message")):
        return "platform"
    return "crash" if number(end, "exitCode") else "end"


def reason_of(end: Object) -> str:
    """The reason of an end in brackets, where it says more than the exit code does."""
    reason = text(end, "reason")
    return f" ({reason})" if reason not in ("", "Error", "Completed") else ""
