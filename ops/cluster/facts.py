"""What is there: live objects, what each apply would make of them, the records, the Secrets. Nothing here writes."""

import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from concurrent.futures import Future
from copy import deepcopy
from dataclasses import dataclass, field, replace
from datetime import timedelta
from functools import partial

from ops.catalog.model import Catalog
from ops.catalog.names import OWNED
from ops.cluster import lock, needs, ownership, record
from ops.cluster.applying import Conflict, apply, conflicts
from ops.cluster.record import Header, Record
from ops.cluster.unchanged import unchanged
from ops.kube import references
from ops.kube.client import ApiError, Client, Resource
from ops.kube.immutable import explained
from ops.kube.objects import Json, Key, Object, at, group_of, key_of, labels_of, number, rows, table, text
from ops.kube.order import KEPT
from ops.kube.readiness.state import parse_time

_CLOCKS = timedelta(seconds=5)  # by which a record's time and the API server's may differ
_Place = tuple[str, str, str]  # kind, group, namespace
DRY_RUN_NAMESPACE = "default"  # where an object is validated whose namespace is not there yet


@dataclass(frozen=True, slots=True)
class Sight:
    """One wanted object as the cluster sees it. `after` is what applying it would make; None when that could not be asked.

    `conflicts`: fields of ours that others have set, and that the apply takes back. `refusal`: why the API server refuses it.
    `inherits`: the fields that `kubectl apply` owns become ours, and are removed where the manifest lacks them.
    `warnings`: what the API server warned of; for an object that was not `asked` about now, when it was applied.
    """

    wanted: Object
    live: Object | None
    after: Object | None
    conflicts: tuple[Conflict, ...] = ()
    refusal: str = ""
    inherits: bool = False
    warnings: tuple[str, ...] = ()

    @property
    def asked(self) -> bool:
        """Whether the API server was asked what an apply would make: not where that is known to be what is there."""
        return self.live is None or self.after is not self.live


@dataclass(frozen=True, slots=True)
class Leftover:
    """What is there with our label, and is not wanted now. `released`: what is left of it without our fields; None when it need not
    stay, or cannot be without them."""

    live: Object
    released: Object | None = None


@dataclass(frozen=True, slots=True)
class Facts:
    """Everything a plan is made from. `cluster` is the cluster's own id."""

    cluster: str
    sights: tuple[Sight, ...]
    others: tuple[Leftover, ...]
    history: tuple[Header, ...]
    last: Record | None  # the last good record
    trail: tuple[Record, ...]  # those after it: they failed, or never came to their end
    unknown: tuple[Key, ...] = ()  # their kinds are not known here
    missing: tuple[str, ...] = ()  # Secrets and keys that pods need
    unset: tuple[str, ...] = ()  # variables that the catalogue of this checkout requires, and containers would not get
    replica_sets: tuple[Object, ...] = ()  # that still have pods
    held: bool = False  # the deploy whose record has no end yet holds the lock
    adopted: frozenset[Key] = frozenset()  # others made them, before a deploy had them
    stirred: frozenset[str] = frozenset()  # the fields that the API server changed by itself when a deploy applied their objects
    named: references.Found = field(default_factory=references.Found)  # by wanted objects, and not wanted themselves
    namespaces: frozenset[str] | None = None  # that are there


def gather(catalog: Catalog, client: Client, objects: Sequence[Object], made_up: Sequence[Object] = ()) -> Facts:
    """Look at the cluster. Everything that can be asked at once is asked at once.

    Of the Secrets `made_up`, those are wanted that pods need and the cluster does not have.
    """
    home = catalog.namespaces[0]
    objects = [deepcopy(o) for o in objects]
    known, unknown = _sort_out(client, objects)
    namespaces = client.start(lambda: {text(n, "metadata", "name"): n for n in client.find(_kind(client, "v1", "Namespace"))})
    headers = client.start(lambda: record.history(client, home))
    secrets = _start_secrets(client, objects)
    lists = _start_lists(client, known)
    sets = [
        client.start(partial(client.find, _kind(client, "apps/v1", "ReplicaSet"), n))
        for n in sorted({text(o, "metadata", "namespace") for o in objects if text(o, "kind") == "Deployment"})
    ]
    made = [s for s in made_up if (answer := secrets.get((key_of(s).namespace, key_of(s).name))) and answer.result() is None]
    objects, known = [*objects, *made], [*known, *made]
    cluster = text(namespaces.result().get("kube-system"), "metadata", "uid")
    found = _secrets(objects, secrets, cluster)
    for manifest in known:
        needs.stamp(manifest, found)

    good = record.last_good(headers.result())
    recent = [h for h in headers.result() if good is None or h.number >= good.number]
    records = [client.start(partial(record.load, client, home, h)) for h in recent]
    live = {key_of(o): o for pending in lists.values() for o in pending.result()}
    looks = client.each(lambda m: _look(client, m, live.get(key_of(m)), frozenset(namespaces.result())), known)
    trail = [r.result() for r in records]
    last = trail.pop(0) if good else None
    before: dict[Key, list[Object]] = {}
    warned: dict[Key, tuple[str, ...]] = {}
    for key, manifest, former in ((key_of(o), o, r) for r in (last, *trail) if r for o in r.objects):
        before.setdefault(key, []).append(manifest)
        warned[key] = former.warned.get(key.written, ())
    sights = tuple(look if isinstance(look, Sight) else _take_back(client, look, before) for look in looks)
    sights = tuple(replace(s, warnings=_warnings(client, s) if s.asked else warned.get(key_of(s.wanted), ())) for s in sights)
    wanted = {key_of(o) for o in objects}
    asked = {key_of(s.wanted) for s in sights if s.asked}
    fresh = {key_of(s.wanted) for s in sights if s.live is None}
    adopted = frozenset(key for r in (last, *trail) if r for key in r.header.adopted_keys)
    others = [
        other
        for other in _others(client, live, before, wanted, last, listed=frozenset(lists))
        if ownership.partners(other, adopted=key_of(other) in adopted) or not _older(other, last, trail)
    ]
    return Facts(
        cluster,
        sights,
        tuple(client.each(lambda o: _leftover(client, o, adopted), others)),
        headers.result(),
        last,
        tuple(trail),
        tuple(unknown),
        tuple(needs.missing_secrets(known, found)),
        tuple(needs.missing_variables(catalog, known, found)),
        tuple(s for pending in sets for s in pending.result() if number(s, "spec", "replicas") or number(s, "status", "replicas")),
        record.unfinished(headers.result()) is not None and lock.held(client, home),
        adopted,
        frozenset(field for r in (last, *trail) if r for field in r.header.stirred),
        references.look(client, known, asked, fresh, namespaces.result()),
        frozenset(namespaces.result()),
    )


def cluster_id(client: Client) -> str:
    """What tells one cluster from every other: the uid of its oldest namespace."""
    return text(client.request("GET", "/api/v1/namespaces/kube-system"), "metadata", "uid")


def _kind(client: Client, api_version: str, kind: str) -> Resource:
    return client.resource_of({"apiVersion": api_version, "kind": kind})


def _sort_out(client: Client, objects: Iterable[Object]) -> tuple[list[Object], list[Key]]:
    """The objects whose kind this cluster knows, or will know by a definition among them; and the keys of the rest."""
    objects = list(objects)
    defined = {
        (text(o, "spec", "group"), text(o, "spec", "names", "kind")) for o in objects if text(o, "kind") == "CustomResourceDefinition"
    }
    known, unknown = [], []
    for manifest in objects:
        key = key_of(manifest)
        if client.resource(text(manifest, "apiVersion"), key.kind) or (key.group, key.kind) in defined:
            known.append(manifest)
        else:
            unknown.append(key)
    return known, unknown


def _start_secrets(client: Client, objects: Iterable[Object]) -> "dict[needs.Place, Future[Object | None]]":
    places = sorted({place for o in objects for place in needs.secrets_of(o)})
    kind = _kind(client, "v1", "Secret")
    return {place: client.start(partial(client.get, kind, *place)) for place in places}


def _secrets(
    objects: Iterable[Object], pending: "Mapping[needs.Place, Future[Object | None]]", cluster: str
) -> dict[needs.Place, needs.Found]:
    """The Secrets that exist, or that this deploy makes. Their values are not passed on: only the names of keys and a hash."""
    found: dict[needs.Place, needs.Found] = {}
    for place, answer in pending.items():
        secret = answer.result()
        if secret is not None:
            found[place] = needs.Found(frozenset(table(secret, "data")), needs.digest(secret, cluster))
    for manifest in objects:
        key = key_of(manifest)
        if key.kind == "Secret":
            keys = frozenset({*table(manifest, "data"), *table(manifest, "stringData")})
            found[key.namespace, key.name] = needs.Found(keys, needs.digest(manifest, cluster))
        elif key.kind == "SealedSecret":
            found[key.namespace, key.name] = needs.Found(frozenset(table(manifest, "spec", "encryptedData")), needs.sealed_digest(manifest))
    return found


def _start_lists(client: Client, known: Iterable[Object]) -> "dict[_Place, Future[list[Object]]]":
    """Live objects with our label, one list for each kind and namespace: cheaper than a request for each object."""
    places = {(text(o, "apiVersion"), text(o, "kind"), text(o, "metadata", "namespace")) for o in known}
    swept = (("v1", "ConfigMap"), ("batch/v1", "Job"))
    places |= {(*kind, namespace) for kind in swept for _, _, namespace in places if namespace}
    kinds = [(resource, namespace) for version, kind, namespace in sorted(places) if (resource := client.resource(version, kind))]
    return {(r.kind, group_of(r.api_version), n): client.start(partial(client.find, r, n, labels=OWNED)) for r, n in kinds}


@dataclass(frozen=True, slots=True)
class _Contested:
    wanted: Object
    live: Object | None
    conflicts: tuple[Conflict, ...]
    inherits: bool = False


def _look(client: Client, wanted: Object, live: Object | None, namespaces: frozenset[str]) -> Sight | _Contested:
    """One object: what is there, and what applying it would make of it."""
    key = key_of(wanted)
    resource = client.resource(text(wanted, "apiVersion"), key.kind)
    if resource is None:
        return Sight(wanted, None, None)  # its definition comes with this deploy
    if resource.namespaced and key.namespace not in namespaces:
        refusal = _validated_elsewhere(client, resource, wanted) if key.namespace else "it names no namespace"
        return Sight(wanted, None, None, refusal=refusal)
    live = live or client.get(resource, key.namespace, key.name)
    if live is not None and (key.kind == "Job" or unchanged(wanted, live)):  # a Job of the same content is the same Job
        return Sight(wanted, live, live)
    return _tried(client, resource, wanted, live)


def _tried(client: Client, resource: Resource, wanted: Object, live: Object | None) -> Sight | _Contested:
    """What an apply would make of an object, by the API server's dry run."""
    inherited = ownership.kubectls(live) if live else set()
    try:
        return _seen(wanted, live, apply(client, resource, wanted, dry_run=True), inherits=bool(inherited))
    except ApiError as error:
        found = conflicts(error)
        foreign = tuple(c for c in found if c.manager not in inherited)
        if foreign:
            return _Contested(wanted, live, foreign, bool(inherited))
        if not found:
            return Sight(wanted, live, None, refusal=explained(error, wanted, live))
    try:  # what kubectl owns becomes ours before it is applied
        return _seen(wanted, live, apply(client, resource, wanted, dry_run=True, force=True), inherits=True)
    except ApiError as error:
        return Sight(wanted, live, None, refusal=explained(error, wanted, live))


def _seen(wanted: Object, live: Object | None, after: Object, conflicts: tuple[Conflict, ...] = (), *, inherits: bool) -> Sight:
    return Sight(wanted, live, ownership.without_left(after) if inherits else after, conflicts, inherits=inherits)


def _warnings(client: Client, sight: Sight) -> tuple[str, ...]:
    """What the API server warned of when it was asked about an object."""
    key, resource = key_of(sight.wanted), client.resource(text(sight.wanted, "apiVersion"), text(sight.wanted, "kind"))
    if resource is None:
        return ()
    tried = resource.path(DRY_RUN_NAMESPACE) if sight.live is None and sight.after is None else resource.path(key.namespace, key.name)
    return client.warnings_at(tried)


def _validated_elsewhere(client: Client, resource: Resource, wanted: Object) -> str:
    """Validate an object whose namespace is still to be made, in one that exists: the API server checks it and keeps nothing."""
    metadata: Object = {**table(wanted, "metadata"), "namespace": DRY_RUN_NAMESPACE}
    try:
        query = {"dryRun": "All", "fieldValidation": "Strict"}
        client.request("POST", resource.path(DRY_RUN_NAMESPACE), query, body={**wanted, "metadata": metadata})
    except ApiError as error:
        # 403, 409: what that namespace allows and holds says nothing about ours.
        return error.message if error.status in (400, 422) else ""
    return ""


def _take_back(client: Client, contest: _Contested, before: Mapping[Key, Sequence[Object]]) -> Sight:
    """Decide on fields that another manager owns: those that the last good record, or one since, had are taken back."""
    former = before.get(key_of(contest.wanted), ())
    foreign = [c for c in contest.conflicts if not any(has_field(o, c.path) for o in former)]
    if foreign:
        fields = ", ".join(f"{c.path} (owned by {c.manager})" for c in foreign)
        return Sight(contest.wanted, contest.live, None, refusal=f"another manager owns {fields}")
    try:
        after = apply(client, client.resource_of(contest.wanted), contest.wanted, dry_run=True, force=True)
    except ApiError as error:
        return Sight(contest.wanted, contest.live, None, refusal=explained(error, contest.wanted, contest.live))
    return _seen(contest.wanted, contest.live, after, contest.conflicts, inherits=contest.inherits)


def has_field(manifest: Json, path: str) -> bool:
    """Whether a manifest has a field, by a path as the API server writes it: `.spec.containers[name="web"].image`.

    A name in the path may have dots of its own (`.metadata.labels.app.kubernetes.io/name`): every name that fits is tried.
    """
    if not path:
        return True
    if path.startswith("."):
        rest = path[1:]
        fitting = [k for k in manifest if rest == k or rest.startswith((f"{k}.", f"{k}["))] if isinstance(manifest, dict) else []
        return any(has_field(at(manifest, k), rest[len(k) :]) for k in fitting)
    selector, _, rest = path[1:].partition("]")
    pairs = dict(re.findall(r'(\w+)="?([^",]*)"?', selector))
    if not pairs:  # a value of a set, such as a finalizer
        return isinstance(manifest, list) and selector.strip('="') in manifest
    return any(has_field(row, rest) for row in rows(manifest) if all(str(row.get(k)) == v for k, v in pairs.items()))


def _others(
    client: Client,
    live: Mapping[Key, Object],
    before: Collection[Key],
    wanted: set[Key],
    last: Record | None = None,
    *,
    listed: Collection[_Place] = (),
) -> list[Object]:
    """What is there by earlier deploys and is not wanted now: what the last records had or deleted, and older ConfigMaps and Jobs.

    What `live` does not have is asked for, where its place was not `listed`.
    """
    former = {*before, *(last.header.removed_keys if last else ())}
    gone = [key for key in former if key not in wanted]
    found = [o for key, o in live.items() if key not in wanted and (key in former or key.kind in ("ConfigMap", "Job"))]
    unseen = [key for key in gone if (key.kind, key.group, key.namespace) not in listed and key not in live and key.kind not in KEPT]
    answers = client.each(lambda key: client.get(r, key.namespace, key.name) if (r := client.by_key(key)) else None, unseen)
    return found + [o for o in answers if o is not None and OWNED in labels_of(o)]  # without our label it is not ours to delete


def _leftover(client: Client, live: Object, adopted: Collection[Key]) -> Leftover:
    """An object that others made or apply too stays; `released` is what remains of it without our fields."""
    key = key_of(live)
    if not ownership.ours(live) or key.kind in KEPT or not ownership.partners(live, adopted=key in adopted):
        return Leftover(live)
    try:
        return Leftover(live, apply(client, client.resource_of(live), ownership.bare(live), dry_run=True))
    except ApiError:
        return Leftover(live)


def _older(live: Object, last: Record | None, trail: Sequence[Record]) -> bool:
    """Whether an object existed before the failed deploys, which are the only ones that had it: they took it over, and did not make it."""
    key = key_of(live)
    if last and key in last.keys:
        return False
    first = next((r.header.started for r in trail if key in r.keys), "")
    made = text(live, "metadata", "creationTimestamp")
    return bool(first and made) and parse_time(made) < parse_time(first) - _CLOCKS
