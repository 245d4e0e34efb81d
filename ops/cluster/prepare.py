"""Facts, then a plan: for the deploy of an overlay, and for a rollback or a change of scale."""

from collections.abc import Sequence
from dataclasses import replace

from ops.catalog.model import Catalog
from ops.cluster import record
from ops.cluster.facts import gather
from ops.cluster.plan import Origin, Plan, make_plan
from ops.cluster.record import RecordedMigration, together
from ops.cluster.rights import missing_rights
from ops.cluster.schema import migrations_of, unreadable_data
from ops.cluster.target import target_of
from ops.kube.client import Client
from ops.kube.objects import Object
from ops.manifests.render import Rendered, mark


def plan_deploy(
    catalog: Catalog,
    client: Client,
    rendered: Rendered,
    *,
    migrations: Sequence[RecordedMigration] | None = None,
    commit: str = "",
    version: str = "",
    made_up: Sequence[Object] = (),
) -> Plan:
    """What deploying the rendered overlay would change. `made_up` are Secrets that are made where the cluster has none.

    `migrations` are those that the code knows; None means the checkout's.
    """
    origin = Origin(
        "deploy",
        target_of(client).environment.name,
        record.stamp(client),
        commit,
        version,
        digests=rendered.digests,
        migrations=migrations_of(catalog) if migrations is None else tuple(migrations),
    )
    for manifest in made_up:
        mark(manifest, origin.environment)
    return prepare(catalog, client, origin, rendered.objects, made_up)


def prepare(catalog: Catalog, client: Client, origin: Origin, objects: Sequence[Object], made_up: Sequence[Object] = ()) -> Plan:
    """What would have to change for these objects to be there. Nothing is written.

    A record holds no Secret's values, so a Secret that a record names is left as it is.
    """
    wanted = [o for o in objects if not (o.get("kind") == "Secret" and "keys" in o)]
    stores = frozenset(store.image for store in catalog.stores.values())
    facts = gather(catalog, client, wanted, made_up)
    earlier = together(*(r.schema for r in facts.history.records))
    plan = make_plan(replace(origin, earlier=earlier), facts, stores, rehearsal=target_of(client).rehearsal)
    # On the way back nothing is held against the store: what is there may be the very deploy that failed for its data.
    unreadable = unreadable_data(catalog, facts.dry_runs) if origin.kind == "deploy" else []
    return replace(plan, problems=(*plan.problems, *unreadable, *missing_rights(client, plan, catalog.namespaces[0])))
