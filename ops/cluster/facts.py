"""What is there: live objects, what each apply would make of them, the records, the Secrets. Nothing here writes."""

from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import Future
from copy import deepcopy
from dataclasses import dataclass, field
from functools import partial

from ops.catalog.model import Catalog
from ops.catalog.names import OWNED
from ops.cluster import dryrun, history, lock, needs, record
from ops.cluster.dryrun import DryRun
from ops.cluster.history import History
from ops.cluster.record import Header
from ops.cluster.unwanted import KindPlace, Listed, Unwanted, unwanted
from ops.kube import references
from ops.kube.client import Client
from ops.kube.discovery import Resource
from ops.kube.objects import Key, Object, group_of, key_of, number, table, text


@dataclass(frozen=True, slots=True, kw_only=True)
class ClusterFacts:
    """Everything a plan is made from. `cluster` is the cluster's own id, `namespaces` are those that are there (None: not known).

    `unknown`: wanted objects whose kind the cluster does not know. `missing`: Secrets and keys that pods need. `unset`: variables that
    the catalogue of this checkout requires, and containers would not get. `named`: what wanted objects name, and is not wanted itself.
    """

    cluster: str
    dry_runs: tuple[DryRun, ...]
    unwanted: tuple[Unwanted, ...] = ()
    history: History = field(default_factory=History)
    namespaces: frozenset[str] | None = None
    replica_sets: tuple[Object, ...] = ()  # that still have pods
    unknown: tuple[Key, ...] = ()
    missing: tuple[str, ...] = ()
    unset: tuple[str, ...] = ()
    named: references.ReferencesFound = field(default_factory=references.ReferencesFound)


@dataclass(frozen=True, slots=True)
class _Answers:
    """What is asked of the cluster at the beginning, all at the same time."""

    namespaces: "Future[Mapping[str, Object]]"
    headers: "Future[tuple[Header, ...]]"
    secrets: "Mapping[needs.SecretPlace, Future[Object | None]]"
    lists: "Mapping[KindPlace, Future[list[Object]]]"
    replica_sets: "Sequence[Future[list[Object]]]"

    def listed(self) -> Listed:
        """The live objects with our label."""
        return Listed({key_of(o): o for answer in self.lists.values() for o in answer.result()}, frozenset(self.lists))

    def with_pods(self) -> tuple[Object, ...]:
        """The ReplicaSets that still have pods."""
        sets = (one for answer in self.replica_sets for one in answer.result())
        return tuple(s for s in sets if number(s, "spec", "replicas") or number(s, "status", "replicas"))


def gather(catalog: Catalog, client: Client, objects: Sequence[Object], made_up: Sequence[Object] = ()) -> ClusterFacts:
    """Look at the cluster. Everything that can be asked at once is asked at once.

    Of the Secrets `made_up`, those are wanted that pods need and the cluster does not have.
    """
    home = catalog.namespaces[0]
    objects = [deepcopy(o) for o in objects]
    known, unknown = _sort_out(client, objects)
    answers = _ask(client, home, objects, known)
    made = _needed(made_up, answers)
    objects, known = [*objects, *made], [*known, *made]
    namespaces = answers.namespaces.result()
    cluster = text(namespaces.get("kube-system"), "metadata", "uid")
    secrets = _secrets(objects, answers, cluster)
    for manifest in known:
        needs.stamp(manifest, secrets)

    headers = answers.headers.result()
    records = history.start(client, home, headers)
    listed = answers.listed()
    looks = client.each(lambda m: dryrun.look(client, m, listed.objects.get(key_of(m)), namespaces), known)
    held = record.unfinished(headers) is not None and lock.held(client, home)
    before = history.of(headers, [one.result() for one in records], held=held)
    dry_runs = dryrun.decided(client, looks, before)
    asked = {one.key for one in dry_runs if one.asked}
    fresh = {one.key for one in dry_runs if one.live is None}
    return ClusterFacts(
        cluster=cluster,
        dry_runs=dry_runs,
        unwanted=unwanted(client, listed, {key_of(o) for o in objects}, before),
        history=before,
        namespaces=frozenset(namespaces),
        replica_sets=answers.with_pods(),
        unknown=tuple(unknown),
        missing=tuple(needs.missing_secrets(known, secrets)),
        unset=tuple(needs.missing_variables(catalog, known, secrets)),
        named=references.look(client, known, asked, fresh, namespaces),
    )


def cluster_id(client: Client) -> str:
    """What tells one cluster from every other: the uid of its oldest namespace."""
    return text(client.request("GET", "/api/v1/namespaces/kube-system"), "metadata", "uid")


def _ask(client: Client, home: str, objects: Sequence[Object], known: Sequence[Object]) -> _Answers:
    """Begin to ask what does not depend on other answers. `home` is the namespace of the records."""
    namespaces, secret, replica_set = (_kind(client, *kind) for kind in (("v1", "Namespace"), ("v1", "Secret"), ("apps/v1", "ReplicaSet")))
    places = sorted({place for o in objects for place in needs.secrets_of(o)})
    deployed = sorted({text(o, "metadata", "namespace") for o in objects if text(o, "kind") == "Deployment"})
    return _Answers(
        namespaces=client.start(lambda: {text(n, "metadata", "name"): n for n in client.find(namespaces)}),
        headers=client.start(lambda: record.history(client, home)),
        secrets={place: client.start(partial(client.get, secret, *place)) for place in places},
        lists=_start_lists(client, known),
        replica_sets=[client.start(partial(client.find, replica_set, namespace)) for namespace in deployed],
    )


def _kind(client: Client, api_version: str, kind: str) -> Resource:
    return client.resource_of({"apiVersion": api_version, "kind": kind})


def _sort_out(client: Client, objects: Sequence[Object]) -> tuple[list[Object], list[Key]]:
    """The objects whose kind this cluster knows, or will know by a definition among them; and the keys of the rest."""
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


def _needed(made_up: Sequence[Object], answers: _Answers) -> list[Object]:
    """The made-up Secrets that pods need and the cluster does not have."""
    return [s for s in made_up if (answer := answers.secrets.get((key_of(s).namespace, key_of(s).name))) and answer.result() is None]


def _secrets(objects: Iterable[Object], answers: _Answers, cluster: str) -> dict[needs.SecretPlace, needs.SecretFound]:
    """The Secrets that exist, or that this deploy makes. Their values are not passed on: only the names of keys and a hash."""
    found: dict[needs.SecretPlace, needs.SecretFound] = {}
    for place, answer in answers.secrets.items():
        secret = answer.result()
        if secret is not None:
            found[place] = needs.SecretFound(frozenset(table(secret, "data")), needs.digest(secret, cluster))
    for manifest in objects:
        key = key_of(manifest)
        if key.kind == "Secret":
            keys = frozenset({*table(manifest, "data"), *table(manifest, "stringData")})
            found[key.namespace, key.name] = needs.SecretFound(keys, needs.digest(manifest, cluster))
        elif key.kind == "SealedSecret":
            found[key.namespace, key.name] = needs.SecretFound(
                frozenset(table(manifest, "spec", "encryptedData")), needs.sealed_digest(manifest)
            )
    return found


def _start_lists(client: Client, known: Iterable[Object]) -> "dict[KindPlace, Future[list[Object]]]":
    """Live objects with our label, one list for each kind and namespace: cheaper than a request for each object."""
    places = {(text(o, "apiVersion"), text(o, "kind"), text(o, "metadata", "namespace")) for o in known}
    swept = (("v1", "ConfigMap"), ("batch/v1", "Job"))
    places |= {(*kind, namespace) for kind in swept for _, _, namespace in places if namespace}
    kinds = [(resource, namespace) for version, kind, namespace in sorted(places) if (resource := client.resource(version, kind))]
    return {(r.kind, group_of(r.api_version), n): client.start(partial(client.find, r, n, labels=OWNED)) for r, n in kinds}
