"""The compose engine on a real Docker Engine: the catalogue's PostgreSQL and Redis by themselves."""

import os
import socket
import subprocess
import uuid
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from docker import DockerClient

from ops import catalog as catalogue
from ops import stores
from ops.catalog import Catalog
from ops.config import local as config
from ops.errors import Failure
from ops.local import compose, composecontainers, composefile, ready, servers, state
from ops.local.ports import free_ports
from ops.stores import redis
from ops.testbed import Testbed
from tests.integration import migrate_image
from tests.integration.acknowledged import STORES, Clients, Load, lost


@pytest.fixture
def stores_alone(engine: DockerClient, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[Catalog, state.State]]:
    """The catalogue's PostgreSQL and Redis under a project name and ports of this test's own; no image is built."""
    whole = catalogue.load()
    names = ("postgres", "redis")
    kept = {name: replace(whole.stores[name], local_port=port) for name, port in zip(names, free_ports(2), strict=True)}
    catalog = replace(whole, platform=f"test-{uuid.uuid4().hex[:8]}", stores=kept, services={}, jobs={})
    home = state.opened(state.State(tmp_path / "of it"))
    monkeypatch.setattr(compose, "_images", lambda *_: {})
    yield catalog, home
    compose.stop(catalog, home, volumes=True)
    assert not composecontainers.leaves(catalog, home)


def test_the_stores_come_up_closed_and_answer_with_the_password_alone(stores_alone: tuple[Catalog, state.State]) -> None:
    import psycopg

    catalog, home = stores_alone
    compose.start(catalog, home)
    assert {name: what for name, what, _ in composecontainers.rows(catalog, home)} == {"postgres": "ready", "redis": "ready"}
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
    compose.stop(catalog, home, volumes=False)
    home.secrets.unlink()
    with pytest.raises(Failure, match="has a password that is not in"):
        compose.start(catalog, home)


def test_data_of_an_older_postgresql_is_refused_with_what_to_do(stores_alone: tuple[Catalog, state.State], engine: DockerClient) -> None:
    catalog, home = stores_alone
    compose.start(catalog, home)
    compose.stop(catalog, home, volumes=False)
    volume, store = f"{composefile.project(catalog, home)}_postgres", catalog.stores["postgres"]
    # As the image of version 17 left it: its data at the root of the volume.
    older = "mv 18/docker/* . && rmdir -p 18/docker && echo 17 > PG_VERSION"
    mount = {volume: {"bind": store.data, "mode": "rw"}}
    engine.containers.run(store.image, ["-c", older], entrypoint="sh", user="999", working_dir=store.data, volumes=mount, remove=True)
    with pytest.raises(Failure, match="there appears to be PostgreSQL data in") as caught:
        compose.start(catalog, home)
    assert f"The volume {volume} was made by another version of PostgreSQL than {store.image}" in caught.value.remedy
    assert "`invoke down --volumes`" in caught.value.remedy
    newer = "mkdir -p 18/docker && chmod 700 18/docker && mv PG_VERSION base global pg_* postgresql.* 18/docker"
    engine.containers.run(store.image, ["-c", newer], entrypoint="sh", user="999", working_dir=store.data, volumes=mount, remove=True)
    with pytest.raises(Failure, match="initialized by PostgreSQL version 17, which is not compatible with this version 18") as caught:
        compose.start(catalog, home)
    assert "was made by another version of PostgreSQL" in caught.value.remedy


def test_a_migration_is_tried_beside_it_and_what_it_does_there_decides(
    engine: DockerClient, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import psycopg

    whole = catalogue.load()
    store = replace(whole.stores["postgres"], local_port=free_ports(1)[0])
    catalog = replace(whole, platform=f"test-{uuid.uuid4().hex[:8]}", stores={"postgres": store}, services={})
    home = state.opened(state.State(tmp_path / "of it"))
    base = compose._images(catalog, catalog.images)
    tags: list[str] = []

    def with_one_more(sql: str) -> None:
        tags.append(f"{catalog.platform}/db-migrate:{len(tags)}")
        migrate_image.add(engine, base["db-migrate"], catalog.root, tmp_path / "image", tags[-1], sql)
        monkeypatch.setattr(compose, "_images", lambda *_: {"db-migrate": tags[-1]})

    def execute(sql: str) -> list[tuple[object, ...]]:
        password = config.kept_secrets(catalog, home.secrets)["POSTGRES_PASSWORD"].reveal()
        account = f"host=127.0.0.1 port={store.local_port} dbname={catalog.database.name} user={catalog.database.user}"
        with psycopg.connect(f"{account} password={password}", autocommit=True) as connection:
            found = connection.execute(sql.encode())
            return found.fetchall() if found.description else []

    try:
        compose.start(catalog, home)
        assert composecontainers.rows(catalog, home) == [("postgres", "ready", store.local_port), ("db-migrate", "done", 0)]
        assert [(one.name, one.status, one.code) for one in composecontainers.look(catalog, home)][1] == ("db-migrate-scratch", "exited", 0)
        execute("CREATE TABLE by_hand (a varchar(10))")
        execute("CREATE FUNCTION cleanup() RETURNS void LANGUAGE plpgsql AS $$ BEGIN DROP TABLE by_hand; END $$")
        with_one_more("SELECT 1;\nSELECT public.cleanup();")
        with pytest.raises(Failure, match=r"_added\.sql:2: drops a table \(public\.by_hand\) \[drop-table\]"):
            compose.start(catalog, home)
        with_one_more("ALTER TABLE by_hand ALTER COLUMN a TYPE varchar(20);")
        compose.start(catalog, home)
        query = "SELECT character_maximum_length FROM information_schema.columns WHERE table_name = 'by_hand'"
        assert execute(query) == [(20,)]
    finally:
        compose.stop(catalog, home, volumes=True)
        for tag in tags:
            engine.images.remove(tag, force=True)
    assert not composecontainers.leaves(catalog, home)


def test_another_checkout_has_its_own_containers_and_volumes(stores_alone: tuple[Catalog, state.State], tmp_path: Path) -> None:
    catalog, home = stores_alone
    compose.start(catalog, home)
    other = state.opened(state.State(tmp_path / "another"))
    assert not composecontainers.runs(catalog, other)
    assert not composecontainers.leaves(catalog, other)
    with pytest.raises(Failure, match=r"\(for postgres\) is taken by"):
        compose.start(catalog, other)
    assert composecontainers.runs(catalog, home)


def test_an_image_that_the_engine_lacks_is_pulled_before_the_start(
    stores_alone: tuple[Catalog, state.State], engine: DockerClient, testbed: Testbed, capfd: pytest.CaptureFixture[str]
) -> None:
    catalog, home = stores_alone
    place = f"{testbed.registry}/{catalog.platform}/redis"
    engine.images.get(catalog.stores["redis"].image).tag(place, "8")
    engine.images.push(place, "8")
    engine.images.remove(f"{place}:8")
    redis = replace(catalog.stores["redis"], image=f"{place}:8")
    compose.start(replace(catalog, stores={**catalog.stores, "redis": redis}), home)
    out, err = capfd.readouterr()
    assert f"pulling {place}:8\n" in out
    assert "Pulled" in err  # compose says how far it is
    compose.stop(catalog, home, volumes=False)
    engine.images.remove(f"{place}:8")


def asked(catalog: Catalog, home: state.State, name: str, words: str) -> str:
    """What a store's own client answers, run in its container as `connect` runs it."""
    client = stores.of(catalog.stores[name]).client
    assert client
    inside = client.inside(config.access(catalog, name, compose.setting_of(catalog, home)))
    command = compose.inside(catalog, home, name, inside, terminal=False)
    environment = {**os.environ, **command.env}
    done = subprocess.run(command.argv, input=words, env=environment, capture_output=True, text=True, check=False, timeout=60)
    return done.stdout + done.stderr


def test_a_redis_password_of_any_characters_is_taken(stores_alone: tuple[Catalog, state.State]) -> None:
    whole, home = stores_alone
    catalog = replace(whole, root=home.folder)
    word = 'a "quoted" \\ wörd'
    (home.folder / ".env.local").write_text(f"REDIS_PASSWORD='{word}'\n")
    compose.start(catalog, home)
    assert ready.ask(servers.probe(redis.ping(word), catalog.stores["redis"].local_port), {}) == ""
    assert asked(catalog, home, "redis", "PING\n") == "PONG\n"
    assert f"42 | {catalog.database.user}" in asked(catalog, home, "postgres", "SELECT 6 * 7 AS answer, current_user;")


def test_a_container_that_dies_is_told_with_its_last_words_and_nothing_stays(
    stores_alone: tuple[Catalog, state.State], monkeypatch: pytest.MonkeyPatch
) -> None:
    catalog, home = stores_alone
    own = redis.STORE.compose
    fields = {**own.fields, "command": ["redis-server", "/etc/redis.conf", "--no-such-word", "1"]}
    monkeypatch.setattr(redis, "STORE", replace(redis.STORE, compose=replace(own, fields=fields)))
    with pytest.raises(Failure) as caught:
        compose.start(catalog, home)
    assert "redis ended with exit code" in caught.value.cause
    assert "no-such-word" in caught.value.cause
    assert not composecontainers.runs(catalog, home)


@pytest.mark.parametrize("kills", [False, True], ids=["stopped", "killed"])
def test_every_acknowledged_write_is_there_again(
    engine: DockerClient, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kills: bool
) -> None:
    whole = catalogue.load()
    ports_of = zip(whole.stores.values(), free_ports(len(whole.stores)), strict=True)
    kept = {store.name: replace(store, local_port=port) for store, port in ports_of}
    catalog = replace(whole, platform=f"test-{uuid.uuid4().hex[:8]}", stores=kept, services={}, jobs={})
    home = state.opened(state.State(tmp_path / "of it"))
    monkeypatch.setattr(compose, "_images", lambda *_: {})
    try:
        compose.start(catalog, home)
        secrets = config.kept_secrets(catalog, home.secrets)
        passwords = {"postgres": secrets["POSTGRES_PASSWORD"].reveal(), "redis": secrets["REDIS_PASSWORD"].reveal()}
        ports = {name: store.local_port for name, store in kept.items()}
        clients = Clients(ports, passwords, catalog.database.user, catalog.database.name, tmp_path)
        with Load(clients) as load:
            load.enough()
            for container in engine.containers.list(filters={"name": composefile.project(catalog, home)}) if kills else ():
                container.kill()
            compose.stop(catalog, home, volumes=False)
        compose.start(catalog, home)
        assert lost(clients, load) == dict.fromkeys(STORES, 0)
    finally:
        compose.stop(catalog, home, volumes=True)
