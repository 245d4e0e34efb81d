"""What runs in an environment, why what should run does not, and in what the rest is not as it was deployed."""

from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial

from ops.catalog.model import Catalog
from ops.catalog.names import OWNED
from ops.cluster import lock, record
from ops.cluster.record import Header
from ops.cluster.unchanged import unchanged
from ops.kube.byhand import halted, leaving
from ops.kube.client import Client
from ops.kube.discovery import Resource
from ops.kube.errors import ApiError
from ops.kube.excerpt import excerpt
from ops.kube.objects import WORKLOADS, Key, Object, containers_of, key_of, number, owned_by, pod_template, rows, text
from ops.kube.readiness import Done, Failed, State, Stuck, Surroundings, Waiting, cronjob, judge

_EVER = datetime.min.replace(tzinfo=UTC)
_ROWS = (*WORKLOADS, "CronJob")
_AROUND = (("v1", "Pod"), ("apps/v1", "ReplicaSet"))
_BEHIND = (("v1", "PersistentVolumeClaim"), ("v1", "Event"))  # what tells why something is not ready
_PATHS = 3  # so many fields of an object that differs are named
GONE = "it is gone: the next deploy makes it again"
ListPlace = tuple[str, str, str]  # apiVersion, kind, namespace


@dataclass(frozen=True, slots=True)
class WorkloadRow:
    """One workload, or a job with a schedule. `age` in seconds, `why` empty when it is ready; `runs`: how a job's last runs ended."""

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
    runs: str = ""


@dataclass(frozen=True, slots=True)
class Flaw:
    """An object of the last good record that is not there, or is not as that record has it."""

    key: Key
    why: str


@dataclass(frozen=True, slots=True)
class EnvironmentStatus:
    """The workloads of an environment, its last good record, and what of it is not so.

    `unfinished` is a record without an end (`held`: its deploy is under way), `failed` one that failed and after which nothing came.
    """

    rows: tuple[WorkloadRow, ...]
    last: Header | None
    unfinished: Header | None
    held: bool = False
    failed: Header | None = None
    missing: tuple[Flaw, ...] = ()
    differs: tuple[Flaw, ...] = ()

    @property
    def well(self) -> bool:
        """Whether everything is ready, and as it was deployed."""
        cut = self.unfinished is not None and not self.held
        return not (cut or self.failed or self.missing or self.differs or any(row.why for row in self.rows))


def status(catalog: Catalog, client: Client) -> EnvironmentStatus:
    """Ask the cluster once; nothing is watched. What can be asked at once is asked at once."""
    home = catalog.namespaces[0]
    asked = client.start(partial(record.history, client, home))
    lists: dict[ListPlace, Future[list[Object]]] = {}
    _list(client, (("apps/v1", kind, n) for n in catalog.namespaces for kind in WORKLOADS), lists)
    headers = asked.result()
    good, cut = record.last_good(headers), record.unfinished(headers)
    held = client.start(partial(lock.held, client, home)) if cut else None
    wanted = record.load(client, home, good).objects if good else ()
    _list(client, ((text(o, "apiVersion"), text(o, "kind"), text(o, "metadata", "namespace")) for o in wanted), lists)
    around = {n: [client.start(partial(client.find, kind, n)) for kind in _kinds(client, _AROUND)] for n in _used(catalog, lists)}
    live = {key_of(o): o for pending in lists.values() for o in pending.result()}
    found = [row for n in around for row in _rows(client, n, live, [pending.result() for pending in around[n]])]
    flaws = [flaw for flaw in client.each(partial(_flaw, client, live, frozenset(good.mutated if good else ())), wanted) if flaw]
    found += [_gone(o) for o in wanted if any(f.why == GONE and f.key == key_of(o) and f.key.kind in WORKLOADS for f in flaws)]
    return EnvironmentStatus(
        tuple(found),
        good,
        cut,
        held is not None and held.result(),
        record.given_up(headers),
        tuple(f for f in flaws if f.why == GONE and f.key.kind not in WORKLOADS),
        tuple(f for f in flaws if f.why != GONE),
    )


def _kinds(client: Client, kinds: Iterable[tuple[str, str]]) -> list[Resource]:
    return [resource for version, kind in kinds if (resource := client.resource(version, kind))]


def _list(client: Client, places: Iterable[ListPlace], lists: "dict[ListPlace, Future[list[Object]]]") -> None:
    """Begin to list what deploys made, one list for each kind and namespace."""
    for place in places:
        resource = client.resource(place[0], place[1])
        if resource is not None and place not in lists:
            lists[place] = client.start(partial(client.find, resource, place[2], labels=OWNED))


def _used(catalog: Catalog, lists: "Mapping[ListPlace, Future[list[Object]]]") -> list[str]:
    """The namespaces that have workloads or scheduled jobs of ours."""
    found = {namespace for (_, kind, namespace), asked in lists.items() if kind in _ROWS and asked.result()}
    return [namespace for namespace in catalog.namespaces if namespace in found]


def _flaw(client: Client, live: Mapping[Key, Object], mutated: frozenset[str], wanted: Object) -> Flaw | None:
    """What is not as the record has it. A Job ran, and may be gone; of a Secret the record knows no values. What the API server
    itself changes at each request (`mutated`) is no difference."""
    key = key_of(wanted)
    if key.kind == "Job":
        return None
    resource = client.resource(text(wanted, "apiVersion"), key.kind)
    if resource is None:
        return Flaw(key, f"this cluster does not know the kind {key.kind} any more")
    there = live.get(key) or client.get(resource, key.namespace, key.name)
    if there is None:
        return Flaw(key, GONE)
    if why := leaving(there):
        return Flaw(key, why)
    if "keys" in wanted or unchanged(wanted, there):
        return None
    fields = [field for field in _differing(client, resource, wanted, there) if f"{key.written} {field}" not in mutated]
    more = f" and {len(fields) - _PATHS} more" if len(fields) > _PATHS else ""
    return Flaw(key, f"it differs in {', '.join(fields[:_PATHS])}{more}") if fields else None


def _differing(client: Client, resource: Resource, wanted: Object, live: Object) -> list[str]:
    """In which fields an object differs from what was deployed: where its managed fields do not tell, the API server is asked."""
    from ops.cluster.applying import apply, conflicts
    from ops.kube.diff import differences, quiet

    try:
        after = apply(client, resource, wanted, dry_run=True)
    except ApiError as error:
        return [
            f"{field.path} (set by {field.manager})" for field in conflicts(error)
        ]  # without the right to a dry run, differences are not known
    return [difference.path for difference in differences(quiet(live), quiet(after))]


def _gone(manifest: Object) -> WorkloadRow:
    """A workload of the last good record as a row, for when it is not there any more."""
    key = key_of(manifest)
    wanted = number(manifest, "spec", "replicas", default=1)
    return WorkloadRow(key.kind, key.namespace, key.name, 0, wanted, (), 0, 0, GONE)


def _rows(client: Client, namespace: str, live: Mapping[Key, Object], around: Sequence[list[Object]]) -> list[WorkloadRow]:
    """The workloads of a namespace. What claims and events say is asked for only where something is not ready."""
    pods, sets = around
    scene = Surroundings(client.now(), _EVER, pods, sets)
    workloads = [o for key, o in sorted(live.items()) if key.kind in _ROWS and key.namespace == namespace]
    states = [judge(workload, scene) for workload in workloads]
    if not all(isinstance(state, Done) for state in states):
        claims, events = client.each(partial(client.find, namespace=namespace), _kinds(client, _BEHIND))
        scene = Surroundings(client.now(), _EVER, pods, sets, claims, events)
        states = [judge(workload, scene) for workload in workloads]
    runs = _runs(client, namespace, workloads)
    return [
        _scheduled(client, workload, cronjob.runs(workload, scene, runs))
        if key_of(workload).kind == "CronJob"
        else _row(client, workload, scene, state)
        for workload, state in zip(workloads, states, strict=True)
    ]


def _runs(client: Client, namespace: str, workloads: Sequence[Object]) -> list[Object]:
    """The Jobs of a namespace, where something there makes them."""
    kinds = _kinds(client, (("batch/v1", "Job"),)) if any(key_of(o).kind == "CronJob" for o in workloads) else []
    return client.find(kinds[0], namespace) if kinds else []


def _scheduled(client: Client, manifest: Object, runs: Sequence[cronjob.Run]) -> WorkloadRow:
    """A job with a schedule: what its last runs say. `ready`: how many run now."""
    key, failed = key_of(manifest), cronjob.trouble(runs)
    why, lines = _why(client, manifest, failed or Done())
    images = tuple(text(container, "image") for container in containers_of(pod_template(manifest) or {}))
    active = len(rows(manifest, "status", "active"))
    return WorkloadRow(
        key.kind, key.namespace, key.name, active, 0, images, 0, round(runs[0].age) if runs else 0, why, lines, cronjob.told(runs)
    )


def _row(client: Client, workload: Object, scene: Surroundings, state: State) -> WorkloadRow:
    template = pod_template(workload) or {}
    pods = _pods(workload, scene)
    why, lines = _why(client, workload, state)
    key = key_of(workload)
    daemons = key.kind == "DaemonSet"
    return WorkloadRow(
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


def _pods(workload: Object, scene: Surroundings) -> list[Object]:
    uid = text(workload, "metadata", "uid")
    owners = [uid, *(text(r, "metadata", "uid") for r in scene.replica_sets if owned_by(r, uid))]
    return [pod for owner in owners for pod in scene.pods_of(owner)]


def _why(client: Client, workload: Object, state: State) -> tuple[str, tuple[str, ...]]:
    if words := halted(workload):
        return words, ()
    match state:
        case Done():
            return "", ()
        case Waiting(reason) | Stuck(reason=reason):
            return reason, ()
        case Failed(cause, log):
            return cause, tuple(excerpt(client, log)) if log else ()
