"""Why a pod is not ready: the first cause that can be named."""

from collections.abc import Iterator
from dataclasses import replace

from ops.kube.objects import Object, condition, number, rows, sidecars_of, statuses_of, table, text
from ops.kube.readiness import claim, reasons, steady
from ops.kube.readiness.causes import BINDING_SECONDS, CAUSES, ROOM_SECONDS, failed
from ops.kube.readiness.container import Observed, ended, kind_of, not_made, not_ready, reason_of
from ops.kube.readiness.state import Done, Failed, State, Surroundings, Waiting, event_time


def judge(pod: Object, scene: Surroundings) -> State:
    """A pod by itself: ready, or run to its end."""
    if text(pod, "status", "phase") == "Succeeded":
        return Done()
    if text(condition(pod, "Ready"), "status") == "True":
        return proven(pod, scene) or Done()
    return trouble(pod, scene) or Waiting(_doing(pod))


def proven(pod: Object, scene: Surroundings) -> Failed | Waiting | None:
    """What is still to be seen of a pod that is Ready: None when its containers without a readiness probe have run for a while."""
    names = steady.unprobed(pod)
    found = {text(status, "name"): status for status in statuses_of(pod)}
    for name in names:
        if name in found and (failure := ended(Observed(pod, found[name], scene))):
            return failure
    left = max((steady.SECONDS - steady.running(pod, found.get(name, {}), scene) for name in names), default=0.0)
    if left <= 0:
        return None
    return Waiting(f"pod {text(pod, 'metadata', 'name')} to run for {steady.SECONDS} s, since nothing asks whether it is ready")


def trouble(pod: Object, scene: Surroundings) -> Failed | None:
    """The definite cause why this pod will not become ready, or None."""
    return _unplaced(pod, scene) or next(_of_containers(pod, scene), None) or _not_set_up(pod, scene) or _failed(pod, scene)


def waiting_for(pod: Object, scene: Surroundings) -> str:
    """What a pod that is not ready waits for, in words."""
    probes = scene.events_of(text(pod, "metadata", "uid"), "Unhealthy")
    failing = text(probes[-1], "message").strip() if probes else ""
    return f"pod {text(pod, 'metadata', 'name')}: {failing or _doing(pod)}"


def _unplaced(pod: Object, scene: Surroundings) -> Failed | None:
    """Why no node takes the pod, when that has lasted: for longer while a volume is made, or while a pod leaves."""
    scheduled = condition(pod, "PodScheduled")
    coming = scene.events_of(text(pod, "metadata", "uid"), *reasons.PLACE_COMES) or text(pod, "status", "nominatedNodeName")
    if text(scheduled, "status") != "False" or coming:
        return None
    claims = [claim.judge(c, scene) for c in _unbound(pod, scene)]
    without = next((state for state in claims if isinstance(state, Failed)), None)
    timeout = CAUSES["place"].seconds
    if claims and not without:
        timeout = BINDING_SECONDS
    elif scene.making_room and not without:
        timeout = ROOM_SECONDS
    if scene.seconds_since(text(scheduled, "lastTransitionTime")) < timeout:
        return None
    found = failed("place", pod=text(pod, "metadata", "name"), why=without.cause if without else text(scheduled, "message"))
    return replace(found, kind=without.kind) if without else found


def _unbound(pod: Object, scene: Surroundings) -> list[Object]:
    """The pod's claims that have no volume yet."""
    wanted = {text(v, "persistentVolumeClaim", "claimName") for v in rows(pod, "spec", "volumes")}
    return [c for c in scene.claims if text(c, "metadata", "name") in wanted and text(c, "status", "phase") != "Bound"]


def _of_containers(pod: Object, scene: Surroundings) -> Iterator[Failed]:
    """The causes that lie in its containers."""
    # An init container that has done its work may have needed several tries; with the pod a sidecar ends, with whatever code.
    over = text(pod, "status", "phase") in ("Failed", "Succeeded")
    beside = {text(container, "name") for container in sidecars_of(pod)} if over else set()
    done = [
        status
        for status in rows(pod, "status", "initContainerStatuses")
        if text(status, "state", "terminated", "reason") == "Completed" or text(status, "name") in beside
    ]
    for status in statuses_of(pod):
        seen = Observed(pod, status, scene)
        found = not_made(seen) or (None if status in done else ended(seen)) or not_ready(seen)
        if found:
            yield found


def _not_set_up(pod: Object, scene: Surroundings) -> Failed | None:
    """Why its node does not give it its volumes or its network, when that has lasted."""
    if text(pod, "status", "phase") != "Pending":
        return None
    uid, age = text(pod, "metadata", "uid"), scene.seconds_since(text(condition(pod, "PodScheduled"), "lastTransitionTime"))
    if text(condition(pod, "PodReadyToStartContainers"), "status") == "True":
        return None  # it has its volumes and its network since; now an image is pulled, say
    went_on = scene.events_of(uid, "Pulling", "Pulled", "Created", "Started")
    for reason, kind in reasons.SETTING_UP.items():
        said = scene.events_of(uid, reason)
        if said and age > CAUSES[kind].seconds and not (went_on and event_time(went_on[-1]) >= event_time(said[-1])):
            return failed(kind, pod=text(pod, "metadata", "name"), why=text(said[-1], "message").strip())
    return None


def _failed(pod: Object, scene: Surroundings) -> Failed | None:
    """Why the pod as a whole has failed: by its first container that did."""
    if text(pod, "status", "phase") != "Failed":
        return None
    for status in rows(pod, "status", "containerStatuses"):
        end = table(status, "state", "terminated")
        if end and number(end, "exitCode"):
            seen = Observed(pod, status, scene)
            return Failed(f"container {seen.name} ended with exit code {number(end, 'exitCode')}{reason_of(end)}", seen.log(), kind_of(end))
    return failed("pod", pod=text(pod, "metadata", "name"), why=text(pod, "status", "message") or text(pod, "status", "reason"))


def _doing(pod: Object) -> str:
    """What it waits for by its own status, in words."""
    for status in statuses_of(pod):
        waiting = table(status, "state", "waiting")
        if waiting and text(waiting, "reason") not in ("PodInitializing", ""):
            message = reasons.innermost(text(waiting, "message"))
            return text(waiting, "reason") + (f": {message}" if message else "")
    scheduled = condition(pod, "PodScheduled")
    if text(scheduled, "status") == "False":
        return text(scheduled, "message") or "a place"
    phase = text(pod, "status", "phase")
    return "its containers to be ready" if phase == "Running" else (phase or "its start").lower()
