"""The environment's own schema under the gates: what somebody made there by hand counts, and where it cannot be had that is said."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

import psycopg
import pytest
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from ops.config import sidecar
from ops.database import journal, runner, safety, scratch, verdicts
from ops.database import schema as schemas
from ops.database.facts import untouched
from ops.database.judging import judge
from ops.database.scratch import quoted
from ops.errors import Refused
from ops.secret import Secret

PASSWORD = "geh'eim \\ $HOME #x"
TABLE = "CREATE TABLE t (id int PRIMARY KEY, a varchar(10));"
BY_HAND = """
CREATE TABLE by_hand (a varchar(10));
CREATE FUNCTION cleanup() RETURNS void LANGUAGE plpgsql AS $$ BEGIN DROP TABLE IF EXISTS by_hand; END $$;
"""


@dataclass
class Place:
    """A database that stands for the environment's, and the folder of its migrations."""

    dsn: Secret
    folder: Path
    said: list[str]

    def write(self, *texts: str) -> None:
        (self.folder / "meta").mkdir(exist_ok=True)
        entries = [{"idx": i, "tag": f"{i:04}_x", "when": i + 1} for i in range(len(texts))]
        (self.folder / "meta/_journal.json").write_text(json.dumps({"dialect": "postgresql", "entries": entries}))
        for i, text in enumerate(texts):
            (self.folder / f"{i:04}_x.sql").write_text(text)

    def run(self, *texts: str, protected: bool = False, beside: bool = False) -> None:
        self.write(*texts)
        self.said.clear()
        verdicts._memory.clear()  # as another process
        runner.migrate(self.dsn, self.folder, say=self.said.append, protected=protected, beside=beside)

    @property
    def user(self) -> str:
        return str(conninfo_to_dict(self.dsn.reveal())["user"])

    def by_superuser(self, server: scratch.ScratchServer, sql: str) -> None:
        name = str(conninfo_to_dict(self.dsn.reveal())["dbname"])
        with psycopg.connect(make_conninfo(server.admin.reveal(), dbname=name), autocommit=True) as connection:
            connection.execute(sql.encode())

    def execute(self, sql: str) -> list[tuple[object, ...]]:
        with psycopg.connect(self.dsn.reveal(), autocommit=True) as connection:
            found = connection.execute(sql.encode())
            return found.fetchall() if found.description else []


@pytest.fixture(scope="module")
def server() -> Iterator[scratch.ScratchServer]:
    """One server for the environment and, as a database of its own beside it, for the trial."""
    with scratch.server() as server, pytest.MonkeyPatch.context() as environment:
        environment.setenv(sidecar.VARIABLE, server.admin.reveal())
        yield server


@pytest.fixture
def place(server: scratch.ScratchServer, tmp_path: Path) -> Place:
    name = f"E {uuid4().hex[:8]}"
    with psycopg.connect(server.admin.reveal(), autocommit=True) as admin:
        role = f"user_{uuid4().hex[:8]}"
        admin.execute(f"CREATE ROLE {role} LOGIN PASSWORD '{PASSWORD.replace(chr(39), chr(39) * 2)}'".encode())
        admin.execute(f"CREATE DATABASE {quoted(name)} OWNER {role} TEMPLATE template0".encode())
    dsn = make_conninfo(server.admin.reveal(), dbname=name, user=role, password=PASSWORD)
    return Place(Secret(dsn), tmp_path, [])


@pytest.fixture
def apart(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A scratch server of its own, as it is everywhere else."""
    monkeypatch.delenv(sidecar.VARIABLE)
    with scratch.server() as other:
        monkeypatch.setenv(sidecar.VARIABLE, other.admin.reveal())
        yield


def test_what_was_made_by_hand_is_there_when_a_file_is_tried(place: Place, apart: None) -> None:
    place.run(TABLE)
    place.execute(BY_HAND)
    with pytest.raises(Refused, match=r"0001_x\.sql:2: drops a table \(public\.by_hand\)"):
        place.run(TABLE, "SELECT 1;\nSELECT cleanup();")
    assert place.execute("SELECT to_regclass('by_hand') IS NOT NULL, (SELECT count(*) FROM drizzle.__drizzle_migrations)") == [(True, 1)]
    place.run(TABLE, "ALTER TABLE by_hand ALTER COLUMN a TYPE varchar(20);")
    assert [line.split(" in ")[0] for line in place.said] == ["applied 0001_x.sql"]


def test_roles_rights_and_owners_come_with_it(place: Place, server: scratch.ScratchServer, apart: None) -> None:
    reader = f"Reader {uuid4().hex[:8]}"
    place.run(TABLE)
    place.by_superuser(server, f"CREATE ROLE {quoted(reader)}; GRANT SELECT ON t TO {quoted(reader)}; CREATE POLICY p ON t USING (true);")
    place.by_superuser(server, f"CREATE TABLE others (a int); GRANT ALL ON others TO {place.user}; CREATE VIEW v AS SELECT id FROM t;")
    place.run(TABLE, f"GRANT INSERT ON t TO {quoted(reader)};")
    assert [line.split(" in ")[0] for line in place.said] == ["applied 0001_x.sql"]
    place.run(TABLE, f"GRANT INSERT ON t TO {quoted(reader)};", "SELECT 1;")
    assert len(place.said) == 1


def test_a_file_that_was_run_in_part_is_tried_on_what_the_files_make_and_goes_on(place: Place, apart: None) -> None:
    place.run(TABLE)
    place.execute("INSERT INTO t VALUES (1, 'x'), (2, 'x')")
    file = "CREATE INDEX CONCURRENTLY i ON t (id);\nCREATE UNIQUE INDEX CONCURRENTLY u ON t (a);"
    with pytest.raises(Exception, match="could not create unique index"):
        place.run(TABLE, file)
    assert not any("by hand" in line for line in place.said)
    place.execute("DELETE FROM t WHERE id = 2")
    place.run(TABLE, file, protected=True)  # there, what fails when it is tried is refused: on the schema as it is now, the index is there
    assert "a file has been run in part there" in place.said[0]
    assert place.said[-1].startswith("applied 0001_x.sql")


@pytest.mark.parametrize("why", ["the scratch server is another machine's", "permission denied for table others"])
def test_where_the_schema_cannot_be_had_that_is_said_and_no_password_with_it(
    place: Place, server: scratch.ScratchServer, apart: None, monkeypatch: pytest.MonkeyPatch, why: str
) -> None:
    place.run(TABLE)
    place.execute(BY_HAND)
    if "permission" in why:
        place.by_superuser(server, "CREATE TABLE others (a int)")
    else:
        monkeypatch.setattr(schemas, "NEARBY", {"nowhere"})
    place.run(TABLE, "ALTER TABLE t ADD COLUMN b int;")
    (told,) = [line for line in place.said if "by hand" in line]
    assert told.startswith("warning: what was made in the environment by hand was not there when the migrations were tried: copying the")
    assert why in told
    assert "geh" not in told


def test_nothing_of_the_address_is_left_in_the_scratch_server(place: Place, apart: None) -> None:
    with scratch.server() as server:
        schemas.taken(server, place.dsn, ran=0)
        with scratch.session(server.admin) as admin:
            names = admin.execute("SELECT name FROM pg_ls_dir('.') AS name WHERE name LIKE 'nextai%'").fetchall()
            large = admin.execute("SELECT count(*) FROM pg_largeobject_metadata").fetchone()
    assert ([name for (name,) in names if name != "nextai-password"], large) == ([], (0,))


def test_history_that_has_not_run_yet_is_replayed(place: Place, apart: None) -> None:
    place.write(TABLE, "ALTER TABLE t ADD COLUMN b int;")
    journal.write_baseline(place.folder, "0000_x")
    place.execute("CREATE TYPE by_hand AS ENUM ('a')")  # in an untouched database there is no schema to miss
    runner.migrate(place.dsn, place.folder, say=place.said.append)
    assert any("files that are history have not run there yet" in line for line in place.said)
    assert place.said[-1].startswith("applied 0001_x.sql")


def test_a_run_with_a_server_beside_it_runs_nothing_without_it(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(sidecar.VARIABLE, "postgresql://nobody@127.0.0.1:1/none?connect_timeout=1")
    with pytest.raises(Refused, match="judged by their text alone") as caught:
        place.run(TABLE, beside=True)
    assert "the scratch server beside the migrations" in caught.value.remedy
    assert place.execute("SELECT to_regclass('t')") == [(None,)]
    place.run(TABLE)
    assert place.said[-1].startswith("applied 0000_x.sql")


@pytest.mark.parametrize(
    "made",
    [
        "CREATE TABLE a ()",
        "CREATE FUNCTION f() RETURNS int LANGUAGE sql AS 'SELECT 1'",
        "CREATE TYPE e AS ENUM ()",
        "CREATE DOMAIN d AS int",
        "CREATE SCHEMA s",
        "CREATE VIEW v AS SELECT 1",
        "CREATE SEQUENCE q",
        "ALTER DEFAULT PRIVILEGES GRANT SELECT ON TABLES TO PUBLIC",
        'CREATE COLLATION c FROM "C"',
    ],
)
def test_a_database_that_holds_anything_is_not_untouched(place: Place, made: str) -> None:
    with psycopg.connect(place.dsn.reveal(), autocommit=True) as connection:
        assert untouched(connection)
        connection.execute(made.encode())
        assert not untouched(connection)


def test_verdicts_of_files_for_an_untouched_database_are_kept(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(sidecar.VARIABLE)  # with a server beside the run nothing is kept
    place.write(f"{TABLE} -- {uuid4()}")
    todo = journal.read(place.folder)
    with psycopg.connect(place.dsn.reveal(), autocommit=True) as connection:
        where = safety.environment(connection, place.dsn)
    first = judge(todo, todo, user=where.user, source=where.source)
    verdicts._memory.clear()  # as another process
    monkeypatch.setattr(scratch, "server", lambda: pytest.fail("it was tried again"))
    assert first.tried and judge(todo, todo, user=where.user, source=where.source).tried == first.tried
