"""One wanted object as the cluster sees it: what is there, and what applying it would make of that. Nothing here writes."""

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace

from ops.cluster import ownership
from ops.cluster.applying import Conflict, apply, conflicts, validate
from ops.cluster.history import History
from ops.cluster.unchanged import unchanged
from ops.documents import Json
from ops.kube.client import ApiError, Client
from ops.kube.discovery import Resource
from ops.kube.immutable import explained
from ops.kube.objects import Key, Object, at, key_of, rows, table, text

DRY_RUN_NAMESPACE = "default"  # where an object is validated whose namespace is not there yet


@dataclass(frozen=True, slots=True)
class DryRun:
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
    def key(self) -> Key:
        """The object's key."""
        return key_of(self.wanted)

    @property
    def asked(self) -> bool:
        """Whether the API server was asked what an apply would make: not where that is known to be what is there."""
        return self.live is None or self.after is not self.live


@dataclass(frozen=True, slots=True)
class Contested:
    """A wanted object with fields that another manager owns: whether they are taken back, the records tell."""

    wanted: Object
    live: Object | None
    conflicts: tuple[Conflict, ...]
    inherits: bool = False


def look(client: Client, wanted: Object, live: Object | None, namespaces: Collection[str]) -> DryRun | Contested:
    """One object: what is there, and what applying it would make of it. `live`: where it is known; `namespaces`: those that are there."""
    key = key_of(wanted)
    resource = client.resource(text(wanted, "apiVersion"), key.kind)
    if resource is None:
        return DryRun(wanted, None, None)  # its definition comes with this deploy
    if resource.namespaced and key.namespace not in namespaces:
        refusal = _validated_elsewhere(client, resource, wanted) if key.namespace else "it names no namespace"
        return DryRun(wanted, None, None, refusal=refusal)
    live = live or client.get(resource, key.namespace, key.name)
    if live is not None and (key.kind == "Job" or unchanged(wanted, live)):  # a Job of the same content is the same Job
        return DryRun(wanted, live, live)
    return _tried(client, resource, wanted, live)


def decided(client: Client, looks: Sequence[DryRun | Contested], history: History) -> tuple[DryRun, ...]:
    """The dry runs, with what the records decide of each: the fields that are taken back, and the warnings from when it was applied."""
    manifests, warned = history.manifests, history.warned
    found = [one if isinstance(one, DryRun) else take_back(client, one, manifests) for one in looks]
    return tuple(replace(one, warnings=_warnings(client, one) if one.asked else warned.get(one.key, ())) for one in found)


def take_back(client: Client, contest: Contested, manifests: Mapping[Key, Sequence[Object]]) -> DryRun:
    """Decide on fields that another manager owns: those that the last good record, or one since, had are taken back."""
    former = manifests.get(key_of(contest.wanted), ())
    foreign = [c for c in contest.conflicts if not any(has_field(o, c.path) for o in former)]
    if foreign:
        fields = ", ".join(f"{c.path} (owned by {c.manager})" for c in foreign)
        return DryRun(contest.wanted, contest.live, None, refusal=f"another manager owns {fields}")
    try:
        after = apply(client, client.resource_of(contest.wanted), contest.wanted, dry_run=True, force=True)
    except ApiError as error:
        return DryRun(contest.wanted, contest.live, None, refusal=explained(error, contest.wanted, contest.live))
    tried = DryRun(contest.wanted, contest.live, after, contest.conflicts)
    return _inheriting(tried) if contest.inherits else tried


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


def _tried(client: Client, resource: Resource, wanted: Object, live: Object | None) -> DryRun | Contested:
    """What an apply would make of an object, by the API server's dry run."""
    inherited = ownership.kubectls(live) if live else set()
    try:
        tried = DryRun(wanted, live, apply(client, resource, wanted, dry_run=True))
        return _inheriting(tried) if inherited else tried
    except ApiError as error:
        found = conflicts(error)
        foreign = tuple(c for c in found if c.manager not in inherited)
        if foreign:
            return Contested(wanted, live, foreign, bool(inherited))
        if not found:
            return DryRun(wanted, live, None, refusal=explained(error, wanted, live))
    try:  # what kubectl owns becomes ours before it is applied
        return _inheriting(DryRun(wanted, live, apply(client, resource, wanted, dry_run=True, force=True)))
    except ApiError as error:
        return DryRun(wanted, live, None, refusal=explained(error, wanted, live))


def _inheriting(tried: DryRun) -> DryRun:
    """The dry run of an object that `kubectl apply` made, whose fields become ours."""
    after = None if tried.after is None else ownership.without_left(tried.after)
    return replace(tried, after=after, inherits=True)


def _warnings(client: Client, tried: DryRun) -> tuple[str, ...]:
    """What the API server warned of when it was asked about an object."""
    key, resource = tried.key, client.resource(text(tried.wanted, "apiVersion"), text(tried.wanted, "kind"))
    if resource is None:
        return ()
    path = resource.path(DRY_RUN_NAMESPACE) if tried.live is None and tried.after is None else resource.path(key.namespace, key.name)
    return client.warnings_at(path)


def _validated_elsewhere(client: Client, resource: Resource, wanted: Object) -> str:
    """Validate an object whose namespace is still to be made, in one that exists: the API server checks it and keeps nothing."""
    metadata: Object = {**table(wanted, "metadata"), "namespace": DRY_RUN_NAMESPACE}
    try:
        validate(client, resource, {**wanted, "metadata": metadata})
    except ApiError as error:
        # 403, 409: what that namespace allows and holds says nothing about ours.
        return error.message if error.status in (400, 422) else ""
    return ""
