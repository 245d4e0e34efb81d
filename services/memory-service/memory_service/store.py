"""Memories in Milvus. Every question to the collection is asked here, and none can be asked without naming a user."""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING
from uuid import UUID, uuid4

from nextai_service_kit import milvus
from nextai_service_kit.connection import StoreUnavailable
from nextai_service_kit.milvus import CALL

from memory_service.embedding import Embedder

if TYPE_CHECKING:
    from pymilvus import MilvusClient

LONGEST = 4000
"""Characters of the longest memory."""

MOST = 10_000
"""Memories that one user may have: a list sorts them here, since Milvus does not, and Milvus answers a query with 16,384 rows at most."""

_SCHEMA = "v1"  # goes into the collection's name: another shape of the data is another collection
_BYTES = 4 * LONGEST  # Milvus counts UTF-8 bytes
_CHECK = 1.8  # seconds; a readiness check as a whole has 2

_Row = Mapping[str, object]


@dataclass(frozen=True, slots=True)
class Memory:
    """A text that a user wants to find again."""

    id: UUID
    text: str
    created_at: datetime


@dataclass(frozen=True, slots=True)
class Found:
    """A memory and how near it is to what was searched for: 1 is the same direction."""

    memory: Memory
    score: float


@dataclass(frozen=True, slots=True)
class Page:
    """Some memories, newest first, and where the next page begins (None: there is none)."""

    memories: tuple[Memory, ...]
    next: "Position | None"


@dataclass(frozen=True, slots=True, order=True)
class Position:
    """A place in a user's list: when a memory was made, in microseconds since 1970, and its id."""

    created: int
    id: str


class TooManyMemories(Exception):
    """The user has `MOST` memories."""


class MemoryStore:
    """Blocking: call it from a thread. Safe for many threads and many processes. Every method raises `StoreUnavailable`."""

    def __init__(self, uri: str, embedder: Embedder, *, prefix: str = "memories") -> None:
        self._embedder = embedder
        self.collection = f"{prefix}_{_SCHEMA}_{embedder.name}"
        self._milvus = milvus.connection(uri, lambda client: _prepare(client, self.collection, embedder.dimensions))

    def start(self) -> None:
        """Begin to connect, in the background."""
        self._milvus.start()

    def close(self) -> None:
        """Give the connection back."""
        self._milvus.close()

    def check(self) -> None:
        """Raise `StoreUnavailable` unless Milvus answers and has the collection ready for use."""
        self._milvus.check(lambda client, timeout: _must_be_loaded(client, self.collection, timeout), _CHECK)

    def add(self, user: UUID, text: str) -> Memory:
        """Store a text. It can be found as soon as this returns. Raises `TooManyMemories`."""
        if self._count(user) >= MOST:
            raise TooManyMemories
        created = time.time_ns() // 1000
        row = {"id": str(uuid4()), "user_id": str(user), "text": text, "created_at": created, "vector": self._embedder.embed(text)}
        # Upsert, not insert: asked twice, because an answer was lost, it stores once.
        written = self._milvus.ask(lambda client, timeout: client.upsert(self.collection, [row], timeout=timeout))
        _must_have_taken(written, row["id"])
        return _memory(row)

    def page(self, user: UUID, limit: int, after: Position | None = None) -> Page:
        """The user's memories, newest first, from `after` on."""
        rows = self._query(user, fields=("id", "created_at"))
        positions = sorted((Position(_integer(row["created_at"]), str(row["id"])) for row in rows), reverse=True)
        if after is not None:
            positions = [position for position in positions if position < after]
        shown = positions[:limit]
        memories = self._get(user, [UUID(position.id) for position in shown])
        more = len(positions) > limit
        return Page(tuple(memories[UUID(p.id)] for p in shown if UUID(p.id) in memories), shown[-1] if more else None)

    def search(self, user: UUID, query: str, limit: int) -> tuple[Found, ...]:
        """The user's memories that are nearest to the query, nearest first. What has to do with it by chance alone is left out."""
        hits = self._milvus.ask(
            lambda client, timeout: client.search(
                self.collection,
                data=[self._embedder.embed(query)],
                anns_field="vector",
                filter=_filter(user),
                limit=limit,
                output_fields=["text", "created_at"],
                search_params={"metric_type": "COSINE"},
                timeout=timeout,
            )
        )[0]
        found = (Found(_memory({**hit["entity"], "id": hit["id"]}), float(hit["distance"])) for hit in hits)
        return tuple(one for one in found if self._embedder.is_hit(query, one.memory.text, one.score))

    def remove(self, user: UUID, memory: UUID) -> bool:
        """Delete a memory, and return False when the user has none of that id."""
        if not self._get(user, [memory]):
            return False
        self._milvus.ask(lambda client, timeout: client.delete(self.collection, filter=_filter(user, [memory]), timeout=timeout))
        return True

    def _count(self, user: UUID) -> int:
        return _integer(self._query(user, fields=("count(*)",))[0]["count(*)"])

    def _get(self, user: UUID, ids: Sequence[UUID]) -> dict[UUID, Memory]:
        if not ids:
            return {}
        # By their ids alone Milvus looks rows up; with any other condition it would look at rows that are not asked for.
        rows = self._milvus.ask(
            lambda client, timeout: client.get(
                self.collection,
                ids=[str(UUID(int=one.int)) for one in ids],
                output_fields=["id", "user_id", "text", "created_at"],
                timeout=timeout,
            )
        )
        memories = (_memory(row) for row in rows if row["user_id"] == str(UUID(int=user.int)))
        return {memory.id: memory for memory in memories}

    def _query(self, user: UUID, *, fields: tuple[str, ...]) -> list[_Row]:
        # A count takes no limit; without one Milvus answers with 16,384 rows at most.
        limit = None if fields == ("count(*)",) else MOST + 1000
        return list(
            self._milvus.ask(
                lambda client, timeout: client.query(
                    self.collection, filter=_filter(user), output_fields=list(fields), limit=limit, timeout=timeout
                )
            )
        )


def _filter(user: UUID, ids: Sequence[UUID] = ()) -> str:
    """Which rows a question is about. It takes UUIDs and no strings: their text is hexadecimal digits and hyphens, which cannot
    end a string literal. (Milvus has filter templates for this; Milvus Lite, which runs on a developer's machine, does not.)"""
    condition = f'user_id == "{UUID(int=user.int)}"'
    if ids:
        condition += " and id in [" + ", ".join(f'"{UUID(int=one.int)}"' for one in ids) + "]"
    return condition


def _memory(row: _Row) -> Memory:
    created = datetime.fromtimestamp(_integer(row["created_at"]) / 1_000_000, UTC)
    return Memory(UUID(str(row["id"])), str(row["text"]), created)


def _integer(value: object) -> int:
    if not isinstance(value, int):
        raise StoreUnavailable(f"a number was expected, not {type(value).__name__}")
    return value


def _prepare(client: "MilvusClient", collection: str, dimensions: int) -> None:
    """Make sure that the collection, its index and its place in memory are there. Several processes may do so at once."""
    if not client.has_collection(collection, timeout=CALL):
        _unless_another_did(lambda: _create(client, collection, dimensions), lambda: client.has_collection(collection, timeout=CALL))
    for field, index in _INDEXES.items():
        if field not in client.list_indexes(collection, timeout=CALL):
            _unless_another_did(
                lambda field=field, index=index: _index(client, collection, field, index),  # type: ignore[misc]
                lambda field=field: field in client.list_indexes(collection, timeout=CALL),  # type: ignore[misc]
            )
    client.load_collection(collection, timeout=CALL)


def _must_have_taken(written: Mapping[str, object], identity: object) -> None:
    """Raise `StoreUnavailable` unless Milvus says that it has the one row: what is not written is never acknowledged."""
    if written.get("upsert_count") != 1 or list(_listed(written.get("ids"))) not in ([], [identity]):
        raise StoreUnavailable("Milvus did not take the memory")


def _listed(value: object) -> Sequence[object]:
    return value if isinstance(value, Sequence) and not isinstance(value, str) else ()


def _must_be_loaded(client: "MilvusClient", collection: str, timeout: float) -> None:
    """Milvus answers for a collection that was released or dropped as for any other; as a failure, it gets prepared again."""
    state = client.get_load_state(collection, timeout=timeout)["state"]
    if str(state) != "Loaded":
        raise RuntimeError(f"the collection is {state}")


def _unless_another_did(make: Callable[[], None], there: Callable[[], bool]) -> None:
    try:
        make()
    except Exception:
        if not there():
            raise


def _create(client: "MilvusClient", collection: str, dimensions: int) -> None:
    from pymilvus import DataType

    schema = client.create_schema(auto_id=False, enable_dynamic_field=False)
    schema.add_field("id", DataType.VARCHAR, max_length=36, is_primary=True)
    schema.add_field("user_id", DataType.VARCHAR, max_length=36, is_partition_key=True)  # a user's rows lie together
    schema.add_field("text", DataType.VARCHAR, max_length=_BYTES)
    schema.add_field("created_at", DataType.INT64)  # microseconds since 1970
    schema.add_field("vector", DataType.FLOAT_VECTOR, dim=dimensions)
    # Strong: what a person has just stored is in what they see next.
    client.create_collection(collection, schema=schema, consistency_level="Strong", timeout=CALL)


# By its owner, too: a list, a count and a search of one person else look at everybody's rows.
_INDEXES = {"vector": {"index_type": "AUTOINDEX", "metric_type": "COSINE"}, "user_id": {"index_type": "INVERTED"}}


def _index(client: "MilvusClient", collection: str, field: str, index: Mapping[str, str]) -> None:
    parameters = client.prepare_index_params()
    parameters.add_index(field, index_name=field, **index)
    client.create_index(collection, parameters, timeout=CALL)
