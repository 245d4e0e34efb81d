"""A change of an environment that is under way: what it consists of, and how its record begins and ends."""

from contextlib import suppress
from dataclasses import dataclass

from ops.catalog.model import Catalog
from ops.cluster import record
from ops.cluster.apply import Pace
from ops.cluster.decide import generated_config_maps
from ops.cluster.plan import Plan
from ops.cluster.record import Header, Record, together
from ops.cluster.schema import schema_hash
from ops.cluster.step import Step
from ops.errors import Failure
from ops.kube.client import Client
from ops.kube.order import Phase


@dataclass(frozen=True, slots=True)
class Change:
    """One change: the plan that is applied, how it is applied, and `who` applies it."""

    catalog: Catalog
    client: Client
    plan: Plan
    pace: Pace
    who: str

    @property
    def home(self) -> str:
        """The namespace of the lock and the records."""
        return self.catalog.namespaces[0]


def begin(change: Change) -> Header:
    """Write the record before the first change, so that a deploy that is cut off leaves a trace of what it was doing."""
    client, home, plan, origin = change.client, change.home, change.plan, change.plan.origin
    number = plan.base + 1
    if plan.unfinished:
        left = next(h for h in record.history(client, home) if h.number == plan.unfinished.record)
        record.close(client, home, left, "abandoned", cause=f"cut off; taken over by record {number}")
    header = Header(
        number=number,
        kind=origin.kind,
        environment=origin.environment,
        who=change.who,
        commit=origin.commit,
        started=record.stamp(client),
        version=origin.version,
        target=origin.target,
        schema=schema_hash(together(origin.earlier, origin.migrations)),
        wanted=plan.wanted,
        keeps=generated_config_maps(plan.manifests),
        migrates=any(step.action != "unchanged" for step in migration_jobs(plan)),
        adopted=plan.adopted,
        removed=plan.removed,
        mutated=plan.mutated,
    )
    return record.write(client, home, Record(header, plan.manifests, origin.digests, origin.migrations, origin.earlier, plan.warned))


def migration_jobs(plan: Plan) -> list[Step]:
    """The steps that run migrations."""
    return [step for step in plan.steps if step.phase is Phase.MIGRATION]


def tidy(change: Change) -> None:
    """Delete the expired records. What cannot be deleted now is deleted after the next change: this one has succeeded."""
    with suppress(Failure):
        for header in record.expired(record.history(change.client, change.home)):
            record.forget(change.client, change.home, header)
