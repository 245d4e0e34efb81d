"""Going back: the same plan and the same apply, with the objects of a record. No migration is run, and none is undone."""

from collections.abc import Iterator, Sequence
from dataclasses import replace

from ops.catalog.model import Catalog
from ops.cluster import record
from ops.cluster.leftovers import running_jobs
from ops.cluster.plan import Origin, Plan
from ops.cluster.prepare import prepare
from ops.cluster.record import Header, Record
from ops.cluster.schema import unsafe_behind
from ops.cluster.target import target_of
from ops.errors import Refused, UsageError
from ops.kube.client import Client
from ops.kube.objects import key_of


def plan_rollback(catalog: Catalog, client: Client, *, to: int = 0) -> Plan:
    """What going back to a record would change: to record `to`, or to the one before what runs now.

    After a change that failed or was cut off, that is the last good record. A record to which a rollback has failed is passed over.
    Raises `UsageError` when there is no such record, `Refused` when a migration lies between that takes something away.
    """
    home = catalog.namespaces[0]
    headers = record.history(client, home)
    header = goal_of(headers, to)
    goal = record.load(client, home, header)
    newest = record.load(client, home, headers[-1])
    unsafe = unsafe_behind(newest.schema, goal.migrations)
    if unsafe:
        raise Refused(
            f"going back to record {header.number}",
            "\n".join(["its code cannot run on the schema that is there now:", *unsafe]),
            "Go forward with a fix instead, or restore the database from its snapshot.",
        )
    decided = prepare(catalog, client, origin_of(client, goal), goal.objects)
    more = [] if to else [*_passed_over(headers, header)]
    more += [f"{key_of(job)}: it still runs, and is stopped" for job in running_jobs(client, catalog.namespaces)]
    return replace(decided, warnings=(*more, *decided.warnings))


def _passed_over(headers: Sequence[Header], goal: Header) -> Iterator[str]:
    """Which newer records a rollback does not go to, since that failed already."""
    good = {h.number for h in headers if h.outcome == "good"}
    for number, failure in sorted(record.failed_goals(headers).items()):
        if number > record.source(headers, goal) and number in good:
            yield f"record {number} is passed over: a rollback to it failed (record {failure}); `--to {number}` tries again"


def origin_of(client: Client, goal: Record) -> Origin:
    """Where a plan that restores `goal` comes from. The schema stays as it is: a rollback runs no migration."""
    header = goal.header
    return Origin(
        "rollback",
        target_of(client).environment.name,
        record.stamp(client),
        header.commit,
        header.version,
        header.number,
        goal.digests,
        goal.migrations,
    )


def goal_of(headers: Sequence[Header], to: int) -> Header:
    """The record to go back to. Raises `UsageError` when `to` is no record, `Refused` when there is none to go back to."""
    if to:
        named = next((h for h in headers if h.number == to), None)
        if named is None or named.outcome != "good":
            good = ", ".join(str(h.number) for h in headers if h.outcome == "good") or "none"
            doing, remedy = f"going back to record {to}", f"Name a good one: {good}."
            if named is None:
                raise UsageError(doing, "there is no such record", remedy)
            raise Refused(doing, f"it ended as {named.outcome}", remedy)
        return named
    last = record.last_good(headers)
    left = max(headers, key=lambda h: h.number, default=None) is not last
    goal = record.way_back(headers) if left or last is None else record.before(headers, last)
    if goal is None:
        raise Refused("going back", "there is no earlier good record", "See `invoke history`.")
    return goal
