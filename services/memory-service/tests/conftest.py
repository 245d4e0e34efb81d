"""A store of each test run's own, on the real Milvus that the environment names."""

import os
from collections.abc import Iterator
from uuid import UUID, uuid4

import pytest
from fastapi.testclient import TestClient
from hypothesis import HealthCheck, settings

from memory_service.embedding import HashedFeatures
from memory_service.main import application
from memory_service.store import MemoryStore
from tests.api import Person

# How long an example takes says how busy the machine is, and nothing about the code.
settings.register_profile("any-machine", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("any-machine")


@pytest.fixture(scope="session")
def milvus() -> tuple[str, int]:
    """Address and port of Milvus. Without them a test fails: a skipped one would look like a passed one."""
    host, port = os.environ.get("MILVUS_HOST"), os.environ.get("MILVUS_PORT")
    if not host or not port:
        pytest.fail("MILVUS_HOST and MILVUS_PORT are not set: these tests need a real Milvus (`nox -s services` starts one and sets them)")
    return host, int(port)


@pytest.fixture(scope="session")
def uri(milvus: tuple[str, int]) -> str:
    return f"http://{milvus[0]}:{milvus[1]}"


@pytest.fixture(scope="session")
def prefix(uri: str) -> Iterator[str]:
    """Begins the names of this run's collections, which are dropped in the end."""
    from pymilvus import MilvusClient

    name = f"test_{uuid4().hex[:12]}"
    yield name
    client = MilvusClient(uri=uri, timeout=5)
    for collection in client.list_collections():
        if collection.startswith(name):
            client.drop_collection(collection)
    client.close()


@pytest.fixture(scope="session")
def store(uri: str, prefix: str) -> Iterator[MemoryStore]:
    store = MemoryStore(uri, HashedFeatures(), prefix=prefix)
    store.start()
    yield store
    store.close()


@pytest.fixture(scope="session")
def http(uri: str, prefix: str) -> Iterator[TestClient]:
    """The whole app, with a store of its own on the same collection."""
    with TestClient(application(MemoryStore(uri, HashedFeatures(), prefix=prefix), "1.2.3")) as client:
        yield client


@pytest.fixture
def user() -> UUID:
    return uuid4()


@pytest.fixture
def ann(http: TestClient) -> Person:
    return Person(http, uuid4())


@pytest.fixture
def bob(http: TestClient) -> Person:
    return Person(http, uuid4())
