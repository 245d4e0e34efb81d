"""The way back after a change that failed: to the last good record, where there is one and its code can run on the schema."""

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace

from ops.cluster import leftovers, record
from ops.cluster.apply import apply_plan
from ops.cluster.change import Change, begin, migration_jobs, tidy
from ops.cluster.plan import Plan
from ops.cluster.prepare import prepare
from ops.cluster.record import Header, Record, together
from ops.cluster.rollback import origin_of
from ops.cluster.schema import unsafe_behind
from ops.cluster.target import target_of
from ops.errors import Exit, Failure, RolledBack
from ops.kube.broken import objects_of
from ops.kube.client import Client, Unavailable
from ops.kube.objects import Key
from ops.kube.progress import Notice


def undo(change: Change, header: Header, failure: Failure) -> Failure:
    """Go back after a failure, and return what is to be raised: the failure comes first, also where the cluster fails meanwhile.

    `header` is that of the change's own record, which is closed as failed. Raises `KeyboardInterrupt` where Ctrl-C interrupts it.
    """
    try:
        return _undo(change, header, failure)
    except KeyboardInterrupt as interrupt:
        left = f"interrupted while going back: record {header.number} failed ({failure.cause.partition(chr(10))[0]})"
        raise KeyboardInterrupt(f"{left}; `invoke rollback` goes back, `invoke status` shows what is there") from interrupt
    except Unavailable as second:
        cause = f"{failure.cause}\nGoing back was cut off: {second.cause}"
        return Failure(failure.doing, cause, f"{second.remedy} `invoke rollback` goes back then.", details=failure.details)


def is_last_resort(client: Client, plan: Plan, home: str) -> bool:
    """Whether a failure of this plan has no good record to go back to: then all of it is done that can be."""
    headers = record.history(client, home)
    last = record.last_good(headers)
    if plan.origin.kind != "rollback" or last is None:
        return False
    goal = next((h for h in headers if h.number == plan.origin.target), last)
    return record.source(headers, last) in (record.source(headers, goal), *record.failed_goals(headers))


def restore(change: Change, goal: Record) -> int:
    """Apply a record's objects, under the lock that is held already; returns the number of the new record.

    Raises `Failure` also where that could be done in part only.
    """
    client, home = change.client, change.home
    plan = prepare(change.catalog, client, origin_of(client, goal), goal.objects)
    back = replace(change, plan=plan, pace=replace(change.pace, thorough=True))
    back.pace.check()
    header = begin(back)
    try:
        apply_plan(client, plan, back.pace)
        if plan.problems:  # what they are about was left as it is; the rest is better there than not
            remedy = "Correct every line above, then deploy again."
            raise Failure(f"going back to record {goal.header.number}", "\n".join(plan.problems), remedy)
    except Unavailable:
        raise
    except Failure as failure:
        back.pace.check()  # without the lock, or the cluster, it is not known whether the rollback failed
        record.close(client, home, header, "failed", cause=failure.cause)
        raise
    record.close(client, home, header, "good")
    tidy(back)
    return header.number


def _undo(change: Change, header: Header, failure: Failure) -> Failure:
    """Choose where to go back to, if anywhere. Returns what is to be raised."""
    client, plan, home = change.client, change.plan, change.home
    header = replace(header, migrates=header.migrates and _migrated(client, plan))
    record.close(client, home, header, "failed", cause=failure.cause)
    failure.details["record"] = header.number
    headers = record.history(client, home)
    goal_header = record.last_good(headers)
    if goal_header is None:
        remedy = f"{failure.remedy} There is no earlier good record to go back to: what was applied is still there."
        return _stays(change, failure, remedy)
    if record.source(headers, goal_header) in record.failed_goals(headers):
        return _stays(change, failure, _offer(client, headers), _not_again(headers, goal_header))
    goal = record.load(client, home, goal_header)
    schema = together(plan.origin.earlier, plan.origin.migrations if header.migrates else ())
    unsafe = unsafe_behind(schema, goal.migrations)
    if unsafe:
        return _stays(change, failure, failure.remedy, "Not rolled back: the former code cannot run on the new schema:", *unsafe)
    change.pace.tell(Notice(Key("record", "", str(header.number)), "failed", f"going back to record {goal_header.number}"))
    return _to(goal, change, failure)


def _to(goal: Record, change: Change, failure: Failure) -> Failure:
    """Go back to a record, with what a failed change leaves besides its objects. Returns what is to be raised."""
    client, home, number = change.client, change.home, goal.header.number
    left = leftovers.stop_jobs(client, change.catalog.namespaces, change.pace)
    try:
        restored = restore(change, goal)
        left += leftovers.remove_claims(client, change.plan, change.pace)
    except Unavailable:
        raise
    except Failure as second:
        cause = "\n".join([failure.cause, f"Going back to record {number} failed too: {second.cause}", *left])
        objects = {"objects": [*objects_of(failure), *objects_of(second)]}
        return Failure(failure.doing, cause, _offer(client, record.history(client, home)), details={**failure.details, **objects})
    cause = "\n".join([failure.cause, *left, f"Record {number} is there again (as record {restored})."])
    return RolledBack(failure.doing, cause, failure.remedy, code=Exit.ROLLED_BACK, details={**failure.details, "restored": number})


def _stays(change: Change, failure: Failure, remedy: str, *why: str) -> Failure:
    """A failure after which nothing is gone back to: why, and what is left running or waiting."""
    with suppress(Failure):  # the cluster may be what has failed
        why = (*why, *leftovers.clear(change.client, change.catalog.namespaces, change.plan, change.pace))
    return Failure(failure.doing, "\n".join([failure.cause, *why]), remedy, details=failure.details)


def _not_again(headers: Sequence[Header], goal: Header) -> str:
    number = record.failed_goals(headers)[record.source(headers, goal)]
    return f"Record {goal.number} is not gone back to: that failed already (record {number})."


def _offer(client: Client, headers: Sequence[Header]) -> str:
    """What to do when the last good record could not be reached."""
    goal = record.way_back(headers)
    if goal is None:
        return "Correct the cause, and deploy again: there is no good record before it."
    command = f"invoke rollback {target_of(client).flags} --to {goal.number}"
    return f"`{command}` goes to the good record before it; or correct the cause, and deploy again."


def _migrated(client: Client, plan: Plan) -> bool:
    """Whether the plan's migrations may have run: no only where the cluster says that it has none of the plan's Jobs."""
    try:
        return any((kind := client.by_key(s.key)) and client.get(kind, s.key.namespace, s.key.name) for s in migration_jobs(plan))
    except Failure:
        return True
