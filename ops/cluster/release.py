"""A change of an environment, from beginning to end: plan → lock → apply → watch → verify → record, and back when it fails."""

from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Literal

from ops.catalog.model import Catalog
from ops.cluster import leftovers, record
from ops.cluster.apply import PHASE_SECONDS, Pace, apply_plan, check_unmoved
from ops.cluster.decide import generated_config_maps
from ops.cluster.facts import cluster_id
from ops.cluster.lock import hold, whoami
from ops.cluster.plan import Plan, check_environment
from ops.cluster.prepare import prepare
from ops.cluster.record import Header, Record, together
from ops.cluster.rollback import origin_of
from ops.cluster.schema import schema_hash, unsafe_behind
from ops.cluster.step import Step
from ops.cluster.target import target_of
from ops.errors import Exit, Failure, Refused, RolledBack
from ops.kube.broken import objects_of
from ops.kube.client import Client, Unavailable
from ops.kube.objects import Key
from ops.kube.order import Phase
from ops.kube.progress import Notice, Tell


@dataclass(frozen=True, slots=True)
class Result:
    """How it ended: `record` is the number of its record (0: nothing was written), `resumed` the record it finished or replaced."""

    state: Literal["nothing", "done"]
    record: int = 0
    changed: int = 0
    resumed: str = ""


def execute(
    catalog: Catalog,
    client: Client,
    plan: Plan,
    tell: Tell,
    *,
    verify: Callable[[], None] | None = None,
    who: str = "",
    seconds: float = PHASE_SECONDS,
) -> Result:
    """Apply a plan, and nothing else. `verify` may raise `Failure`: then the change has failed.

    Writes nothing when there is nothing to do. Raises `Refused` for a plan that may not be applied or is stale, and when
    another deploy holds the lock; `RolledBack` when it failed and the last good record is there again; `Failure` when it
    failed and there is nothing to go back to.
    """
    _admit(client, plan)
    if plan.empty:
        return Result("nothing")
    home = catalog.namespaces[0]
    made = _make_home(client, plan, home, tell)
    with hold(client, home, who or whoami()) as lock:
        _check_base(client, plan, home)
        check_unmoved(client, plan, made)
        lock.check()
        pace = Pace(tell, lock.check, seconds, thorough=_is_last_resort(client, plan, home))
        header = _open(client, plan, home, who or whoami())
        try:
            if plan.origin.kind == "rollback":
                leftovers.stop_jobs(client, catalog.namespaces, pace)
            apply_plan(client, plan, pace)
            if verify:
                verify()
            lock.check()
            record.close(client, home, header, "good")
        except Unavailable as failure:
            raise _cut_off(header, failure) from failure
        except Failure as failure:
            if lock.lost:
                raise
            raise _back(_Change(catalog, client, plan, pace), header, failure) from failure
        except KeyboardInterrupt as interrupt:
            left = f"interrupted: what was applied keeps running in the cluster, and record {header.number} has no end"
            raise KeyboardInterrupt(f"{left}; `invoke deploy` finishes it or takes its place, `invoke rollback` goes back") from interrupt
        _tidy(client, home)
    return Result("done", header.number, len(plan.changes), _resumed(plan))


def _cut_off(header: Header, failure: Unavailable) -> Failure:
    """An unreachable cluster says nothing about the release itself: that is no reason to roll back, and no way to do it."""
    left = f"What was applied keeps running in the cluster, and record {header.number} has no end: `invoke deploy` finishes it."
    remedy = f"{failure.remedy} {left}"
    return Unavailable(failure.doing, failure.cause, remedy, details={**failure.details, "record": header.number})


def _back(change: "_Change", header: Header, failure: Failure) -> Failure:
    """Go back after a failure, and return what is to be raised: the failure comes first, also where the cluster fails meanwhile."""
    try:
        return _go_back(change, header, failure)
    except KeyboardInterrupt as interrupt:
        left = f"interrupted while going back: record {header.number} failed ({failure.cause.partition(chr(10))[0]})"
        raise KeyboardInterrupt(f"{left}; `invoke rollback` goes back, `invoke status` shows what is there") from interrupt
    except Unavailable as second:
        cause = f"{failure.cause}\nGoing back was cut off: {second.cause}"
        return Failure(failure.doing, cause, f"{second.remedy} `invoke rollback` goes back then.", details=failure.details)


def _admit(client: Client, plan: Plan) -> None:
    if plan.problems:
        raise Refused("checking the plan", "\n".join(plan.problems), "Correct every line above, then plan again.")
    check_environment(plan, target_of(client).environment.name)
    if plan.cluster != cluster_id(client):
        raise Refused("checking the plan", f"it was made for another cluster than {client.cluster.context}", "Make one for this cluster.")


def _make_home(client: Client, plan: Plan, home: str, tell: Tell) -> Key | None:
    """Make the namespace that holds the lock and the records, where an empty cluster lacks it. It is a step of the plan."""
    from ops.cluster.applying import apply

    step = next((s for s in plan.steps if s.key.kind == "Namespace" and s.key.name == home and s.action == "create"), None)
    if step is not None and step.manifest is not None:
        apply(client, client.resource_of(step.manifest), step.manifest)
        tell(Notice(step.key, "applied", "create"))
        return step.key
    return None


def _check_base(client: Client, plan: Plan, home: str) -> None:
    newest = max(record.history(client, home), key=lambda h: h.number, default=None)
    if newest is not None and newest.number != plan.base:
        raise Refused(
            "applying the plan",
            f"record {newest.number} ({newest.kind} by {newest.who}, {newest.started}) was made since",
            "Make a new plan.",
        )
    if newest is not None and plan.unfinished and plan.unfinished.record == newest.number and newest.outcome != "running":
        raise Refused("applying the plan", f"record {newest.number} by {newest.who} has ended since: {newest.outcome}", "Make a new plan.")


def _open(client: Client, plan: Plan, home: str, who: str) -> Header:
    """Write the record before the first change, so that a deploy that is cut off leaves a trace of what it was doing."""
    if plan.unfinished:
        left = next(h for h in record.history(client, home) if h.number == plan.unfinished.record)
        record.close(client, home, left, "abandoned", cause=f"cut off; taken over by record {plan.base + 1}")
    origin = plan.origin
    header = Header(
        plan.base + 1,
        origin.kind,
        origin.environment,
        who,
        origin.commit,
        record.stamp(client),
        version=origin.version,
        target=origin.target,
        schema=schema_hash(together(origin.met, origin.migrations)),
        wanted=plan.wanted,
        keeps=generated_config_maps(plan.manifests),
        migrates=any(step.action != "unchanged" for step in _jobs(plan)),
        adopted=plan.adopted,
        removed=plan.removed,
        stirred=plan.stirred,
    )
    return record.write(client, home, Record(header, plan.manifests, origin.digests, origin.migrations, origin.met, plan.warned))


def _resumed(plan: Plan) -> str:
    if not plan.unfinished:
        return ""
    did = "finished it" if plan.unfinished.same else "took its place and undid what is not wanted"
    return f"record {plan.unfinished.record} by {plan.unfinished.who} was cut off: this deploy {did}"


@dataclass(frozen=True, slots=True)
class _Change:
    catalog: Catalog
    client: Client
    plan: Plan
    pace: Pace

    @property
    def home(self) -> str:
        return self.catalog.namespaces[0]


def _go_back(change: _Change, header: Header, failure: Failure) -> Failure:
    """After a failure: the last good record again, if there is one. Returns what is to be raised."""
    client, plan, home = change.client, change.plan, change.home
    header = replace(header, migrates=header.migrates and _migrated(client, plan))
    record.close(client, home, header, "failed", cause=failure.cause)
    failure.details["record"] = header.number
    headers = record.history(client, home)
    goal_header = record.last_good(headers)
    if goal_header is None:
        remedy = f"{failure.remedy} There is no earlier good record to go back to: what was applied is still there."
        return _stays(change, failure, remedy)
    if record.source(headers, goal_header) in record.missed(headers):
        return _stays(change, failure, _offer(client, headers), _not_again(headers, goal_header))
    goal = record.load(client, home, goal_header)
    schema = together(plan.origin.met, plan.origin.migrations if header.migrates else ())
    unsafe = unsafe_behind(schema, goal.migrations)
    if unsafe:
        return _stays(change, failure, failure.remedy, "Not rolled back: the former code cannot run on the new schema:", *unsafe)
    change.pace.tell(Notice(Key("record", "", str(header.number)), "failed", f"going back to record {goal_header.number}"))
    return _to(goal, change, header, failure)


def _to(goal: Record, change: _Change, header: Header, failure: Failure) -> Failure:
    """Go back to a record, with what a failed change leaves besides its objects."""
    client, home, number = change.client, change.home, goal.header.number
    left = leftovers.stop_jobs(client, change.catalog.namespaces, change.pace)
    try:
        restored = _restore(change, goal, header)
        left += leftovers.remove_claims(client, change.plan, change.pace)
    except Unavailable:
        raise
    except Failure as second:
        cause = "\n".join([failure.cause, f"Going back to record {number} failed too: {second.cause}", *left])
        objects = {"objects": [*objects_of(failure), *objects_of(second)]}
        return Failure(failure.doing, cause, _offer(client, record.history(client, home)), details={**failure.details, **objects})
    cause = "\n".join([failure.cause, *left, f"Record {number} is there again (as record {restored})."])
    return RolledBack(failure.doing, cause, failure.remedy, code=Exit.ROLLED_BACK, details={**failure.details, "restored": number})


def _stays(change: _Change, failure: Failure, remedy: str, *why: str) -> Failure:
    """A failure after which nothing is gone back to: why, and what is left running or waiting."""
    with suppress(Failure):  # the cluster may be what has failed
        why = (*why, *leftovers.clear(change.client, change.catalog.namespaces, change.plan, change.pace))
    return Failure(failure.doing, "\n".join([failure.cause, *why]), remedy, details=failure.details)


def _is_last_resort(client: Client, plan: Plan, home: str) -> bool:
    """Whether a failure of this plan has no good record to go back to: then all of it is done that can be."""
    headers = record.history(client, home)
    last = record.last_good(headers)
    if plan.origin.kind != "rollback" or last is None:
        return False
    goal = next((h for h in headers if h.number == plan.origin.target), last)
    return record.source(headers, last) in (record.source(headers, goal), *record.missed(headers))


def _not_again(headers: Sequence[Header], goal: Header) -> str:
    number = record.missed(headers)[record.source(headers, goal)]
    return f"Record {goal.number} is not gone back to: that failed already (record {number})."


def _offer(client: Client, headers: Sequence[Header]) -> str:
    """What to do when the last good record could not be reached."""
    goal = record.way_back(headers)
    if goal is None:
        return "Correct the cause, and deploy again: there is no good record before it."
    command = f"invoke rollback {target_of(client).flags} --to {goal.number}"
    return f"`{command}` goes to the good record before it; or correct the cause, and deploy again."


def _jobs(plan: Plan) -> list[Step]:
    return [step for step in plan.steps if step.phase is Phase.MIGRATION]


def _migrated(client: Client, plan: Plan) -> bool:
    """Whether the plan's migrations may have run: no only where the cluster says that it has none of the plan's Jobs."""
    try:
        return any((kind := client.by_key(s.key)) and client.get(kind, s.key.namespace, s.key.name) for s in _jobs(plan))
    except Failure:
        return True


def _restore(change: _Change, goal: Record, failed: Header) -> int:
    """Go back under the lock that is held already. Raises `Failure` also where that could be done in part only."""
    client, home = change.client, change.home
    back = prepare(change.catalog, client, origin_of(client, goal), goal.objects)
    pace = replace(change.pace, thorough=True)
    pace.check()
    header = _open(client, back, home, failed.who)
    try:
        apply_plan(client, back, pace)
        if back.problems:  # what they are about was left as it is; the rest is better there than not
            remedy = "Correct every line above, then deploy again."
            raise Failure(f"going back to record {goal.header.number}", "\n".join(back.problems), remedy)
    except Unavailable:
        raise
    except Failure as failure:
        pace.check()  # without the lock, or the cluster, it is not known whether the rollback failed
        record.close(client, home, header, "failed", cause=failure.cause)
        raise
    record.close(client, home, header, "good")
    _tidy(client, home)
    return header.number


def _tidy(client: Client, home: str) -> None:
    """Delete the expired records. What cannot be deleted now is deleted after the next change: this one has succeeded."""
    with suppress(Failure):
        for header in record.expired(record.history(client, home)):
            record.forget(client, home, header)
