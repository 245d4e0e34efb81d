"""A change of an environment, from beginning to end: plan → lock → apply → watch → verify → record. What failed is undone in `undo`."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from ops.catalog.model import Catalog
from ops.cluster import leftovers, record
from ops.cluster.apply import PHASE_SECONDS, Pace, apply_plan, check_unmoved
from ops.cluster.change import Change, begin, tidy
from ops.cluster.facts import cluster_id
from ops.cluster.lock import hold, whoami
from ops.cluster.plan import Plan, check_environment
from ops.cluster.record import Header
from ops.cluster.target import target_of
from ops.cluster.undo import is_last_resort, undo
from ops.errors import Failure, Refused
from ops.kube.client import Client, Unavailable
from ops.kube.objects import Key
from ops.kube.progress import Notice, Tell


@dataclass(frozen=True, slots=True)
class ChangeResult:
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
) -> ChangeResult:
    """Apply a plan, and nothing else. `verify` may raise `Failure`: then the change has failed.

    Writes nothing when there is nothing to do. Raises `Refused` for a plan that may not be applied or is stale, and when
    another deploy holds the lock; `RolledBack` when it failed and the last good record is there again; `Failure` when it
    failed and there is nothing to go back to.
    """
    _admit(client, plan)
    if plan.empty:
        return ChangeResult("nothing")
    home, who = catalog.namespaces[0], who or whoami()
    made = _make_home(client, plan, home, tell)
    with hold(client, home, who) as lock:
        _check_base(client, plan, home)
        check_unmoved(client, plan, made)
        lock.check()
        pace = Pace(tell, lock.check, seconds, thorough=is_last_resort(client, plan, home))
        change = Change(catalog, client, plan, pace, who)
        header = begin(change)
        try:
            _carry_out(change, verify)
            lock.check()
            record.close(client, home, header, "good")
        except Unavailable as failure:
            raise _cut_off(header, failure) from failure
        except Failure as failure:
            if lock.lost:
                raise
            raise undo(change, header, failure) from failure
        except KeyboardInterrupt as interrupt:
            left = f"interrupted: what was applied keeps running in the cluster, and record {header.number} has no end"
            raise KeyboardInterrupt(f"{left}; `invoke deploy` finishes it or takes its place, `invoke rollback` goes back") from interrupt
        tidy(change)
    return ChangeResult("done", header.number, len(plan.changes), _resumed(plan))


def _carry_out(change: Change, verify: Callable[[], None] | None) -> None:
    """Apply the plan, and verify what it has made. Raises `Failure` where the change has failed."""
    if change.plan.origin.kind == "rollback":
        leftovers.stop_jobs(change.client, change.catalog.namespaces, change.pace)
    apply_plan(change.client, change.plan, change.pace)
    if verify:
        verify()


def _cut_off(header: Header, failure: Unavailable) -> Failure:
    """An unreachable cluster says nothing about the release itself: that is no reason to roll back, and no way to do it."""
    left = f"What was applied keeps running in the cluster, and record {header.number} has no end: `invoke deploy` finishes it."
    remedy = f"{failure.remedy} {left}"
    return Unavailable(failure.doing, failure.cause, remedy, details={**failure.details, "record": header.number})


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


def _resumed(plan: Plan) -> str:
    if not plan.unfinished:
        return ""
    did = "finished it" if plan.unfinished.same else "took its place and undid what is not wanted"
    return f"record {plan.unfinished.record} by {plan.unfinished.who} was cut off: this deploy {did}"
