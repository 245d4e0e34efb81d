"""Containers without a readiness probe: Kubernetes calls them ready as soon as they run, so they have to run for a while."""

from typing import Final

from ops.kube.objects import WORKLOADS, Object, key_of, number, pod_template, rows, sidecars_of, table, text
from ops.kube.readiness.state import Surroundings, parse_time

SECONDS: Final = 10  # what ends is started again at once, then after 10 s: within this time it has ended, or ended twice


def unprobed(pod: Object) -> list[str]:
    """The containers of a pod, or of a pod's template, that go on running and have no readiness probe: sidecars too."""
    return [text(c, "name") for c in (*sidecars_of(pod), *rows(pod, "spec", "containers")) if not table(c, "readinessProbe")]


def warning(manifest: Object) -> str:
    """A plan's warning about a workload without a readiness probe; the empty string where it has one."""
    names = unprobed(pod_template(manifest) or {}) if key_of(manifest).kind in (*WORKLOADS, "Pod") else []
    if not names:
        return ""
    which = f"container {names[0]} has" if len(names) == 1 else f"containers {', '.join(names)} have"
    return f"{which} no readinessProbe: {SECONDS} s of running count as ready, whether it works or not"


def running(pod: Object, status: Object, scene: Surroundings) -> float:
    """For how many seconds a container has been running. A node's clock may be behind: nothing runs before its pod was made."""
    started = text(status, "state", "running", "startedAt")
    if not started:
        return 0.0
    return min(scene.seconds_since(started), scene.seconds_since(text(pod, "metadata", "creationTimestamp") or started))


def fell(pod: Object, status: Object, scene: Surroundings) -> bool:
    """Whether a container without a readiness probe has ended since the rollout began, and has not run for long since."""
    if text(status, "name") not in unprobed(pod) or text(pod, "spec", "restartPolicy") not in ("", "Always"):
        return False
    now = table(status, "state", "terminated")
    last = now or table(status, "lastState", "terminated")
    if not last or (not now and number(status, "restartCount") < 1):
        return False
    finished = text(last, "finishedAt")
    during = not finished or parse_time(finished) >= scene.since.replace(microsecond=0)
    return during and running(pod, status, scene) < SECONDS
