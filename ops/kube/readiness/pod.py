"""Why a pod is not ready: the first cause that can be named."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import replace

from ops.kube.objects import Object, condition, number, rows, sidecars_of, statuses_of, table, text
from ops.kube.readiness import claim, steady
from ops.kube.readiness.causes import CAUSES, failed
from ops.kube.readiness.state import Done, Failed, Kind, LogOf, Scene, State, Waiting, event_time, parse_time

# Why a container waits that has no image, and one that cannot be made of it (kubelet, pkg/kubelet/images and container).
PULL = ("ErrImagePull", "ImagePullBackOff", "InvalidImageName", "ErrImageNeverPull", "ImageInspectError", "RegistryUnavailable")
CREATE = ("CreateContainerConfigError", "CreateContainerError", "RunContainerError", "StartError")
# What a registry says when trying again does not help. There is no code for it in the API, only containerd's words.
_FINAL_PULL = re.compile(
    r"not found|manifest unknown|unauthorized|denied|forbidden|invalid reference|no match for platform|InvalidImageName", re.I
)
# The kubelet has not yet seen the ConfigMap or the Secret, and tries again: not that there is none.
_PASSING = re.compile(r"failed to sync (configmap|secret) cache: timed out")
# Of the cluster autoscaler, of Karpenter; the scheduler itself names the node on which it makes room.
_PLACE_COMES = ("TriggeredScaleUp", "Nominated")
_ROOM_SECONDS = 60  # while a pod leaves, which may make room
_BINDING_SECONDS = 120  # while a volume is made
# What the runtime says of a program for another kind of processor (runc; the kernel's ENOEXEC).
_FOREIGN = re.compile(r"exec format error")
# Why a pod cannot get what it needs from its node, by the reason of the event.
_SETTING_UP: Mapping[str, Kind] = {"FailedMount": "mount", "FailedAttachVolume": "attach", "FailedCreatePodSandBox": "network"}


def judge(pod: Object, scene: Scene) -> State:
    """A pod by itself: ready, or run to its end."""
    if text(pod, "status", "phase") == "Succeeded":
        return Done()
    if text(condition(pod, "Ready"), "status") == "True":
        return proven(pod, scene) or Done()
    return trouble(pod, scene) or Waiting(_doing(pod))


def proven(pod: Object, scene: Scene) -> Failed | Waiting | None:
    """What is still to be seen of a pod that is Ready: None when its containers without a readiness probe have run for a while."""
    names = steady.unprobed(pod)
    found = {text(status, "name"): status for status in statuses_of(pod)}
    for name in names:
        if name in found and (failed := _crash(pod, found[name], scene)):
            return failed
    left = max((steady.SECONDS - steady.running(pod, found.get(name, {}), scene) for name in names), default=0.0)
    if left <= 0:
        return None
    return Waiting(f"pod {text(pod, 'metadata', 'name')} to run for {steady.SECONDS} s, since nothing asks whether it is ready")


def trouble(pod: Object, scene: Scene) -> Failed | None:
    """The definite cause why this pod will not become ready, or None."""
    return _unplaced(pod, scene) or next(_containers(pod, scene), None) or _volumes(pod, scene) or _failed(pod)


def waiting_for(pod: Object, scene: Scene) -> str:
    """What a pod that is not ready waits for, in words."""
    failing = _probe_words(pod, scene)
    return f"pod {text(pod, 'metadata', 'name')}: {failing or _doing(pod)}"


def _unplaced(pod: Object, scene: Scene) -> Failed | None:
    scheduled = condition(pod, "PodScheduled")
    coming = scene.events_of(text(pod, "metadata", "uid"), *_PLACE_COMES) or text(pod, "status", "nominatedNodeName")
    if text(scheduled, "status") != "False" or coming:
        return None
    claims = [claim.judge(c, scene) for c in _unbound(pod, scene)]
    placing = CAUSES["place"].seconds
    timeout = _BINDING_SECONDS if claims else _ROOM_SECONDS if scene.making_room else placing
    without = next((state for state in claims if isinstance(state, Failed)), None)
    if scene.seconds_since(text(scheduled, "lastTransitionTime")) < (placing if without else timeout):
        return None
    found = failed("place", pod=text(pod, "metadata", "name"), why=without.cause if without else text(scheduled, "message"))
    return replace(found, kind=without.kind) if without else found


def _unbound(pod: Object, scene: Scene) -> list[Object]:
    """The pod's claims that have no volume yet."""
    wanted = {text(v, "persistentVolumeClaim", "claimName") for v in rows(pod, "spec", "volumes")}
    return [c for c in scene.claims if text(c, "metadata", "name") in wanted and text(c, "status", "phase") != "Bound"]


def _containers(pod: Object, scene: Scene) -> Iterator[Failed]:
    # An init container that has done its work may have needed several tries; with the pod a sidecar ends, with whatever code.
    over = text(pod, "status", "phase") in ("Failed", "Succeeded")
    beside = {text(container, "name") for container in sidecars_of(pod)} if over else set()
    done = [
        status
        for status in rows(pod, "status", "initContainerStatuses")
        if text(status, "state", "terminated", "reason") == "Completed" or text(status, "name") in beside
    ]
    for status in statuses_of(pod):
        found = _pull(pod, status, scene) or (None if status in done else _crash(pod, status, scene)) or _probe(pod, status, scene)
        if found:
            yield found


def _pull(pod: Object, status: Object, scene: Scene) -> Failed | None:
    """No such image is definite at once; a registry that cannot be reached has a minute to come back."""
    waiting = table(status, "state", "waiting")
    reason, message = text(waiting, "reason"), text(waiting, "message")
    errors = [e for e in scene.events_of(text(pod, "metadata", "uid"), "Failed") if "pull" in text(e, "message")]
    age = scene.age_of(errors[0]) if errors else 0.0
    if reason in PULL and (age > CAUSES["image"].seconds or _FINAL_PULL.search(f"{reason} {message}")):
        return failed("image", image=text(status, "image"), why=_innermost(message) or reason)
    if reason in CREATE and not _PASSING.search(message):
        found = failed("configuration", name=text(status, "name"), why=message or reason)
        return replace(found, kind="platform") if _FOREIGN.search(message) else found
    return None


def _crash(pod: Object, status: Object, scene: Scene) -> Failed | None:
    """A container that ended twice will do it again. Once may be bad luck, unless no probe can tell whether it works now."""
    restarts = number(status, "restartCount")
    now = table(status, "state", "terminated")
    last = now or table(status, "lastState", "terminated")
    looping = text(status, "state", "waiting", "reason") == "CrashLoopBackOff"
    if not (restarts and last and (looping or now)) and not steady.fell(pod, status, scene):
        return None
    name, code = text(status, "name"), number(last, "exitCode")
    log = LogOf(text(pod, "metadata", "namespace"), text(pod, "metadata", "name"), name, previous=not now)
    said = text(last, "message").strip()
    message = f": {said}" if said else ""
    killed = _probe_events(pod, status, scene, "Liveness probe", "Startup probe") if code in (137, 143, 0, 2) else []
    if killed and text(last, "reason") != "OOMKilled":
        return failed("liveness", log, name=name, restarts=max(restarts, 1), why=text(killed[-1], "message") + message)
    ends = restarts + bool(now or looping)
    times = f" {ends} times" if ends > 1 else ""
    return failed(_end(last), log, name=name, times=times, code=code, reason=_known(last), message=message, why=said)


def _known(last: Object) -> str:
    """The reason of an end where it says more than the exit code does."""
    reason = text(last, "reason")
    return f" ({reason})" if reason not in ("", "Error", "Completed") else ""


def _end(last: Object) -> Kind:
    """Why a container ended, as far as its status tells."""
    if text(last, "reason") == "OOMKilled":
        return "memory"
    if _FOREIGN.search(text(last, "message")):
        return "platform"
    return "crash" if number(last, "exitCode") else "end"


def _probe(pod: Object, status: Object, scene: Scene) -> Failed | None:
    """A container that runs, and has not been ready for longer than its own probes give it."""
    started = text(status, "state", "running", "startedAt")
    name = text(status, "name")
    spec = next((c for c in rows(pod, "spec", "containers") if text(c, "name") == name), {})
    if not started or status.get("ready") is True or not {"readinessProbe", "startupProbe"} & set(spec):
        return None
    unready = min(
        scene.seconds_since(started), scene.seconds_since(text(condition(pod, "ContainersReady"), "lastTransitionTime") or started)
    )
    said = [e for e in _probe_events(pod, status, scene, "Readiness probe", "Startup probe") if event_time(e) >= parse_time(started)]
    # Without an event of the kubelet it is waited for longer: the event may still come.
    if unready < readiness_timeout(spec, started=status.get("started") is True) * (1 if said else 2):
        return None
    answer = text(said[-1], "message").strip() if said else "its probe does not succeed"
    log = LogOf(text(pod, "metadata", "namespace"), text(pod, "metadata", "name"), name)
    return failed("readiness", log, name=name, seconds=unready, why=answer)


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


def _probe_events(pod: Object, status: Object, scene: Scene, *starts: str) -> list[Object]:
    field = f"spec.containers{{{text(status, 'name')}}}"
    return [
        e
        for e in scene.events_of(text(pod, "metadata", "uid"), "Unhealthy")
        if text(e, "message").startswith(starts) and text(e, "involvedObject", "fieldPath") in ("", field)
    ]


def _probe_words(pod: Object, scene: Scene) -> str:
    said = scene.events_of(text(pod, "metadata", "uid"), "Unhealthy")
    return text(said[-1], "message").strip() if said else ""


def _volumes(pod: Object, scene: Scene) -> Failed | None:
    if text(pod, "status", "phase") != "Pending":
        return None
    uid, age = text(pod, "metadata", "uid"), scene.seconds_since(text(condition(pod, "PodScheduled"), "lastTransitionTime"))
    if text(condition(pod, "PodReadyToStartContainers"), "status") == "True":
        return None  # it has its volumes and its network since; now an image is pulled, say
    went_on = scene.events_of(uid, "Pulling", "Pulled", "Created", "Started")
    for reason, kind in _SETTING_UP.items():
        said = scene.events_of(uid, reason)
        if said and age > CAUSES[kind].seconds and not (went_on and event_time(went_on[-1]) >= event_time(said[-1])):
            return failed(kind, pod=text(pod, "metadata", "name"), why=text(said[-1], "message").strip())
    return None


def _failed(pod: Object) -> Failed | None:
    if text(pod, "status", "phase") != "Failed":
        return None
    for status in rows(pod, "status", "containerStatuses"):
        ended = table(status, "state", "terminated")
        if ended and number(ended, "exitCode"):
            name = text(status, "name")
            log = LogOf(text(pod, "metadata", "namespace"), text(pod, "metadata", "name"), name)
            return Failed(f"container {name} ended with exit code {number(ended, 'exitCode')}{_known(ended)}", log, _end(ended))
    return failed("pod", pod=text(pod, "metadata", "name"), why=text(pod, "status", "message") or text(pod, "status", "reason"))


def _doing(pod: Object) -> str:
    for status in statuses_of(pod):
        waiting = table(status, "state", "waiting")
        if waiting and text(waiting, "reason") not in ("PodInitializing", ""):
            message = _innermost(text(waiting, "message"))
            return text(waiting, "reason") + (f": {message}" if message else "")
    scheduled = condition(pod, "PodScheduled")
    if text(scheduled, "status") == "False":
        return text(scheduled, "message") or "a place"
    return (
        "its containers to be ready" if text(pod, "status", "phase") == "Running" else (text(pod, "status", "phase") or "its start").lower()
    )


def _innermost(message: str) -> str:
    """The end of containerd's chain of causes, where it says what happened."""
    parts = message.strip().split(": ")
    return ": ".join(parts[-2:]) if len(parts) > 2 else message.strip()
