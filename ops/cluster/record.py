"""What happened, kept in the cluster: one record a change, so that a rollback needs nothing but the cluster.

A record is the JSON of its objects, digests and circumstances, gzipped, in Secrets `nextai-record-NNNNNN.PART` of type
`nextai-agent.com/record.v1`. Part 0 carries the header in its metadata and is written last: a record that was not
written to its end does not exist. A Secret's data never enters a record.
"""

import base64
import gzip
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Final, Literal

from ops.kube.client import MERGE, ApiError, Client
from ops.kube.objects import Key, Object, annotations_of, key_from, key_of, labels_of, rows, table, text, texts
from ops.kube.write import create, delete, patch
from ops.secret import hide

TYPE: Final = "nextai-agent.com/record.v1"
PREFIX: Final = "nextai-agent.com/record-"
NUMBER: Final = PREFIX + "number"
OUTCOME: Final = PREFIX + "outcome"
PART_BYTES: Final = 900 * 1024  # a Secret holds 1 MiB
KEEP: Final = 10
METADATA_ONLY: Final = "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1"

ChangeKind = Literal["deploy", "rollback", "scale"]
Outcome = Literal["running", "good", "failed", "abandoned"]


@dataclass(frozen=True, slots=True)
class RecordedMigration:
    """A migration that the release knows: its file's name and sha256, and the statements in it that take something away."""

    tag: str
    hash: str
    contracts: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Header:
    """A record without its body. Times are RFC 3339, UTC. `target` is the record that a rollback went to."""

    number: int
    kind: ChangeKind
    environment: str
    who: str
    commit: str
    started: str
    outcome: Outcome = "running"
    finished: str = ""
    cause: str = ""
    version: str = ""
    target: int = 0
    schema: str = ""  # sha256 over the migrations' hashes
    wanted: str = ""  # fingerprint of the objects
    parts: int = 1
    keeps: tuple[str, ...] = ()  # the generated ConfigMaps (namespace/name) that a rollback to here needs
    migrates: bool = True  # its own migrations may have been run
    adopted: tuple[str, ...] = ()  # the objects (`Key.written`) that others made before a deploy had them
    removed: tuple[str, ...] = ()  # the objects that its deploy deleted, or that were still on their way out
    mutated: tuple[str, ...] = ()  # the fields, each after its object's key, that the API server changed by itself

    @property
    def adopted_keys(self) -> tuple[Key, ...]:
        """The keys of what others made."""
        return tuple(map(key_from, self.adopted))

    @property
    def removed_keys(self) -> tuple[Key, ...]:
        """The keys of what its deploy deleted."""
        return tuple(map(key_from, self.removed))


@dataclass(frozen=True, slots=True)
class Record:
    """A header with its body: objects without Secret data, digests, and which Secrets the objects had.

    `migrations` are those that its code knows, `earlier` those that the database may have had before it. `warned`: what the API
    server warned of each object (`Key.written`) when it was asked about it last.
    """

    header: Header
    objects: tuple[Object, ...]
    digests: Mapping[str, str] = field(default_factory=dict)
    migrations: tuple[RecordedMigration, ...] = ()
    earlier: tuple[RecordedMigration, ...] = ()
    warned: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    @property
    def schema(self) -> tuple[RecordedMigration, ...]:
        """The migrations that the database may have after it."""
        return together(self.earlier, self.migrations if self.header.migrates else ())

    @property
    def keys(self) -> set[Key]:
        """The keys of its objects."""
        return {key_of(o) for o in self.objects}


def history(client: Client, namespace: str) -> tuple[Header, ...]:
    """The headers of all records, oldest first. Only metadata is read."""
    path = f"/api/v1/namespaces/{namespace}/secrets"
    query = {"labelSelector": NUMBER}
    answer = client.request("GET", path, query, accept=METADATA_ONLY)
    return tuple(sorted((_header(item) for item in rows(answer, "items")), key=lambda header: header.number))


def load(client: Client, namespace: str, header: Header) -> Record:
    """A record with its body."""

    def part(index: int) -> bytes:
        secret = client.request("GET", f"/api/v1/namespaces/{namespace}/secrets/{_name(header.number, index)}")
        return base64.b64decode(text(secret, "data", "part"))

    document: Object = json.loads(gzip.decompress(b"".join(map(part, range(header.parts)))))
    digests = {k: v for k, v in table(document, "digests").items() if isinstance(v, str)}
    warned = {key: tuple(texts(document, "warned", key)) for key in table(document, "warned")}
    migrations = migrations_in(document, "migrations")
    earlier = migrations_in(document, "earlier" if "earlier" in document else "met")  # "met": its name in records before 2026-12
    return Record(header, tuple(rows(document, "objects")), digests, migrations, earlier, warned)


def migrations_in(document: Object, name: str) -> tuple[RecordedMigration, ...]:
    """Migrations as a record, or a plan, writes them down."""
    return tuple(RecordedMigration(text(m, "tag"), text(m, "hash"), tuple(texts(m, "contracts"))) for m in rows(document, name))


def together(*releases: Sequence[RecordedMigration]) -> tuple[RecordedMigration, ...]:
    """The migrations of all these, each once."""
    return tuple({m.hash: m for release in releases for m in release}.values())


def write(client: Client, namespace: str, record: Record) -> Header:
    """Write a record (outcome as in its header) and return the header as written."""
    body: Object = {
        "objects": [without_secrets(o) for o in record.objects],
        "digests": dict(record.digests),
        "migrations": [asdict(m) for m in record.migrations],
        "earlier": [asdict(m) for m in record.earlier],
        "warned": {key: [*words] for key, words in record.warned.items()},
    }
    packed = gzip.compress(json.dumps(body, separators=(",", ":")).encode(), mtime=0)
    parts = [packed[i : i + PART_BYTES] for i in range(0, len(packed), PART_BYTES)]
    header = replace(record.header, parts=len(parts))
    for index, part in reversed(list(enumerate(parts))):
        metadata: Object = {"name": _name(header.number, index), "namespace": namespace}
        if index == 0:
            metadata |= _metadata(header)
        secret: Object = {
            "apiVersion": "v1",
            "kind": "Secret",
            "type": TYPE,
            "immutable": True,
            "metadata": metadata,
            "data": {"part": base64.b64encode(part).decode()},
        }
        try:
            create(client, f"/api/v1/namespaces/{namespace}/secrets", secret)
        except ApiError as error:
            if error.status != 409 or index == 0:
                raise
            # A part that was left by a record whose deploy was cut off.
            delete(client, f"/api/v1/namespaces/{namespace}/secrets/{_name(header.number, index)}")
            create(client, f"/api/v1/namespaces/{namespace}/secrets", secret)
    return header


def close(client: Client, namespace: str, header: Header, outcome: Outcome, *, cause: str = "") -> Header:
    """Write a record's end into its header."""
    done = replace(header, outcome=outcome, finished=stamp(client), cause=hide(cause)[:4000])
    path = f"/api/v1/namespaces/{namespace}/secrets/{_name(header.number, 0)}"
    patch(client, path, {"metadata": _metadata(done)}, MERGE)
    return done


def stamp(client: Client) -> str:
    """The time, as records write it."""
    return client.now().strftime("%Y-%m-%dT%H:%M:%SZ")


def expired(headers: Sequence[Header]) -> list[Header]:
    """The records that may be deleted: all but the newest ten, the last good one, and those that a rollback may go to."""
    last, goal = last_good(headers), way_back(headers)
    good = [h.number for h in (last, goal, *(before(headers, h) for h in (last, goal) if h)) if h]
    newest = {h.number for h in sorted(headers, key=lambda h: h.number)[-KEEP:]}
    return [h for h in headers if h.number not in newest and h.number not in good and h.outcome != "running"]


def forget(client: Client, namespace: str, header: Header) -> None:
    """Delete a record, its header first."""
    for index in range(header.parts):
        delete(client, f"/api/v1/namespaces/{namespace}/secrets/{_name(header.number, index)}")


def last_good(headers: Sequence[Header], *, before: int | None = None) -> Header | None:
    """The newest good record, or the newest good one before a number."""
    good = [h for h in headers if h.outcome == "good" and (before is None or h.number < before)]
    return max(good, key=lambda h: h.number, default=None)


def source(headers: Sequence[Header], header: Header) -> int:
    """The number of the record whose objects a record has: its own, or for a rollback that of what it went back to."""
    known = {h.number: h for h in headers}
    number = header.number
    while number in known and known[number].target:
        number = known[number].target
    return number


def before(headers: Sequence[Header], header: Header) -> Header | None:
    """Where a rollback from a record goes: the good record before it. One to which a rollback has failed is passed over."""
    lost = failed_goals(headers)
    return last_good([h for h in headers if source(headers, h) not in lost], before=source(headers, header))


def way_back(headers: Sequence[Header]) -> Header | None:
    """Where a rollback from a failure goes: the last good record, or the one before it where a rollback to that has failed."""
    last = last_good(headers)
    return before(headers, last) if last and source(headers, last) in failed_goals(headers) else last


def failed_goals(headers: Sequence[Header]) -> Mapping[int, int]:
    """The records to which a rollback failed, and that were not good since; each with the number of the rollback that failed."""
    found: dict[int, int] = {}
    for header in sorted(headers, key=lambda h: h.number):
        if header.target and header.outcome == "failed":
            found[source(headers, header)] = header.number
        elif header.outcome == "good":
            found.pop(source(headers, header), None)
    return found


def unfinished(headers: Sequence[Header]) -> Header | None:
    """The newest record, when its deploy has not ended, or was cut off."""
    newest = max(headers, key=lambda h: h.number, default=None)
    return newest if newest is not None and newest.outcome == "running" else None


def given_up(headers: Sequence[Header]) -> Header | None:
    """The newest record, when it failed and no rollback followed."""
    newest = max(headers, key=lambda h: h.number, default=None)
    return newest if newest is not None and newest.outcome in ("failed", "abandoned") else None


def without_secrets(manifest: Object) -> Object:
    """The object as a record may hold it: a Secret keeps the names of its keys and loses their values."""
    if text(manifest, "kind") != "Secret":
        return manifest
    bare = {k: v for k, v in manifest.items() if k not in ("data", "stringData")}
    return {**bare, "keys": [*sorted({*table(manifest, "data"), *table(manifest, "stringData")})]}


def _name(number: int, part: int) -> str:
    return f"nextai-record-{number:06d}.{part}"


def _metadata(header: Header) -> Object:
    values = asdict(header)
    values["keeps"] = ",".join(header.keeps)
    labels: Object = {NUMBER: str(header.number), OUTCOME: header.outcome, PREFIX + "kind": header.kind}
    annotations: Object = {PREFIX + "header": json.dumps(values, separators=(",", ":"))}
    return {"labels": labels, "annotations": annotations}


def _header(item: Object) -> Header:
    values = json.loads(annotations_of(item)[PREFIX + "header"])
    values["keeps"] = tuple(k for k in values["keeps"].split(",") if k)
    values.setdefault("mutated", values.get("stirred", ()))  # its name in records before 2026-12
    for name in ("adopted", "removed", "mutated"):
        values[name] = tuple(values.get(name, ()))
    known = {k: v for k, v in values.items() if k in Header.__slots__}
    return Header(**{**known, "outcome": labels_of(item)[OUTCOME]})
