"""More or fewer replicas: the autoscaler's bounds where there is one, else the workload's own number.

A change like any other: planned, applied under the lock, recorded. The next deploy's plan shows that it would undo it.
"""

from collections.abc import Iterable
from copy import deepcopy
from dataclasses import replace

from ops.catalog.model import Catalog
from ops.cluster import record
from ops.cluster.plan import Origin, Plan
from ops.cluster.prepare import prepare
from ops.cluster.schema import unsafe_behind
from ops.cluster.target import target_of
from ops.errors import Refused, UsageError
from ops.guess import did_you_mean
from ops.kube.client import Client
from ops.kube.objects import SCALED, Object, containers_of, key_of, number, pod_template, table, text


def plan_scale(catalog: Catalog, client: Client, name: str, *, least: int, most: int | None = None) -> Plan:
    """What scaling a workload to `least` (and at most `most`) replicas would change.

    Without `most`, an autoscaler keeps its upper bound, unless that is below `least`.
    Raises `Refused` when nothing was deployed yet, `UsageError` for a workload that the last good record does not have.
    """
    check_range(name, least, most)
    home = catalog.namespaces[0]
    headers = record.history(client, home)
    header = record.last_good(headers)
    if header is None:
        raise Refused(f"scaling {name}", "nothing has been deployed here", "Run `invoke deploy` first.")
    goal, newest = record.load(client, home, header), record.load(client, home, headers[-1])
    unsafe = unsafe_behind(newest.schema, goal.migrations)
    if unsafe:
        cause = f"record {newest.header.number} did not end well, and the code of record {header.number} cannot run on its schema:"
        raise Refused(f"scaling {name}", "\n".join([cause, *unsafe]), "Go forward with a deploy first.")
    objects = tuple(deepcopy(o) for o in goal.objects)
    _scale(objects, name, least, most)
    origin = Origin(
        "scale",
        target_of(client).environment.name,
        record.stamp(client),
        header.commit,
        header.version,
        digests=goal.digests,
        migrations=goal.migrations,
    )
    plan = prepare(catalog, client, origin, objects)
    return replace(plan, warnings=(*plan.warnings, *_store_warnings(catalog, origin.environment, objects, name, least)))


def check_range(name: str, least: int, most: int | None = None) -> None:
    """Raise `UsageError` for a number of replicas below 1, or a range that ends before it begins."""
    if least < 1 or (most is not None and most < least):
        raise UsageError(
            f"scaling {name}", f"{least} to {most or least} is no range of replicas", "Give 1 or more, the smaller number first."
        )


def _store_warnings(catalog: Catalog, environment: str, objects: Iterable[Object], name: str, least: int) -> list[str]:
    """A warning where the workload is a store of the catalogue that is a single server in this environment, and does not replicate."""
    images = {store.image: store.name for store in catalog.stores.values() if store.profiles.get(environment) != "replicated"}
    stores = [
        (key_of(workload), images[text(container, "image")])
        for workload in objects
        if text(workload, "kind") in SCALED and text(workload, "metadata", "name") == name
        for container in containers_of(pod_template(workload) or {})
        if text(container, "image") in images
    ]
    return [
        f"{key}: {store} is one server without replication: {least} pods are {least} separate stores, each with data of its own, "
        "and each connection of a client may reach another one"
        for key, store in dict(stores).items()
        if least > 1
    ]


def _scale(objects: tuple[Object, ...], name: str, least: int, most: int | None) -> None:
    """Change the one object that decides how many replicas there are."""
    for scaler in objects:
        reference = table(scaler, "spec", "scaleTargetRef")
        if text(scaler, "kind") == "HorizontalPodAutoscaler" and text(reference, "name") == name:
            spec = table(scaler, "spec")
            spec["minReplicas"] = least
            spec["maxReplicas"] = max(least, number(spec, "maxReplicas")) if most is None else most
            return
    for workload in objects:
        if text(workload, "kind") in SCALED and text(workload, "metadata", "name") == name:
            if most not in (None, least):
                raise UsageError(f"scaling {name}", "it has no autoscaler, so it has one number of replicas", "Leave the upper bound out.")
            table(workload, "spec")["replicas"] = least
            return
    known = sorted(key_of(o).name for o in objects if text(o, "kind") in SCALED)
    raise UsageError(
        f"scaling {name}",
        f"nothing of that name was deployed{did_you_mean(name, known)}; there is: {', '.join(known)}",
        "Name one of them.",
    )
