"""What runs in an environment, and why what should run does not."""

from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial

from ops.catalog.model import Catalog
from ops.cluster import lock, record
from ops.cluster.byhand import halted
from ops.cluster.client import Client
from ops.cluster.excerpt import excerpt
from ops.cluster.objects import OWNED, WORKLOADS, Object, containers_of, key_of, number, owned_by, pod_template, rows, text
from ops.cluster.readiness import Done, Failed, Scene, Stuck, Waiting, judge
from ops.cluster.record import Header

_EVER = datetime.min.replace(tzinfo=UTC)
_WORKLOADS = (("apps/v1", "Deployment"), ("apps/v1", "StatefulSet"), ("apps/v1", "DaemonSet"))


@dataclass(frozen=True, slots=True)
class Row:
    """One workload. `age` in seconds, `why` empty when it is ready."""

    kind: str
    namespace: str
    name: str
    ready: int
    wanted: int
    images: tuple[str, ...]
    restarts: int
    age: int
    why: str = ""
    log: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Status:
    """The workloads of an environment, its last record, and one without an end (`held`: its deploy is under way)."""

    rows: tuple[Row, ...]
    last: Header | None
    unfinished: Header | None
    held: bool = False


def status(catalog: Catalog, client: Client) -> Status:
    """Ask the cluster once; nothing is watched."""
    kinds = [resource for version, kind in _WORKLOADS if (resource := client.resource(version, kind))]
    around = [
        r
        for v, k in (("v1", "Pod"), ("apps/v1", "ReplicaSet"), ("v1", "PersistentVolumeClaim"), ("v1", "Event"))
        if (r := client.resource(v, k))
    ]
    owned = {n: [client.start(partial(client.find, r, n, labels=OWNED)) for r in kinds] for n in catalog.namespaces}
    other = {n: [client.start(partial(client.find, r, n)) for r in around] for n in catalog.namespaces}
    headers = record.history(client, catalog.namespaces[0])
    good = record.last_good(headers)
    wanted = client.start(partial(record.load, client, catalog.namespaces[0], good)) if good else None
    found: list[Row] = []
    for namespace in catalog.namespaces:
        pods, sets, claims, events = (pending.result() for pending in other[namespace])
        scene = Scene(client.now(), _EVER, pods, sets, claims, events)
        workloads = [o for pending in owned[namespace] for o in pending.result()]
        found += [_row(client, o, scene) for o in sorted(workloads, key=key_of)]
    there = {(row.kind, row.namespace, row.name) for row in found}
    gone = [_gone(o) for o in (wanted.result().objects if wanted else ()) if text(o, "kind") in WORKLOADS]
    found += [row for row in gone if (row.kind, row.namespace, row.name) not in there]
    cut = record.unfinished(headers)
    return Status(tuple(found), good, cut, cut is not None and lock.held(client, catalog.namespaces[0]))


def _gone(manifest: Object) -> Row:
    """A workload of the last good record as a row, for when it is not there any more."""
    key = key_of(manifest)
    wanted = number(manifest, "spec", "replicas", default=1)
    return Row(key.kind, key.namespace, key.name, 0, wanted, (), 0, 0, "it is gone: the next deploy makes it again")


def _row(client: Client, workload: Object, scene: Scene) -> Row:
    template = pod_template(workload) or {}
    pods = _pods(workload, scene)
    why, lines = _why(client, workload, scene)
    key = key_of(workload)
    daemons = key.kind == "DaemonSet"
    return Row(
        key.kind,
        key.namespace,
        key.name,
        number(workload, "status", "numberReady" if daemons else "readyReplicas"),
        number(workload, "status", "desiredNumberScheduled") if daemons else number(workload, "spec", "replicas", default=1),
        tuple(text(container, "image") for container in containers_of(template)),
        sum(number(status, "restartCount") for pod in pods for status in rows(pod, "status", "containerStatuses")),
        round(scene.seconds_since(min((text(p, "metadata", "creationTimestamp") for p in pods), default=""))),
        why,
        lines,
    )


def _pods(workload: Object, scene: Scene) -> list[Object]:
    uid = text(workload, "metadata", "uid")
    owners = [uid, *(text(r, "metadata", "uid") for r in scene.replica_sets if owned_by(r, uid))]
    return [pod for owner in owners for pod in scene.pods_of(owner)]


def _why(client: Client, workload: Object, scene: Scene) -> tuple[str, tuple[str, ...]]:
    if words := halted(workload):
        return words, ()
    match judge(workload, scene):
        case Done():
            return "", ()
        case Waiting(reason) | Stuck(reason=reason):
            return reason, ()
        case Failed(cause, log):
            return cause, tuple(excerpt(client, log)) if log else ()
