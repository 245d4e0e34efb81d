"""Facts, then a plan: for the deploy of an overlay, and for whatever else wants certain objects in the cluster."""

from ops.catalog.model import Catalog
from ops.cluster import record
from ops.cluster.client import Client
from ops.cluster.facts import gather
from ops.cluster.objects import Object
from ops.cluster.plan import Origin, Plan, make_plan
from ops.cluster.render import Rendered
from ops.cluster.schema import migrations_of


def plan_deploy(catalog: Catalog, client: Client, rendered: Rendered, *, commit: str = "", version: str = "") -> Plan:
    """What deploying the rendered overlay would change."""
    origin = Origin(
        "deploy",
        client.target.environment.name,
        record.stamp(client),
        commit,
        version,
        digests=rendered.digests,
        migrations=migrations_of(catalog),
    )
    return prepare(catalog, client, origin, rendered.objects)


def prepare(catalog: Catalog, client: Client, origin: Origin, objects: tuple[Object, ...]) -> Plan:
    """What would have to change for these objects to be there. Nothing is written.

    A record holds no Secret's values, so a Secret that a record names is left as it is.
    """
    wanted = [o for o in objects if not (o.get("kind") == "Secret" and "keys" in o)]
    stores = frozenset(store.image for store in catalog.stores.values())
    return make_plan(origin, gather(catalog, client, wanted), stores, rehearsal=client.target.rehearsal)
