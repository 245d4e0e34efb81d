"""Doing what a plan says, phase by phase, each ready before the next."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from ops.cluster import applying, ownership
from ops.cluster.plan import Plan
from ops.cluster.step import Step, moved
from ops.errors import Failure, Refused
from ops.kube import byhand, write
from ops.kube.broken import named, objects_of
from ops.kube.client import ApiError, Client, Unavailable
from ops.kube.clock import clock
from ops.kube.discovery import Resource
from ops.kube.immutable import explained
from ops.kube.objects import Key, Object, number, rows, text
from ops.kube.order import Phase
from ops.kube.progress import Notice, Tell
from ops.kube.stream import events
from ops.kube.watch import wait

PHASE_SECONDS = 600.0
REPLACE_SECONDS = 60  # in which an object must go whose place another one takes
PRUNE_SECONDS = 10  # in which an object goes that nothing holds; the next plan shows what is held


@dataclass(frozen=True, slots=True)
class Pace:
    """How an apply goes: who is told, what must hold before each write, how long a phase may take (seconds).

    `thorough`: a phase that fails does not end it. Everything after it is applied and deleted too, and not waited for.
    """

    tell: Tell
    check: Callable[[], None]
    seconds: float = PHASE_SECONDS
    thorough: bool = False


def apply_plan(client: Client, plan: Plan, pace: Pace) -> None:
    """Apply a plan's changes in order. Raises `Failure` with the cause of the first phase that does not become ready."""
    first: Failure | None = None
    for phase in Phase:
        try:
            _apply_phase(client, plan, phase, pace, waits=first is None)
        except Failure as failure:
            first = first or failure
            if not pace.thorough or isinstance(failure, Unavailable):
                break
    if first is not None:
        raise first


def _apply_phase(client: Client, plan: Plan, phase: Phase, pace: Pace, *, waits: bool) -> None:
    steps = [step for step in plan.steps if step.phase is phase]
    since = client.now()
    _apply_all(client, [step for step in steps if step.action != "unchanged"], pace)
    awaited = [step for step in steps if step.wants and (step.action != "unchanged" or step.doing == "running" or _resumed(plan, step))]
    seconds = max([pace.seconds, *map(_deadline, awaited)])
    if waits:
        wait(client, [step.key for step in awaited], seconds=seconds, tell=pace.tell, check=pace.check, since=since)
    if phase is Phase.NAMESPACES and any(step.key.kind == "CustomResourceDefinition" for step in steps):
        client.forget_kinds()


def _apply_all(client: Client, steps: Sequence[Step], pace: Pace) -> None:
    """Apply steps side by side. Raises `Failure` that names every step that was refused."""

    def attempt(step: Step) -> Failure | None:
        try:
            _apply(client, step, pace)
        except Failure as failure:
            return failure
        return None

    failures = {(f.doing, f.cause): f for f in client.each(attempt, steps) if f}
    first = next((f for f in failures.values() if isinstance(f, Unavailable)), next(iter(failures.values()), None))
    if first is None:
        return
    if len(failures) == 1 or isinstance(first, Unavailable):
        raise first
    causes = [f"{f.doing}: {f.cause}" for f in failures.values()]
    remedies = dict.fromkeys(f.remedy for f in failures.values())
    objects = [one for f in failures.values() for one in objects_of(f)]
    raise Failure("applying the plan", "\n".join(causes), "\n".join(remedies), details={"objects": objects})


def _deadline(step: Step) -> float:
    """How long a Job may run by its own words, and a little: it then says itself that it failed. Seconds."""
    seconds = number(step.manifest, "spec", "activeDeadlineSeconds") if step.key.kind == "Job" else 0
    return seconds + 10.0 if seconds else 0.0


def _resumed(plan: Plan, step: Step) -> bool:
    """After a deploy that failed or was cut off, what it applied must still be waited for. A Job that is gone ran long ago."""
    return plan.unverified and not (step.key.kind == "Job" and step.before is None)


def _apply(client: Client, step: Step, pace: Pace) -> None:
    pace.check()
    # What is applied goes to the very version that the manifest is written in.
    resource = client.resource_of(step.manifest) if step.manifest else client.by_key(step.key)
    if resource is None:
        raise Failure(f"applying {step.key}", f"the cluster does not know the kind {step.key.kind}", "Install its definition.")
    try:
        if step.action == "delete":
            write.delete(client, resource.path(step.key.namespace, step.key.name))
            left = left_after(client, resource, step.key, PRUNE_SECONDS)
            pace.tell(Notice(step.key, "waiting", byhand.lingers(left)) if left else Notice(step.key, "deleted"))
            return
        if step.action == "replace":
            write.delete(client, resource.path(step.key.namespace, step.key.name))
            left = left_after(client, resource, step.key, REPLACE_SECONDS)
            if left:
                raise Failure(f"deleting {step.key}", byhand.lingers(left), "Remove what holds it, then deploy again.")
            pace.check()  # that may have taken a minute
        assert step.manifest is not None
        if step.inherits:
            ownership.take_over(client, resource, step.key)
        applying.apply(client, resource, step.manifest, force=step.force)
    except ApiError as error:
        raise _refused(step, error) from error
    pace.tell(Notice(step.key, "applied", step.action))


def left_after(client: Client, resource: Resource, key: Key, seconds: int) -> Object | None:
    """Wait so long for a deletion, by watching that very object: what is there still, or None. A watch that breaks off is begun again."""
    fields = f"metadata.name={key.name}"
    deadline = clock() + seconds
    while True:
        answer = client.request("GET", resource.path(key.namespace), {"fieldSelector": fields})
        found = next(iter(rows(answer, "items")), None)
        if found is None or not text(found, "metadata", "deletionTimestamp"):  # another of the same name is no matter of this deletion
            return None
        left = math.ceil(deadline - clock())
        if left <= 0:
            return found
        version = text(answer, "metadata", "resourceVersion")
        query = {"watch": "1", "fieldSelector": fields, "resourceVersion": version, "timeoutSeconds": str(left)}
        stream = client.stream(resource.path(key.namespace), query, seconds=left + 5)
        try:
            if any(text(event, "type") == "DELETED" for event in events(stream)):
                return None
        finally:
            stream.close()


def _refused(step: Step, error: ApiError) -> Failure:
    kind, cause, remedy = Failure, error.message, "Correct the manifest, or your rights in the cluster."
    conflicts = applying.conflicts(error)
    if conflicts:
        fields = ", ".join(f"{c.path} (now {c.manager}'s)" for c in conflicts)
        kind, cause, remedy = Refused, f"another manager has set {fields}", "Make a new plan: it shows the field."
    elif step.manifest is not None:
        cause = explained(error, step.manifest, step.before)
    about = {"object": named(step.key), "reason": "refused", "cause": cause, "remedy": remedy, "log": []}
    return kind(f"applying {step.key}", cause, remedy, details={"objects": [about]})


def _may_differ(step: Step) -> bool:
    """Whether the live object need not be as the plan saw it: a Job that is not run, an object that is being deleted."""
    return step.doing == "leaving" or (step.key.kind == "Job" and step.action == "unchanged")


def check_unmoved(client: Client, plan: Plan, made: Key | None = None) -> None:
    """Raise `Refused`, showing what moved, when the cluster is not what the plan was made from.

    `made` is what this very apply has made already.
    """

    def look(step: Step) -> list[str]:
        resource = client.by_key(step.key)
        live: Object | None = client.get(resource, step.key.namespace, step.key.name) if resource else None
        if live is None and step.before is None:
            return []
        if step.before is None:
            return [f"{step.key}: it was not there, and is now"]
        if live is None:
            return [f"{step.key}: it was there, and is gone"]
        return [f"{step.key}: {difference}" for difference in moved(step, live)]

    lines = [
        line for found in client.each(look, [step for step in plan.steps if step.key != made and not _may_differ(step)]) for line in found
    ]
    if lines:
        raise Refused("applying the plan", "\n".join(["the cluster has changed since the plan was made:", *lines]), "Make a new plan.")
