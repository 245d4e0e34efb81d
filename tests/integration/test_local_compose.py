"""The compose engine on a real Docker Engine: the catalogue's PostgreSQL and Redis, closed as the document says."""

import socket
import uuid
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from ops import catalog as catalogue
from ops.catalog import Catalog
from ops.config import local as config
from ops.errors import Failure
from ops.local import compose, state
from ops.local.servers import free_port
from ops.testbed import Testbed


@pytest.fixture
def stores_alone(testbed: Testbed, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[Catalog, state.State]]:
    """The catalogue's PostgreSQL and Redis under a project name and ports of this test's own; no image is built."""
    monkeypatch.setenv("DOCKER_HOST", testbed.docker_host)
    monkeypatch.setenv("DOCKER_CONFIG", str(testbed.docker_config))
    whole = catalogue.load()
    kept = {name: replace(store, local_port=free_port()) for name, store in whole.stores.items() if name in ("postgres", "redis")}
    catalog = replace(whole, platform=f"test-{uuid.uuid4().hex[:8]}", stores=kept, services={}, jobs={})
    home = state.opened(state.State(tmp_path / "of it"))
    monkeypatch.setattr(compose, "_images", lambda _: {})
    yield catalog, home
    compose.stop(catalog, home, volumes=True)
    assert not compose.leaves(catalog)


def test_the_stores_come_up_closed_and_answer_with_the_password_alone(stores_alone: tuple[Catalog, state.State]) -> None:
    import psycopg

    catalog, home = stores_alone
    compose.start(catalog, home)
    assert {name: what for name, what, _ in compose.rows(catalog)} == {"postgres": "ready", "redis": "ready"}
    port = catalog.stores["postgres"].local_port
    password = config.kept_secrets(catalog, home.secrets)["POSTGRES_PASSWORD"].reveal()
    account = f"host=127.0.0.1 port={port} dbname={catalog.database.name} user={catalog.database.user}"
    with psycopg.connect(f"{account} password={password}", autocommit=True) as connection:
        connection.execute("CREATE TABLE kept AS SELECT 1 AS one")
    with pytest.raises(psycopg.OperationalError):
        psycopg.connect(f"{account} password=wrong")
    with socket.create_connection(("127.0.0.1", catalog.stores["redis"].local_port), 5) as redis:
        redis.sendall(b"PING\r\n")
        assert redis.recv(64).startswith(b"-NOAUTH")
    compose.stop(catalog, home, volumes=False)
    compose.start(catalog, home)
    with psycopg.connect(f"{account} password={password}") as connection:
        assert connection.execute("SELECT one FROM kept").fetchone() == (1,)


def test_a_container_that_dies_is_told_with_its_last_words_and_nothing_stays(stores_alone: tuple[Catalog, state.State]) -> None:
    catalog, home = stores_alone
    broken = replace(catalog, root=home.folder)
    (home.folder / ".env.local").write_text("""REDIS_PASSWORD='a "quoted" word'\n""")  # which ends redis.conf's string too early
    with pytest.raises(Failure) as caught:
        compose.start(broken, home)
    assert "redis ended with exit code" in caught.value.cause
    assert "requirepass" in caught.value.cause
    assert not compose.runs(catalog)
