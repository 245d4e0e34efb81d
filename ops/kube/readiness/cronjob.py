"""CronJob: it is ready when the API server has accepted it (so it has no `judge`). How its runs went is for whoever looks after it."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from ops.kube.objects import Object, owned_by, text
from ops.kube.readiness import job as jobs
from ops.kube.readiness.state import Done, Failed, State, Surroundings, parse_time


@dataclass(frozen=True, slots=True)
class Run:
    """One run of a CronJob: its Job's name, how long ago it began (seconds), how it is."""

    name: str
    age: float
    state: State


def runs(cronjob: Object, scene: Surroundings, found: Sequence[Object]) -> list[Run]:
    """The runs that are still kept, the newest first. `found`: the Jobs of its namespace."""
    own = [job for job in found if owned_by(job, text(cronjob, "metadata", "uid"))]
    own.sort(key=lambda job: parse_time(_began(job)), reverse=True)
    return [Run(text(job, "metadata", "name"), scene.seconds_since(_began(job)), jobs.judge(job, scene)) for job in own]


def trouble(found: Sequence[Run]) -> Failed | None:
    """Why the last run that has ended failed; None where it did not, or none has ended yet."""
    ended = next((run for run in found if isinstance(run.state, (Done, Failed))), None)
    if ended is None or not isinstance(ended.state, Failed):
        return None
    return replace(ended.state, cause=f"its last run {ended.name} failed: {ended.state.cause}")


def told(found: Sequence[Run]) -> str:
    """The last runs in a few words: what the newest does, and how many of those that are kept failed."""
    if not found:
        return "no run yet"
    failed = sum(isinstance(run.state, Failed) for run in found)
    ended = sum(isinstance(run.state, Done) for run in found) + failed
    newest = found[0]
    how = "failed" if isinstance(newest.state, Failed) else "done" if isinstance(newest.state, Done) else "running"
    return f"last run {how}" + (f", {failed} of the last {ended} failed" if failed else "")


def _began(job: Object) -> str:
    return text(job, "status", "startTime") or text(job, "metadata", "creationTimestamp")
