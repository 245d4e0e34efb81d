"""What the store promises when there are several of it, and when Milvus goes away."""

import threading
import time
from collections.abc import Callable, Iterator
from uuid import UUID, uuid4

import pytest
from fastapi.testclient import TestClient
from nextai_service_kit.connection import StoreUnavailable
from nextai_service_kit.milvus import refused as is_refused
from nextai_service_kit.testing import Gate
from pymilvus.exceptions import ErrorCode, MilvusException, ParamError

from memory_service import store as store_module
from memory_service.embedding import HashedFeatures
from memory_service.main import application
from memory_service.store import MemoryStore, TooManyMemories
from tests.api import Person, refused


@pytest.fixture
def gate(milvus: tuple[str, int]) -> Iterator[Gate]:
    gate = Gate(milvus)
    gate.open()
    yield gate
    gate.shut()


def test_many_that_start_at_once_on_an_empty_milvus_all_succeed(uri: str, prefix: str) -> None:
    fresh = f"{prefix}_{uuid4().hex[:8]}"
    stores = [MemoryStore(uri, HashedFeatures(), prefix=fresh) for _ in range(6)]
    for one in stores:
        one.start()
    user = uuid4()
    made: list[UUID] = []
    threads = [threading.Thread(target=lambda one=one: made.append(one.add(user, "started together").id)) for one in stores]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(made) == len(stores)
    for one in stores:
        one.check()
        assert {memory.id for memory in one.page(user, 100).memories} == set(made)
        one.close()


def test_one_instance_finds_what_another_stored(uri: str, prefix: str, store: MemoryStore, user: UUID) -> None:
    made = store.add(user, "the meeting room is on the third floor")
    other = MemoryStore(uri, HashedFeatures(), prefix=prefix)
    other.start()
    assert other.search(user, "meeting room", 5)[0].memory == made
    assert other.remove(user, made.id)
    other.close()
    assert store.page(user, 5).memories == ()


def test_memories_outlive_the_service(uri: str, prefix: str, user: UUID) -> None:
    first = MemoryStore(uri, HashedFeatures(), prefix=prefix)
    first.start()
    made = first.add(user, "outlives the process")
    first.close()
    second = MemoryStore(uri, HashedFeatures(), prefix=prefix)
    second.start()
    assert second.page(user, 5).memories == (made,)
    second.close()


def test_rows_are_looked_up_by_their_owner_also_in_a_collection_from_before(uri: str, prefix: str, user: UUID) -> None:
    from pymilvus import MilvusClient

    store = MemoryStore(uri, HashedFeatures(), prefix=f"{prefix}_{uuid4().hex[:8]}")
    store.start()
    made = store.add(user, "stored before there was an index")
    client = MilvusClient(uri=uri, timeout=5)
    client.release_collection(store.collection)
    client.drop_index(store.collection, "user_id")
    store.close()
    again = MemoryStore(uri, HashedFeatures(), prefix=store.collection.removesuffix(f"_v1_{HashedFeatures.name}"))
    again.start()
    assert again.page(user, 5).memories == (made,)
    assert set(client.list_indexes(store.collection)) == {"vector", "user_id"}
    client.close()
    again.close()


def test_a_released_collection_is_loaded_again(uri: str, prefix: str, store: MemoryStore, user: UUID) -> None:
    from pymilvus import MilvusClient

    made = store.add(user, "still here after the collection left memory")
    client = MilvusClient(uri=uri, timeout=5)
    client.release_collection(store.collection)
    client.close()
    with pytest.raises(StoreUnavailable):
        store.check()
    assert store.page(user, 5).memories == (made,)
    store.check()


@pytest.mark.parametrize("lose", ["release_collection", "drop_collection"])
def test_readiness_alone_mends_a_collection_that_is_out_of_memory_or_gone(uri: str, prefix: str, lose: str) -> None:
    from pymilvus import MilvusClient

    store = MemoryStore(uri, HashedFeatures(), prefix=f"{prefix}_{uuid4().hex[:8]}")
    with TestClient(application(store, "dev")) as http:
        _until_ready(http)
        client = MilvusClient(uri=uri, timeout=5)
        getattr(client, lose)(store.collection)
        client.close()
        assert http.get("/health/ready").status_code == 503
        _until_ready(http)


def test_the_service_starts_without_milvus_says_so_and_recovers(gate: Gate, prefix: str) -> None:
    gate.shut()
    with TestClient(application(MemoryStore(gate.uri, HashedFeatures(), prefix=prefix), "dev")) as http:
        ann = Person(http, uuid4())
        assert http.get("/health").status_code == 200
        ready = http.get("/health/ready")
        assert (ready.status_code, ready.json()["status"]) == (503, "unavailable")
        assert ready.json()["checks"]["milvus"].startswith("error: ")
        refused(ann.call("POST", "/memories", {"text": "x"}), 503, "unavailable")
        gate.open()
        _until_ready(http)
        ann.add("stored after the outage")

        gate.shut()
        refused(ann.call("GET", "/memories"), 503, "unavailable")
        assert http.get("/health/ready").status_code == 503
        gate.open()
        _until_ready(http)
        assert ann.texts() == ["stored after the outage"]


def test_a_frozen_milvus_costs_two_seconds_and_is_a_503_that_says_when_to_come_again(gate: Gate, prefix: str) -> None:
    with TestClient(application(MemoryStore(gate.uri, HashedFeatures(), prefix=prefix), "dev")) as http:
        ann = Person(http, uuid4())
        _until_ready(http)
        ann.add("before")
        gate.freeze()
        for method, path, body in (("POST", "/memories", {"text": "x"}), ("GET", "/memories", None), ("GET", "/memories/search", None)):
            began = time.monotonic()
            answer = ann.call(method, path, body, q="x")
            refused(answer, 503, "unavailable")
            assert int(answer.headers["Retry-After"]) > 0
            assert time.monotonic() - began < 2.5
        gate.thaw()
        _until_ready(http)
        assert ann.texts()[-1] == "before"


@pytest.mark.parametrize(
    "answer",
    [
        lambda _: {},
        lambda _: {"upsert_count": 0},
        lambda identity: {"upsert_count": 2, "ids": [identity, "another"]},
        lambda _: {"upsert_count": 1, "ids": ["another"]},
    ],
    ids=["nothing", "none", "two", "another"],
)
def test_what_milvus_did_not_take_is_not_acknowledged(
    store: MemoryStore, user: UUID, monkeypatch: pytest.MonkeyPatch, answer: Callable[[object], dict[str, object]]
) -> None:
    from pymilvus import MilvusClient

    monkeypatch.setattr(MilvusClient, "upsert", lambda _, collection, rows, timeout: answer(rows[0]["id"]))
    with pytest.raises(StoreUnavailable, match="did not take"):
        store.add(user, "not stored")
    assert store.page(user, 5).memories == ()


def test_one_dropped_connection_is_not_noticed(gate: Gate, prefix: str, user: UUID) -> None:
    store = MemoryStore(gate.uri, HashedFeatures(), prefix=prefix)
    store.start()
    store.add(user, "before")
    gate.drop()
    store.add(user, "after")
    assert [memory.text for memory in store.page(user, 5).memories] == ["after", "before"]
    store.close()


def test_what_milvus_refuses_is_no_lost_connection() -> None:
    missing, released = MilvusException(ErrorCode.COLLECTION_NOT_FOUND, "not found"), MilvusException(101, "not loaded")
    assert is_refused(ParamError(message="the limit is wrong"))
    assert is_refused(MilvusException(1100, "cannot parse the expression"))
    assert not any(map(is_refused, (missing, released, MilvusException(1, "no node"), ConnectionError(), TimeoutError())))


def test_a_user_may_have_only_so_many(store: MemoryStore, user: UUID, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(store_module, "MOST", 2)
    store.add(user, "one")
    store.add(user, "two")
    with pytest.raises(TooManyMemories):
        store.add(user, "three")
    store.add(uuid4(), "another user's")


def _until_ready(http: TestClient) -> None:
    """Wait for readiness, which itself waits for Milvus; at most 30 s."""
    deadline = threading.Event()
    threading.Timer(30, deadline.set).start()
    while http.get("/health/ready").status_code != 200:
        assert not deadline.wait(0.1), "never ready again"
