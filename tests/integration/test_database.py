"""Migrations on a real PostgreSQL: what runs, what is refused, what happens when it is cut off in the middle."""

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path
from uuid import uuid4

import psycopg
import pytest
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from ops import local
from ops.catalog import load
from ops.config import sidecar
from ops.database import apply, journal, lock, runner, scratch
from ops.database.connect import PASSING, connect, moved, settings
from ops.database.lint import lint
from ops.errors import Failure, Refused, UsageError
from ops.secret import Secret
from tests.integration.pgbouncer import pooled, shared

ROOT = Path(__file__).resolve().parents[2]
PROJECT = ROOT / "packages/db/migrations"
Rows = list[tuple[object, ...]]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with local.stores(tmp_path_factory.mktemp("postgres"), None, ["postgres"]) as variables:
        yield variables["DATABASE_URL"]


@pytest.fixture(scope="module", autouse=True)
def warm() -> Iterator[None]:
    """One scratch server for all runs of the gates."""
    with scratch.server() as server, pytest.MonkeyPatch.context() as environment:
        environment.setenv(sidecar.VARIABLE, server.admin.reveal())
        yield


@pytest.fixture
def dsn(server: str) -> Iterator[str]:
    """A database of the test's own, new and empty."""
    name = f"test_{uuid4().hex[:12]}"
    ask(server, f"CREATE DATABASE {name}")
    yield make_conninfo(server, dbname=name)
    ask(server, f"DROP DATABASE {name} WITH (FORCE)")


def ask(dsn: str, query: str) -> Rows:
    with psycopg.connect(dsn, autocommit=True) as connection:
        cursor = connection.execute(query.encode())
        return cursor.fetchall() if cursor.description else []


def folder(path: Path, **files: str) -> Path:
    """A folder of migrations: `_0000_users="SQL"`, in order."""
    entries = [{"idx": i, "version": "7", "when": 1000 + i, "tag": tag[1:], "breakpoints": True} for i, tag in enumerate(files)]
    (path / "meta").mkdir(parents=True, exist_ok=True)
    (path / "meta/_journal.json").write_text(json.dumps({"version": "7", "dialect": "postgresql", "entries": entries}))
    for tag, text in files.items():
        (path / f"{tag[1:]}.sql").write_text(text)
    return path


def unjudged(path: Path) -> Path:
    """The folder, all of it history: no gate is about it. For what a gate refuses, and the runner must do right all the same."""
    journal.write_baseline(path, json.loads((path / "meta/_journal.json").read_text())["entries"][-1]["tag"])
    return path


def rows(dsn: str) -> Rows:
    return ask(dsn, "SELECT hash, created_at FROM drizzle.__drizzle_migrations ORDER BY id")


def until(condition: Callable[[], object], seconds: float = 20) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "the condition did not come true"
        time.sleep(0.01)


def background(dsn: str, path: Path, *options: str) -> subprocess.Popen[str]:
    """A migration run in a process of its own."""
    command = [sys.executable, "-m", "ops.database", "migrate", "--folder", str(path), *options]
    environment = {**os.environ, "DATABASE_URL": dsn}
    return subprocess.Popen(command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


TABLE = "CREATE TABLE a (x int);\n--> statement-breakpoint\nINSERT INTO a VALUES (1), (1);"


# ---------------------------------------------------------------- what runs


def test_the_projects_own_migrations_run_once(dsn: str) -> None:
    migrations = journal.read(PROJECT)
    assert runner.pending(dsn, PROJECT) == migrations
    first = runner.migrate(dsn, PROJECT)
    assert [ran.file for ran in first.applied] == [migration.file for migration in migrations]
    assert rows(dsn) == [(migration.hash, migration.when) for migration in migrations]
    second = runner.migrate(dsn, PROJECT)
    assert (second.applied, second.skipped, runner.pending(dsn, PROJECT)) == ((), len(migrations), ())


def test_nothing_is_written_when_there_is_nothing_to_do(dsn: str, tmp_path: Path) -> None:
    assert runner.migrate(dsn, folder(tmp_path)).applied == ()
    assert ask(dsn, "SELECT to_regnamespace('drizzle')") == [(None,)]


def test_eight_runs_at_once_apply_each_file_once_and_none_fails(dsn: str, tmp_path: Path) -> None:
    files = {f"_000{i}_t{i}": f"CREATE TABLE t{i} (x int);\n--> statement-breakpoint\nSELECT pg_sleep(0.02);" for i in range(5)}
    files["_0005_i"] = "CREATE INDEX CONCURRENTLY i ON t0 (x);"  # would wait for ever for a run that waits in pg_advisory_lock()
    path = folder(tmp_path, **files)
    waiting = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND application_name LIKE 'nextai-migrate lock%'"
    runs: list[subprocess.Popen[str]] = []
    try:
        with psycopg.connect(dsn, autocommit=True) as starter:  # holds all eight back until the last is there
            starter.execute("SELECT pg_advisory_lock(%s)", (lock.KEY,))
            runs += [background(dsn, path, "--json", "--wait=600") for _ in range(8)]
            # Each tries the files first, on a server of its own. One that ended will not wait any more: its words say why.
            until(lambda: ask(dsn, waiting) == [(8,)] or any(run.poll() is not None for run in runs), seconds=300)
        documents = [json.loads(run.communicate(timeout=300)[0]) for run in runs]
    finally:
        for run in runs:
            run.kill()
    assert [run.returncode for run in runs] == [0] * 8, documents
    assert sum(len(document["applied"]) for document in documents) == 6
    assert [when for _, when in rows(dsn)] == [1000 + i for i in range(6)]


def test_a_failing_file_leaves_nothing_and_is_told_by_file_and_line(dsn: str, tmp_path: Path) -> None:
    path = folder(
        tmp_path, _0000_a="CREATE TABLE a (x int);", _0001_b="CREATE TABLE b (x int);\n--> statement-breakpoint\nSELECT 1,\n  nope;"
    )
    with pytest.raises(Failure) as caught:
        runner.migrate(dsn, path)
    assert '0001_b.sql:4: column "nope" does not exist [42703]\nNothing of the file was kept.' in caught.value.cause
    assert ask(dsn, "SELECT to_regclass('a')::text, to_regclass('b')::text") == [("a", None)]
    folder(tmp_path, _0000_a="CREATE TABLE a (x int);", _0001_b="CREATE TABLE b (x int);")
    assert [ran.file for ran in runner.migrate(dsn, path).applied] == ["0001_b.sql"]


def test_a_new_enum_value_may_be_used_in_the_file_that_adds_it(dsn: str, tmp_path: Path) -> None:
    enum = "CREATE TYPE mood AS ENUM ('sad'); CREATE TABLE t (m mood);"
    use = "ALTER TYPE mood ADD VALUE 'calm';\n--> statement-breakpoint\nINSERT INTO t VALUES ('calm');"
    runner.migrate(dsn, folder(tmp_path, _0000_a=enum, _0001_b=use))
    assert ask(dsn, "SELECT m::text FROM t") == [("calm",)]


def test_an_index_is_made_concurrently_and_vacuum_runs(dsn: str, tmp_path: Path) -> None:
    text = "CREATE INDEX CONCURRENTLY i ON a (x);\n--> statement-breakpoint\nVACUUM a; DROP INDEX CONCURRENTLY i"
    runner.migrate(dsn, folder(tmp_path, _0000_a=TABLE, _0001_b=text))
    assert ask(dsn, "SELECT to_regclass('i')") == [(None,)]
    assert ask(dsn, "SELECT count(*) FROM drizzle.__nextai_progress") == [(0,)]


# ---------------------------------------------------------------- cut off in the middle


def test_a_failed_concurrent_index_is_told_and_the_next_run_goes_on(dsn: str, tmp_path: Path) -> None:
    text = "ALTER TABLE a ADD y int;\n--> statement-breakpoint\nCREATE UNIQUE INDEX CONCURRENTLY once ON a (x);"
    path = folder(tmp_path, _0000_a=TABLE, _0001_b=text)
    with pytest.raises(Failure) as caught:
        runner.migrate(dsn, path)
    assert "0001_b.sql:3: could not create unique index" in caught.value.cause
    assert "1 of the file's 2 statements are done and stay done" in caught.value.cause
    assert "The index once is left behind, invalid" in caught.value.cause
    assert ask(dsn, "SELECT indisvalid FROM pg_index WHERE indexrelid = 'once'::regclass") == [(False,)]
    ask(dsn, "DELETE FROM a WHERE ctid = (SELECT max(ctid) FROM a)")
    said: list[str] = []
    assert [ran.file for ran in runner.migrate(dsn, path, say=said.append).applied] == ["0001_b.sql"]
    assert any("dropping the invalid index once" in line for line in said)
    assert ask(dsn, "SELECT indisvalid FROM pg_index WHERE indexrelid = 'once'::regclass") == [(True,)]


def test_a_half_done_file_may_be_corrected(dsn: str, tmp_path: Path) -> None:
    begin = "-- nextai:no-transaction\nCREATE TABLE b (x int);\n--> statement-breakpoint\n"
    with pytest.raises(Failure, match="nope"):
        runner.migrate(dsn, folder(tmp_path, _0000_b=begin + "SELECT nope;"))
    runner.migrate(dsn, folder(tmp_path, _0000_b=begin + "SELECT 1;"))
    assert runner.pending(dsn, tmp_path) == ()


def active(dsn: str, text: str) -> bool:
    query = f"SELECT 1 FROM pg_stat_activity WHERE state = 'active' AND pid <> pg_backend_pid() AND query LIKE '{text}%'"
    return bool(ask(dsn, query))


@pytest.mark.parametrize("sign", [signal.SIGKILL, signal.SIGTERM])
def test_a_run_that_is_killed_in_the_middle_is_finished_by_the_next(dsn: str, tmp_path: Path, sign: signal.Signals) -> None:
    path = folder(tmp_path, _0000_a=TABLE, _0001_b="CREATE TABLE b (x int);\n--> statement-breakpoint\nSELECT pg_sleep(600);")
    process = background(dsn, path)
    until(lambda: active(dsn, "%pg_sleep"))
    process.send_signal(sign)
    process.communicate()
    folder(tmp_path, _0000_a=TABLE, _0001_b="CREATE TABLE b (x int);\n--> statement-breakpoint\nSELECT 1;")
    assert [ran.file for ran in runner.migrate(dsn, path).applied] == ["0001_b.sql"]
    assert len(rows(dsn)) == 2


def test_a_run_that_is_killed_during_a_concurrent_index_is_finished_by_the_next(dsn: str, tmp_path: Path) -> None:
    path = folder(tmp_path, _0000_a=TABLE, _0001_b="CREATE INDEX CONCURRENTLY i ON a (x);")
    runner.migrate(dsn, folder(tmp_path / "first", _0000_a=TABLE))
    with psycopg.connect(dsn) as other:  # an open transaction that wrote: the index waits for it
        other.execute("INSERT INTO a VALUES (3)")
        process = background(dsn, path)
        until(lambda: active(dsn, "CREATE INDEX CONCURRENTLY"))
        until(lambda: ask(dsn, "SELECT to_regclass('i')") != [(None,)])
        process.kill()
        process.communicate()
    assert [ran.file for ran in runner.migrate(dsn, path).applied] == ["0001_b.sql"]
    assert ask(dsn, "SELECT indisvalid FROM pg_index WHERE indexrelid = 'i'::regclass") == [(True,)]


def cut_off(dsn: str, path: Path, blocker: str, until_there: str) -> None:
    """Start a run, and kill it while another session's open transaction keeps its statement waiting in the middle."""
    with psycopg.connect(dsn) as other:
        other.execute(blocker.encode())
        process = background(dsn, path)
        until(lambda: ask(dsn, until_there))
        process.kill()
        process.communicate()
        until(lambda: not ask(dsn, f"SELECT 1 FROM pg_stat_activity WHERE {LOCKED}"))  # or its statement would end with the other's


LOCKED = "application_name LIKE 'nextai-migrate lock%' AND datname = current_database()"
INDEXES = "SELECT indexrelid::regclass::text, indisvalid FROM pg_index WHERE indrelid = 'a'::regclass ORDER BY 1"


def test_an_index_without_a_name_is_made_once_however_often_it_is_cut_off(dsn: str, tmp_path: Path) -> None:
    runner.migrate(dsn, folder(tmp_path, _0000_a=TABLE))
    path = folder(tmp_path, _0000_a=TABLE, _0001_b="CREATE INDEX CONCURRENTLY ON a (x);\n--> statement-breakpoint\nSELECT 1;")
    for _ in range(2):
        cut_off(dsn, path, "INSERT INTO a VALUES (3)", "SELECT 1 FROM pg_index WHERE indrelid = 'a'::regclass")
    runner.migrate(dsn, path)
    assert ask(dsn, INDEXES) == [("a_x_idx", True)]


def test_an_index_without_a_name_that_was_made_and_not_noted_is_not_made_again(dsn: str, tmp_path: Path) -> None:
    runner.migrate(dsn, folder(tmp_path, _0000_a=TABLE))
    path = folder(tmp_path, _0000_a=TABLE, _0001_b="CREATE INDEX CONCURRENTLY ON a (x);\n--> statement-breakpoint\nSELECT nope;")
    with pytest.raises(Failure, match="nope"):
        runner.migrate(dsn, path)
    ask(dsn, "UPDATE drizzle.__nextai_progress SET done = false")  # as a run leaves it that is killed just before it notes the end
    runner.migrate(dsn, folder(tmp_path, _0000_a=TABLE, _0001_b="CREATE INDEX CONCURRENTLY ON a (x);"))
    assert ask(dsn, INDEXES) == [("a_x_idx", True)]


def test_others_invalid_indexes_are_left_alone(dsn: str, tmp_path: Path) -> None:
    runner.migrate(dsn, folder(tmp_path, _0000_a=TABLE))
    with pytest.raises(psycopg.errors.UniqueViolation):
        ask(dsn, "CREATE UNIQUE INDEX CONCURRENTLY others ON a (x)")
    path = folder(tmp_path, _0000_a=TABLE, _0001_b="CREATE INDEX CONCURRENTLY ON a (x);\n--> statement-breakpoint\nSELECT 1;")
    cut_off(dsn, path, "INSERT INTO a VALUES (3)", "SELECT 1 FROM pg_index WHERE indexrelid = to_regclass('a_x_idx')")
    runner.migrate(dsn, path)
    assert ask(dsn, INDEXES) == [("a_x_idx", True), ("others", False)]


ARCHIVED = "-- nextai:contract detach-partition: nobody reads the archive through its parent\n"


def test_a_partition_that_is_half_detached_is_detached_by_the_next_run(dsn: str, tmp_path: Path) -> None:
    parts = "CREATE TABLE p (a int) PARTITION BY LIST (a); CREATE TABLE p1 PARTITION OF p FOR VALUES IN (1);"
    runner.migrate(dsn, folder(tmp_path, _0000_a=parts))
    path = folder(tmp_path, _0000_a=parts, _0001_b=f"{ARCHIVED}ALTER TABLE p DETACH PARTITION p1 CONCURRENTLY;")
    cut_off(dsn, path, "SELECT * FROM p", "SELECT 1 FROM pg_inherits WHERE inhdetachpending")
    assert ask(dsn, "SELECT inhdetachpending FROM pg_inherits") == [(True,)]
    said: list[str] = []
    runner.migrate(dsn, path, say=said.append)
    assert ask(dsn, "SELECT inhrelid FROM pg_inherits") == []
    assert any("DETACH PARTITION p1 FINALIZE" in line for line in said)


def test_a_reindex_that_is_cut_off_leaves_no_index_of_its_own(dsn: str, tmp_path: Path) -> None:
    table = f"{TABLE}\n--> statement-breakpoint\nCREATE INDEX i ON a (x);"
    runner.migrate(dsn, folder(tmp_path, _0000_a=table))
    path = folder(tmp_path, _0000_a=table, _0001_b="REINDEX TABLE CONCURRENTLY a;")
    cut_off(dsn, path, "INSERT INTO a VALUES (3)", "SELECT 1 FROM pg_index WHERE indexrelid = to_regclass('i_ccnew')")
    assert ask(dsn, INDEXES) == [("i", True), ("i_ccnew", False)]
    runner.migrate(dsn, path)
    assert ask(dsn, INDEXES) == [("i", True)]


def test_layout_and_comments_make_no_other_statement_of_one_that_is_done(dsn: str, tmp_path: Path) -> None:
    begin = "-- nextai:no-transaction\nCREATE TABLE b (x text);\n--> statement-breakpoint\nINSERT INTO b (x) VALUES ('a  b');"
    with pytest.raises(Failure, match="nope"):
        runner.migrate(dsn, folder(tmp_path, _0000_b=f"{begin}\n--> statement-breakpoint\nSELECT nope;"))
    laid_out = begin.replace(" (x", "(\n\tx -- the text\n").replace("b (x)", "b(x)")
    runner.migrate(dsn, folder(tmp_path, _0000_b=laid_out))
    assert ask(dsn, "SELECT x FROM b") == [("a  b",)]
    with pytest.raises(Failure, match="nope"):
        runner.migrate(
            dsn, folder(tmp_path, _0000_b=laid_out, _0001_c="-- nextai:no-transaction\nINSERT INTO b VALUES ('a  b'); SELECT nope;")
        )
    runner.migrate(dsn, folder(tmp_path, _0000_b=laid_out, _0001_c="-- nextai:no-transaction\nINSERT INTO b VALUES ('a b');"))
    assert len(ask(dsn, "SELECT x FROM b")) == 3  # within a string it is another


def test_settings_of_a_file_hold_where_it_goes_on(dsn: str, tmp_path: Path) -> None:
    begin = "-- nextai:no-transaction\nCREATE SCHEMA other;\n--> statement-breakpoint\nSET search_path = other;\n--> statement-breakpoint\n"
    with pytest.raises(Failure, match="nope"):
        runner.migrate(dsn, folder(tmp_path, _0000_a=f"{begin}SELECT nope;"))
    runner.migrate(dsn, folder(tmp_path, _0000_a=f"{begin}CREATE TABLE t (x int);"))
    assert ask(dsn, "SELECT to_regclass('other.t')::text, to_regclass('public.t')::text") == [("other.t", None)]


def test_statements_that_run_one_by_one_take_time_in_proportion_to_their_number(dsn: str, tmp_path: Path) -> None:
    """500 took 54 s: each asked for all of the file's statements anew."""

    def seconds(name: str, count: int) -> float:
        text = "".join(f"INSERT INTO a VALUES ({i});\n--> statement-breakpoint\n" for i in range(count))
        tag = {"_0000_a": TABLE, f"_0001_{name}": f"-- nextai:no-transaction\n{text}SELECT 1;"}
        (process := (tmp_path / name)).mkdir()
        ask(dsn, "DROP TABLE IF EXISTS a; DROP SCHEMA IF EXISTS drizzle CASCADE")
        begin = time.process_time()  # what the server does is not meant
        runner.migrate(dsn, folder(process, **tag))
        return time.process_time() - begin

    few, many = min(seconds(f"few{i}", 100) for i in range(3)), seconds("many", 1600)
    assert many < 16 * few * 3, (few, many)


# ---------------------------------------------------------------- what is refused


def test_edited_missing_and_out_of_order_files_are_refused_and_nothing_runs(dsn: str, tmp_path: Path) -> None:
    names = {"_0000_a": "CREATE TABLE a (x int);", "_0001_b": "CREATE TABLE b (x int);"}
    path = folder(tmp_path / "m", **names)
    runner.migrate(dsn, path)
    with pytest.raises(Refused, match=r"0001_b\.sql was edited"):
        runner.migrate(dsn, folder(tmp_path / "edited", **names | {"_0001_b": "CREATE TABLE c (x int);"}, _0002_c="SELECT 1"))
    with pytest.raises(Refused, match="is missing"):
        runner.migrate(dsn, folder(tmp_path / "missing", _0000_a=names["_0000_a"]))
    ask(dsn, "DELETE FROM drizzle.__drizzle_migrations WHERE created_at = 1000")
    with pytest.raises(Refused, match=r"0000_a\.sql is older than 0001_b\.sql"):
        runner.migrate(dsn, path)
    assert ask(dsn, "SELECT to_regclass('c')") == [(None,)]


def test_a_gate_refuses_before_anything_runs(dsn: str, tmp_path: Path) -> None:
    with pytest.raises(Refused, match=r"0001_b\.sql:1: drops a column"):
        runner.migrate(dsn, folder(tmp_path, _0000_a=TABLE, _0001_b="ALTER TABLE a DROP COLUMN x;"))
    assert ask(dsn, "SELECT to_regclass('a')") == [(None,)]


def test_a_held_lock_is_refused_with_its_holder(dsn: str, tmp_path: Path) -> None:
    with (
        psycopg.connect(dsn, autocommit=True, application_name="a colleague") as other,
        pytest.raises(Refused, match=r"held by a colleague \(session \d+, user \w+, from [\d.]+, since \d s\)") as caught,
    ):
        other.execute("SELECT pg_advisory_lock(%s)", (lock.KEY,))
        runner.migrate(dsn, folder(tmp_path, _0000_a=TABLE), wait=0.3)
    assert caught.value.code == 3
    assert ask(dsn, "SELECT to_regclass('a')") == [(None,)]


# ---------------------------------------------------------------- the session that holds the lock

ONCE = "CREATE TABLE credit (amount int);"
SLOW = "-- nextai:contract moves-rows: a credit for everybody, once\nINSERT INTO credit SELECT 100 FROM (SELECT pg_sleep({seconds})) s;"


@pytest.mark.parametrize("marker", ["", "-- nextai:no-transaction\n"])
def test_whichever_session_of_a_run_is_ended_no_file_is_applied_twice(dsn: str, tmp_path: Path, marker: str) -> None:
    runner.migrate(dsn, folder(tmp_path, _0000_a=ONCE))
    path = folder(tmp_path, _0000_a=ONCE, _0001_b=marker + SLOW.format(seconds=2))
    ours = "application_name LIKE 'nextai-migrate%' AND datname = current_database() AND query NOT LIKE '%pg_sleep%'"
    with ThreadPoolExecutor(2) as pool:
        first = pool.submit(runner.migrate, dsn, path)
        until(lambda: active(dsn, "%INSERT INTO credit"))
        ask(dsn, f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE {ours} AND pid <> pg_backend_pid()")
        second = pool.submit(runner.migrate, dsn, path, wait=30)
        outcomes = [run.exception() or run.result() for run in (first, second)]
    assert ask(dsn, "SELECT amount FROM credit") == [(100,)], outcomes
    assert len(rows(dsn)) == 2


def test_a_run_whose_session_is_ended_says_so_and_the_next_one_applies_the_file(dsn: str, tmp_path: Path) -> None:
    runner.migrate(dsn, folder(tmp_path, _0000_a=ONCE))
    with ThreadPoolExecutor(1) as pool:
        run = pool.submit(runner.migrate, dsn, folder(tmp_path, _0000_a=ONCE, _0001_b=SLOW.format(seconds=15)))
        until(lambda: active(dsn, "%INSERT INTO credit"))
        ask(dsn, f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE {LOCKED}")
        with pytest.raises(Failure, match=r"0001_b\.sql:1: terminating connection.*\n?Nothing of the file was kept") as caught:
            run.result()
    assert "run it again" in caught.value.remedy
    runner.migrate(dsn, folder(tmp_path, _0000_a=ONCE, _0001_b=SLOW.format(seconds=0)))
    assert ask(dsn, "SELECT amount FROM credit") == [(100,)]


def test_time_limits_of_the_role_end_no_run(dsn: str, tmp_path: Path) -> None:
    """An idle session's limit ended the lock's session while a file ran, and a second run began."""
    user = conninfo_to_dict(dsn)["user"]
    name = conninfo_to_dict(dsn)["dbname"]
    for limit in ("idle_session_timeout", "statement_timeout", "idle_in_transaction_session_timeout", "transaction_timeout"):
        ask(dsn, f"ALTER ROLE {user} IN DATABASE {name} SET {limit} = '300ms'")
    path = folder(tmp_path, _0000_a=ONCE, _0001_b=SLOW.format(seconds=1))
    with ThreadPoolExecutor(2) as pool:
        results = [run.result() for run in [pool.submit(runner.migrate, dsn, path, wait=30) for _ in range(2)]]
    assert sorted(len(result.applied) for result in results) == [0, 2]
    with psycopg.connect(dsn, autocommit=True) as other:
        assert other.execute("SELECT amount FROM credit").fetchall() == [(100,)]


def test_a_file_that_lets_the_lock_go_lets_nobody_in(dsn: str, tmp_path: Path) -> None:
    """Each transaction holds the lock by itself as well."""
    runner.migrate(dsn, folder(tmp_path, _0000_a=ONCE))
    path = folder(tmp_path, _0000_a=ONCE, _0001_b="SELECT pg_advisory_unlock_all();\n--> statement-breakpoint\n" + SLOW.format(seconds=1))
    with ThreadPoolExecutor(2) as pool:
        first = pool.submit(runner.migrate, dsn, path)
        until(lambda: active(dsn, "%INSERT INTO credit"))
        second = pool.submit(runner.migrate, dsn, path, wait=30)
        outcomes = [run.exception() or run.result() for run in (first, second)]
    assert ask(dsn, "SELECT amount FROM credit") == [(100,)], outcomes
    assert len(rows(dsn)) == 2


def test_a_lock_that_was_lost_ends_a_run_before_what_cannot_be_in_a_transaction(dsn: str, tmp_path: Path) -> None:
    runner.migrate(dsn, folder(tmp_path, _0000_a=TABLE))
    text = "SELECT pg_advisory_unlock_all();\n--> statement-breakpoint\nCREATE INDEX CONCURRENTLY i ON a (x);"
    with pytest.raises(Failure, match="this session has lost the migration lock"):
        runner.migrate(dsn, folder(tmp_path, _0000_a=TABLE, _0001_b=text))
    assert ask(dsn, "SELECT to_regclass('i')") == [(None,)]


def test_the_connection_of_a_run_is_looked_after_by_both_ends(dsn: str) -> None:
    with connect(Secret(dsn), "lock") as connection:
        connection.execute(settings(connection))
        names = ("idle_session_timeout", "tcp_keepalives_idle", "client_connection_check_interval")
        shown = [connection.execute(f"SHOW {name}".encode()).fetchone() for name in names]
        assert shown == [("0",), ("30",), ("1s",)]
        with socket.socket(fileno=os.dup(connection.fileno())) as ours:
            assert ours.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE) == 1


@pytest.mark.parametrize("mode", ["transaction", "session"])
def test_a_pooler_is_refused_with_the_reason(dsn: str, tmp_path: Path, mode: str) -> None:
    with pooled(dsn, tmp_path, mode) as through:
        assert shared(through) is (mode == "transaction")
        with pytest.raises(Refused, match="a connection pooler") as caught:
            runner.migrate(through, folder(tmp_path / "m", _0000_a=ONCE), wait=3)
        assert "the database's own address" in caught.value.remedy
        assert ask(dsn, "SELECT to_regclass('credit'), (SELECT count(*) FROM pg_locks WHERE locktype = 'advisory')") == [(None, 0)]
        assert len(runner.pending(through, tmp_path / "m")) == 1  # only reading is as good through a pooler


# ---------------------------------------------------------------- each file begins with the same session

LEAKS = {
    "search_path": ("CREATE SCHEMA other; SET search_path = other;", "CREATE TABLE t (x int);"),
    "set_config": ("CREATE SCHEMA other; SELECT set_config('search_path', 'other', false);", "CREATE TABLE t (x int);"),
    "client_encoding": ("SET client_encoding = 'latin1';", 'CREATE TABLE t ("tä" int);'),
    "statement_timeout": ("SET statement_timeout = '20ms';", "SELECT pg_sleep(0.1); CREATE TABLE t (x int);"),
    "temporary table": ("CREATE TEMP TABLE t (y int);", "CREATE TABLE t (x int); INSERT INTO t (x) VALUES (1);"),
    "prepared statement": ("PREPARE p AS SELECT 1;", "PREPARE p AS SELECT 2; CREATE TABLE t (x int);"),
    "role": ("SET ROLE pg_read_all_data;", "CREATE TABLE t (x int);"),
    "session authorization": ("SET SESSION AUTHORIZATION pg_read_all_data;", "CREATE TABLE t (x int);"),
    "replication role": (
        "SET session_replication_role = 'replica';",
        "CREATE TABLE t (x int); INSERT INTO t VALUES (length(current_setting('session_replication_role')));",
    ),
}
SEEN = """
SELECT c.oid::regclass::text, r.rolname, a.attname FROM pg_class c JOIN pg_roles r ON r.oid = c.relowner
JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0
WHERE c.relkind = 'r' AND c.relnamespace::regnamespace::text NOT IN ('pg_catalog', 'information_schema', 'drizzle')
"""


@pytest.mark.parametrize("setting", LEAKS)
@pytest.mark.parametrize("marker", ["", "-- nextai:no-transaction\n"])
def test_what_a_file_leaves_in_the_session_does_not_reach_the_next(
    server: str, dsn: str, tmp_path: Path, setting: str, marker: str
) -> None:
    """Two files that run together make what they make when they run one after the other."""
    first, second = (f"{marker}{text}" for text in LEAKS[setting])
    runner.migrate(dsn, unjudged(folder(tmp_path / "first", _0000_a=first)))
    runner.migrate(dsn, unjudged(folder(tmp_path / "both", _0000_a=first, _0001_b=second)))
    name = f"{conninfo_to_dict(dsn)['dbname']}_together"
    ask(server, f"CREATE DATABASE {name}")
    try:
        together = make_conninfo(server, dbname=name)
        runner.migrate(together, tmp_path / "both")
        assert ask(together, SEEN) == ask(dsn, SEEN) != []
        assert [row[1] for row in rows(together)] == [1000, 1001]
        if setting == "replication role":
            assert ask(together, "SELECT x FROM t") == [(len("origin"),)]
    finally:
        ask(server, f"DROP DATABASE {name} WITH (FORCE)")


# ---------------------------------------------------------------- others in the way


def test_a_table_in_use_is_tried_again_until_it_is_free(dsn: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(apply, "LOCK_TIMEOUT", "50ms")
    monkeypatch.setattr(apply, "PAUSE_SECONDS", (0.02, 0.02))
    runner.migrate(dsn, folder(tmp_path, _0000_a=TABLE))
    said: list[str] = []
    blocked = threading.Event()

    def say(line: str) -> None:
        said.append(line)
        blocked.set()

    with psycopg.connect(dsn, application_name="report") as other, ThreadPoolExecutor(1) as pool:
        other.execute("SELECT * FROM a")
        run = pool.submit(runner.migrate, dsn, folder(tmp_path, _0000_a=TABLE, _0001_b="ALTER TABLE a ADD y int;"), say=say)
        assert blocked.wait(20)
        other.commit()
        assert [ran.file for ran in run.result().applied] == ["0001_b.sql"]
    assert "canceling statement due to lock timeout" in said[0]
    assert "the oldest open transaction is that of report" in said[0]


def test_a_table_that_stays_in_use_is_a_failure_that_names_who(dsn: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(apply, "LOCK_TIMEOUT", "20ms")
    monkeypatch.setattr(apply, "PAUSE_SECONDS", (0.01, 0.01))
    runner.migrate(dsn, folder(tmp_path, _0000_a=TABLE))
    with psycopg.connect(dsn, application_name="report") as other:
        other.execute("SELECT * FROM a")
        with pytest.raises(Failure, match=r"report .*after 8 attempts"):
            runner.migrate(dsn, folder(tmp_path, _0000_a=TABLE, _0001_b="ALTER TABLE a ADD y int;"))


@pytest.mark.parametrize(
    "text",
    [
        "VACUUM FULL a;",
        "REINDEX TABLE a;",
        "ALTER TABLE p DETACH PARTITION a CONCURRENTLY;",
        "SET lock_timeout = 0;\n--> statement-breakpoint\nALTER TABLE a ADD y int;",
        "SET LOCK_TIMEOUT = 0; ALTER TABLE a ADD y int;",
        "SET lock_timeout TO DEFAULT; ALTER TABLE a ADD y int;",
        "SELECT set_config('lock_' || 'timeout', '0', false);\n--> statement-breakpoint\nALTER TABLE a ADD y int;",
        "RESET ALL;\n--> statement-breakpoint\nALTER TABLE a ADD y int;",
        "-- nextai:no-transaction\nSET lock_timeout = 0;\n--> statement-breakpoint\nALTER TABLE a ADD y int;",
        "-- nextai:no-transaction\nSET lock_timeout = 0; ALTER TABLE a ADD y int;",
    ],
)
def test_no_statement_waits_for_a_lock_without_a_bound(dsn: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    """Who reads the table queues behind whoever waits for it, and so waits as long."""
    monkeypatch.setattr(apply, "LOCK_TIMEOUT", "30ms")
    monkeypatch.setattr(apply, "PAUSE_SECONDS", (0.01, 0.01))
    table = "CREATE TABLE p (x int) PARTITION BY LIST (x); CREATE TABLE a PARTITION OF p FOR VALUES IN (1);"
    table += "CREATE INDEX i ON a (x);" if "p DETACH" not in text else ""
    table = table if "p DETACH" in text else "CREATE TABLE a (x int); CREATE INDEX i ON a (x);"
    runner.migrate(dsn, folder(tmp_path, _0000_a=table))
    path = unjudged(folder(tmp_path, _0000_a=table, _0001_b=text))
    with ThreadPoolExecutor(1) as pool, psycopg.connect(dsn) as other:
        other.execute("SELECT * FROM a")
        run = pool.submit(runner.migrate, dsn, path)
        assert "after 8 attempts" in str(run.exception(timeout=20))
        other.rollback()
        other.execute("SELECT * FROM a")


def test_what_keeps_nobody_waiting_may_wait_longer_but_not_for_ever(dsn: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(apply, "LOCK_TIMEOUT", "10ms")
    monkeypatch.setattr(apply, "LONG_LOCK_TIMEOUT", "500ms")
    monkeypatch.setattr(apply, "PAUSE_SECONDS", (0.01, 0.01))
    runner.migrate(dsn, folder(tmp_path, _0000_a=TABLE))
    path = folder(tmp_path, _0000_a=TABLE, _0001_b="CREATE INDEX CONCURRENTLY i ON a (x);")
    with psycopg.connect(dsn, application_name="report") as other:
        other.execute("INSERT INTO a VALUES (7)")
        begin = time.monotonic()
        with pytest.raises(Failure, match=r"report .*after 2 attempts"):
            runner.migrate(dsn, path)
        assert 0.9 < time.monotonic() - begin < 15
    runner.migrate(dsn, path)
    assert ask(dsn, INDEXES) == [("i", True)]


# ---------------------------------------------------------------- the program


def program(dsn: str, *argv: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "DATABASE_URL": dsn}
    return subprocess.run(
        [sys.executable, "-m", "ops.database", *argv], cwd=ROOT, env=environment, text=True, capture_output=True, check=False
    )


def test_the_program_speaks_to_people_and_to_machines(dsn: str, tmp_path: Path) -> None:
    path = ["--folder", str(folder(tmp_path, _0000_a=TABLE))]
    dry = program(dsn, "migrate", "--dry-run", *path)
    assert "-- 0000_a.sql\nCREATE TABLE a (x int);" in dry.stdout
    assert "1 pending, nothing was run" in dry.stdout
    done = program(dsn, "migrate", "--json", "--plan", *path)
    assert json.loads(done.stdout)["applied"][0]["file"] == "0000_a.sql"
    assert "CREATE TABLE a" in done.stderr and "applied 0000_a.sql in " in done.stderr
    status = program(dsn, "status", "--json", *path)
    document = json.loads(status.stdout)
    assert (status.returncode, len(document["applied"]), document["pending"]) == (0, 1, [])
    edited = program(dsn, "status", *path[:1], str(folder(tmp_path, _0000_a="SELECT 1")))
    assert (edited.returncode, "0000_a.sql was edited" in edited.stderr) == (3, True)
    assert program(dsn, "migrate", "--folder", str(tmp_path / "none")).returncode == 2
    assert program("", "status").returncode == 2


@pytest.mark.parametrize(
    "wrong",
    [
        "postgresql://nextai:hunter2@127.0.0.1:1/x",
        "postgresql://nextai:hunter2@127.0.0.1:port/x",
        "postgresql://nextai:hunter2@nowhere.invalid/x",
        "nextai:hunter2@127.0.0.1",
        "postgresql://nextai:hunter2@[::1/x",
    ],
)
def test_the_password_is_never_shown(wrong: str) -> None:
    done = program(wrong, "status")
    assert done.returncode in {1, 2}
    assert "cause:" in done.stderr
    assert "hunter2" not in done.stderr + done.stdout


def test_a_wrong_password_is_not_repeated(dsn: str, tmp_path: Path) -> None:
    with pytest.raises(Failure, match="password authentication failed") as caught:
        runner.migrate(Secret(make_conninfo(dsn, password="hunter2")), folder(tmp_path, _0000_a=TABLE))
    assert "hunter2" not in str(caught.value) + caught.value.remedy


def test_what_goes_into_the_image_is_enough_to_migrate(dsn: str, tmp_path: Path) -> None:
    catalog = load(ROOT)
    job = catalog.jobs[catalog.database.job]
    for declared in (job.path, *job.packages, *job.files):
        source, target = ROOT / declared, tmp_path / declared
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copytree(source, target) if source.is_dir() else shutil.copy(source, target)
    command = [sys.executable, "-m", job.path.replace("/", "."), "migrate", "--json"]
    done = subprocess.run(command, cwd=tmp_path, env={"DATABASE_URL": dsn}, text=True, capture_output=True, check=False)
    assert done.returncode == 0, done.stderr
    assert len(json.loads(done.stdout)["applied"]) == len(journal.read(ROOT / catalog.database.migrations))


def test_the_program_brings_nothing_but_psycopg() -> None:
    # What is there at the start is the interpreter's: Debian's brings a sitecustomize.
    script = """
import sys
begin = set(sys.modules)
from ops.database.__main__ import main
main(["status"])
print(*{name.partition(".")[0] for name in set(sys.modules) - begin})
"""
    environment = {**os.environ, "DATABASE_URL": "postgresql://127.0.0.1:1/x"}
    done = subprocess.run([sys.executable, "-c", script], cwd=ROOT, env=environment, text=True, capture_output=True, check=True)
    brought = {name for name in done.stdout.split() if name not in sys.stdlib_module_names and not name.startswith("_")}
    assert brought <= {"ops", "psycopg", "psycopg_binary", "typing_extensions", "cython_runtime"}


@pytest.mark.parametrize(
    "password",
    ["hunter2@Secret", "hunter2/Secret", "@hunter2Secret", "hunter2/@Secret", "hunter2:Secret@", "100%hunter2Secret", "hunter2?Secret"],
)
@pytest.mark.parametrize("scheme", ["postgresql", "postgres", "'postgresql", "postgresql+psycopg"])
def test_no_part_of_a_password_that_is_not_encoded_is_shown(password: str, scheme: str) -> None:
    done = program(f"{scheme}://nextai:{password}@127.0.0.1:1/x?sslmode=disable", "status")
    assert done.returncode in {1, 2}
    assert "cause:" in done.stderr
    assert not any(part in done.stderr + done.stdout for part in ("hunter2", "Secret"))
    if done.returncode == 2:
        assert "Percent-encode the password's special characters: @ is %40, / is %2F" in done.stderr


def test_a_moved_connection_string_shows_no_password_either() -> None:
    with pytest.raises(UsageError) as caught:
        moved(Secret("postgresql://nextai:hunter2@Secret@db:5432/x"), "127.0.0.1", 1)
    assert not any(part in str(caught.value) for part in ("hunter2", "Secret"))


# ---------------------------------------------------------------- a database that takes no connection yet


def answering(*answers: bytes) -> Iterator[int]:
    """A server on a port of its own that gives each connection one of the answers, and the last one from then on."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        stopped = threading.Event()

        def serve() -> None:
            left = list(answers)
            while not stopped.is_set():
                connection, _ = listening.accept()
                with connection:
                    connection.recv(8192)
                    connection.sendall(left.pop(0) if len(left) > 1 else left[0])

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield listening.getsockname()[1]
        stopped.set()
        with suppress(OSError), socket.create_connection(("127.0.0.1", listening.getsockname()[1])) as last:
            last.sendall(b"end")
        thread.join(5)


def fatal(code: str, message: str) -> bytes:
    """PostgreSQL's ErrorResponse (protocol, chapter 54.7)."""
    fields = f"SFATAL\0VFATAL\0C{code}\0M{message}\0\0".encode()
    return b"E" + (len(fields) + 4).to_bytes(4) + fields


STARTING = fatal("57P03", "the database system is starting up")


def test_a_server_that_starts_or_drops_a_connection_is_tried_again_and_named() -> None:
    said: list[str] = []
    wrong = fatal("28P01", 'password authentication failed for user "x"')
    with contextmanager(answering)(STARTING, b"", STARTING, wrong) as port:
        dsn = Secret(f"postgresql://x:hunter2@127.0.0.1:{port}/x?sslmode=disable&gssencmode=disable")
        with pytest.raises(Failure, match="password authentication failed") as caught:
            connect(dsn, "status", said.append)
    assert f"127.0.0.1:{port}/x takes no connection yet" in said[0] and "the database system is starting up" in said[0]
    assert "attempt 4" in caught.value.cause and caught.value.doing == f"connecting to the database 127.0.0.1:{port}/x"


def test_a_server_that_does_not_come_up_is_a_failure_within_a_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    module = sys.modules[connect.__module__]
    monkeypatch.setattr(module, "PASSING", tuple((pattern, 0.5) for pattern, _ in PASSING))
    with contextmanager(answering)(STARTING) as port:
        begin = time.monotonic()
        with pytest.raises(Failure, match=r"the database system is starting up.*\(attempt \d+, after 0 s\)"):
            connect(Secret(f"postgresql://x:hunter2@127.0.0.1:{port}/x?sslmode=disable&gssencmode=disable"), "status")
    assert time.monotonic() - begin < 5


# ---------------------------------------------------------------- files as other checkouts and tools have them


def test_the_same_files_with_other_line_ends_are_the_same_files(dsn: str, tmp_path: Path) -> None:
    text = "CREATE TABLE a (\n  x text DEFAULT 'one\ntwo'\n);\n"
    runner.migrate(dsn, folder(tmp_path / "unix", _0000_a=text))
    windows = folder(tmp_path / "windows", _0000_a=text)
    (windows / "0000_a.sql").write_bytes(text.replace("\n", "\r\n").encode())
    assert runner.pending(dsn, windows) == ()
    ask(dsn, "DROP SCHEMA drizzle CASCADE; DROP TABLE a")
    runner.migrate(dsn, windows)
    assert runner.pending(dsn, tmp_path / "unix") == ()
    assert ask(dsn, "INSERT INTO a DEFAULT VALUES RETURNING x") == [("one\ntwo",)]
    with pytest.raises(Refused, match="was edited"):
        runner.status(dsn, folder(tmp_path / "edited", _0000_a=text.replace("two", "three")))


def test_a_byte_order_mark_and_a_breakpoint_in_a_string_are_no_trouble(dsn: str, tmp_path: Path) -> None:
    body = "CREATE FUNCTION f() RETURNS int LANGUAGE plpgsql AS $$ BEGIN\n--> statement-breakpoint\nRETURN 1; END $$;"
    texts = {"_0000_a": "\ufeffCREATE TABLE t (x text DEFAULT 'a --> statement-breakpoint b');", "_0001_b": body}
    runner.migrate(dsn, folder(tmp_path / "m", **texts))
    assert ask(dsn, "INSERT INTO t DEFAULT VALUES RETURNING x, f()") == [("a --> statement-breakpoint b", 1)]
    without = folder(tmp_path / "without", **texts | {"_0000_a": texts["_0000_a"].removeprefix("\ufeff")})
    assert runner.pending(dsn, without) == ()


def test_a_value_that_a_block_adds_may_be_used_in_the_same_file(dsn: str, tmp_path: Path) -> None:
    block = "DO $$ BEGIN ALTER TYPE mood ADD VALUE 'calm'; END $$;\n--> statement-breakpoint\nCREATE TABLE t (m mood DEFAULT 'calm');"
    runner.migrate(dsn, unjudged(folder(tmp_path, _0000_a="CREATE TYPE mood AS ENUM ('sad');", _0001_b=block)))
    assert ask(dsn, "INSERT INTO t DEFAULT VALUES RETURNING m::text") == [("calm",)]


# ---------------------------------------------------------------- a project that comes with a history

HISTORY = {
    "_0000_a": TABLE,
    "_0001_b": "ALTER TABLE a DROP COLUMN x, ADD y int;\nUPDATE a SET y = 1;",
    "_0002_c": "ALTER TABLE a ADD z int;",
}


def test_history_is_not_held_against_the_gates_and_what_follows_is(dsn: str, tmp_path: Path) -> None:
    path = folder(tmp_path, **HISTORY)
    with pytest.raises(Refused, match=r"0001_b\.sql"):
        runner.migrate(dsn, path)
    journal.write_baseline(path, "0001_b")
    assert [migration.history for migration in journal.read(path)] == [True, True, False]
    assert len(runner.migrate(dsn, path).applied) == 3
    with pytest.raises(Refused, match=r"0003_d\.sql:1"):
        runner.migrate(dsn, folder(tmp_path, **HISTORY, _0003_d="ALTER TABLE a DROP COLUMN z;"))
    (path / "0003_d.sql").unlink()
    status = program(dsn, "status", "--folder", str(folder(tmp_path, **HISTORY))).stdout
    assert [line.split() for line in status.splitlines()[:3]] == [
        ["history", "0000_a.sql"],
        ["history", "0001_b.sql"],
        ["applied", "0002_c.sql"],
    ]


def test_history_runs_in_no_database_that_has_it_unrecorded(dsn: str, tmp_path: Path) -> None:
    """A schema that was pushed, or restored without Drizzle's table: running its history again could drop what it has."""
    path = unjudged(folder(tmp_path, **HISTORY))
    ask(dsn, "CREATE TABLE a (y int, z int)")
    with pytest.raises(Refused, match=r"has tables \(a\), and no record of any migration") as caught:
        runner.migrate(dsn, path)
    assert "invoke migrate.baseline --env ENV --to TAG" in caught.value.remedy
    assert [migration.tag for migration in runner.unrecorded(dsn, path, "0001_b")] == ["0000_a", "0001_b"]
    assert [migration.tag for migration in runner.baseline(dsn, path, "0001_b")] == ["0000_a", "0001_b"]
    assert runner.baseline(dsn, path, "0001_b") == ()
    assert [row[1] for row in rows(dsn)] == [1000, 1001]
    assert [migration.tag for migration in runner.pending(dsn, path)] == ["0002_c"]


def test_an_empty_database_and_an_unknown_file_have_no_baseline(dsn: str, tmp_path: Path) -> None:
    path = folder(tmp_path, **HISTORY)
    with pytest.raises(Refused, match="has no tables"):
        runner.baseline(dsn, path, "0001_b")
    with pytest.raises(UsageError, match="there is no migration 0009_x"):
        runner.unrecorded(dsn, path, "0009_x")
    with pytest.raises(UsageError, match="the journal has no 0009_x"):
        journal.write_baseline(path, "0009_x")


def test_history_that_was_edited_after_it_ran_is_a_warning(dsn: str, tmp_path: Path) -> None:
    runner.migrate(dsn, folder(tmp_path, **HISTORY | {"_0001_b": "ALTER TABLE a ADD y int;"}))
    path = folder(tmp_path, **HISTORY)
    with pytest.raises(Refused, match=r"0001_b\.sql was edited"):
        runner.status(dsn, path)
    journal.write_baseline(path, "0001_b")
    status = runner.status(dsn, path)
    assert status.pending == () and "0001_b.sql is history and was edited after it ran" in status.oddities[0]


def test_a_taken_over_folder_runs_and_drizzle_can_take_it_back(dsn: str, server: str, tmp_path: Path) -> None:
    """Stray files, gaps in idx, the dialect pg and times out of order are told, and keep nobody from running."""
    path = folder(tmp_path / "m", **HISTORY)
    document = json.loads((path / "meta/_journal.json").read_text())
    for entry, (idx, when) in zip(document["entries"], [(0, 1700000000000), (2, 1700000000500), (7, 1700000000100)], strict=True):
        entry |= {"idx": idx, "when": when}
    (path / "meta/_journal.json").write_text(json.dumps(document | {"dialect": "pg"}))
    (path / "notes.sql").write_text("DROP TABLE a;")
    journal.write_baseline(path, "0001_b")
    told = "\n".join(runner.status(dsn, path).oddities)
    for word in ("the dialect pg", "notes.sql", "0001_b.sql has idx 2", "0002_c.sql is not younger than 0001_b.sql"):
        assert word in told
    assert len(runner.migrate(dsn, path).applied) == 3
    url = f"{server.rpartition('/')[0]}/{conninfo_to_dict(dsn)['dbname']}"
    before = ask(dsn, "SELECT * FROM drizzle.__drizzle_migrations ORDER BY id")
    (path / "meta/_journal.json").write_text(json.dumps(document))
    drizzle(url, tmp_path / "drizzle.config.json", path)
    assert ask(dsn, "SELECT * FROM drizzle.__drizzle_migrations ORDER BY id") == before


# ---------------------------------------------------------------- squawk


def test_locks_that_keep_others_waiting_are_found_by_file_and_line(tmp_path: Path) -> None:
    index = "SELECT 1;\n--> statement-breakpoint\nCREATE INDEX i ON users (name);"
    path = folder(tmp_path, _0000_a=index, _0001_b="CREATE INDEX CONCURRENTLY j ON users (name);")
    (said,) = lint(journal.read(path))
    assert (said.file, said.line, said.rule, said.name) == ("0000_a.sql", 3, "build-index", "require-concurrent-index-creation")


@pytest.mark.parametrize("comment", ["-- squawk-ignore-file", "-- squawk-ignore require-concurrent-index-creation", "-- squawk-disable"])
def test_neither_a_comment_nor_a_configuration_switches_a_rule_off(tmp_path: Path, comment: str) -> None:
    (tmp_path / ".squawk.toml").write_text('excluded_rules = ["require-concurrent-index-creation"]')
    path = folder(tmp_path / "migrations", _0000_a=f"{comment}\nCREATE INDEX i ON users (name);")
    assert [said.rule for said in lint(journal.read(path))] == ["build-index"]


def test_what_was_not_shown_is_not_run(dsn: str, tmp_path: Path) -> None:
    shown = runner.pending(dsn, folder(tmp_path, _0000_a=TABLE))
    path = folder(tmp_path, _0000_a=TABLE, _0001_b="SELECT 1")  # a pull, while somebody thought about the question
    with pytest.raises(Refused, match=r"0001_b\.sql came into the checkout after"):
        runner.migrate(dsn, path, shown=shown)
    assert runner.pending(dsn, path) == journal.read(path)
    assert len(runner.migrate(dsn, path, shown=journal.read(path)).applied) == 2


def test_the_projects_own_migrations_keep_nobody_waiting() -> None:
    assert lint(journal.read(PROJECT)) == ()


# ---------------------------------------------------------------- beside Drizzle


def drizzle(url: str, config: Path, folder: Path = PROJECT) -> None:
    """drizzle-kit's own `migrate` on a folder."""
    config.write_text(json.dumps({"dialect": "postgresql", "out": str(folder), "dbCredentials": {"url": url}}))
    package = ROOT / "packages/db"
    program = package / "node_modules/drizzle-kit/bin.cjs"
    kit = (Path(sys.executable).with_name("node"), program, "migrate", "--config", config)
    done = subprocess.run(kit, cwd=package, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_drizzle_kit_finds_nothing_to_do_after_us_and_we_nothing_after_it(dsn: str, server: str, tmp_path: Path) -> None:
    url = f"{server.rpartition('/')[0]}/{conninfo_to_dict(dsn)['dbname']}"
    runner.migrate(dsn, PROJECT)
    before = ask(dsn, "SELECT * FROM drizzle.__drizzle_migrations ORDER BY id")
    drizzle(url, tmp_path / "drizzle.config.json")
    assert ask(dsn, "SELECT * FROM drizzle.__drizzle_migrations ORDER BY id") == before
    ask(dsn, "DROP SCHEMA drizzle CASCADE; DROP SCHEMA public CASCADE; CREATE SCHEMA public")
    drizzle(url, tmp_path / "drizzle.config.json")
    assert rows(dsn) == [row[1:] for row in before]
    assert runner.migrate(dsn, PROJECT).applied == ()
