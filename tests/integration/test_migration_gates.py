"""The gates on migrations, judged by a real PostgreSQL: statements with their verdicts, waivers, the scratch server itself."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from threading import Timer
from typing import Any
from uuid import uuid4

import psycopg
import pytest

from ops.catalog import Catalog, load
from ops.cluster import schema
from ops.cluster.plan import Origin
from ops.cluster.record import RecordedMigration
from ops.cluster.target import Target
from ops.config import sidecar
from ops.database import effects, lint, safety, scratch, weigh, witness
from ops.database import verdicts as verdicts_kept
from ops.database.findings import Finding
from ops.database.journal import Migration
from ops.database.judging import judge
from ops.database.reading import World
from ops.database.safety import TargetDatabase
from ops.errors import Refused
from ops.folders import cache

ROOT = Path(__file__).resolve().parents[2]
DATA = ROOT / "tests/data/migrations"
SCHEMA = Migration(0, "0000_schema", 1, (DATA / "schema.sql").read_text())
CASE = re.compile(r"^-- case(?P<rules>[ a-z-]*)\n", re.MULTILINE)


def cases(file: str) -> list[tuple[Migration, set[str]]]:
    """The cases of a collection: each a migration of its own, and the rules that it names."""
    text = (DATA / file).read_text()
    marks = list(CASE.finditer(text))
    ends = [mark.start() for mark in marks[1:]] + [len(text)]
    return [
        (Migration(1, f"{file.removesuffix('.sql')}_{place:03}", 2, text[mark.end() : end].strip()), set(mark["rules"].split()))
        for place, (mark, end) in enumerate(zip(marks, ends, strict=True))
    ]


UNSAFE, SAFE = cases("unsafe.sql"), cases("safe.sql")


@pytest.fixture(scope="module", autouse=True)
def server() -> Iterator[scratch.ScratchServer]:
    """One scratch server for all tests, named as that of a migration Job is."""
    with scratch.server() as server, pytest.MonkeyPatch.context() as environment:
        environment.setenv(sidecar.VARIABLE, server.admin.reveal())
        yield server


@pytest.fixture(scope="module")
def verdicts(server: scratch.ScratchServer) -> dict[str, tuple[Finding, ...]]:
    """The findings of every case, from one scratch server: in one database what runs in a transaction, else in one of its own."""
    everything = [migration for migration, _ in (*UNSAFE, *SAFE)]
    world = World()
    weigh.read(SCHEMA, world)
    told = lint.lint(everything)
    said = {migration.file: tuple(one for one in told if one.file == migration.file) for migration in everything}
    found: dict[str, tuple[effects.Effect, ...]] = {}
    with scratch.database(server, "nextai") as database:
        found |= effects.observe(database, [SCHEMA], [one for one in everything if one.transactional], keep=False)
    for migration in everything:
        if not migration.transactional:
            with scratch.database(server, "nextai") as database:
                found |= effects.observe(database, [SCHEMA], [migration])
    return {one.file: weigh.weighed([one], weigh.Witnesses(found, said), World(functions=dict(world.functions))) for one in everything}


@pytest.mark.parametrize(("migration", "rules"), UNSAFE, ids=lambda value: value.tag if isinstance(value, Migration) else "")
def test_what_is_unsafe_is_refused_by_its_rule(migration: Migration, rules: set[str], verdicts: dict[str, tuple[Finding, ...]]) -> None:
    assert {finding.rule for finding in verdicts[migration.file] if finding.refused or finding.rule == "fails"} == rules, migration.text


@pytest.mark.parametrize(("migration", "rules"), SAFE, ids=lambda value: value.tag if isinstance(value, Migration) else "")
def test_what_is_safe_passes(migration: Migration, rules: set[str], verdicts: dict[str, tuple[Finding, ...]]) -> None:
    found = verdicts[migration.file]
    assert [str(finding) for finding in found if finding.refused] == [], migration.text
    assert {finding.rule for finding in found if finding.level == "warned"} == rules, migration.text


# ---------------------------------------------------------------- the cases of others' trials: a history, and one file


def judged(*texts: str) -> tuple[Finding, ...]:
    """The verdict on the last of some files."""
    files = [Migration(place, f"{place:04}_x", place + 1, text) for place, text in enumerate(texts)]
    verdict = judge(files, files[-1:], user="nextai")
    assert verdict.tried, verdict.why
    return verdict.findings


def refused(*texts: str) -> list[tuple[int, str]]:
    return [(finding.line, finding.rule) for finding in judged(*texts) if finding.refused]


TABLE = "CREATE TABLE t (a int, b int);"


@pytest.mark.parametrize(
    ("before", "text", "rules"),
    [
        (TABLE, "CREATE INDEX x ON t (a);\nCREATE INDEX y ON t (b);", [(1, "build-index"), (2, "build-index")]),
        (
            "CREATE TABLE p (a int) PARTITION BY LIST (a); CREATE TABLE c PARTITION OF p FOR VALUES IN (1);",
            "ALTER TABLE p ADD COLUMN x int;\nALTER TABLE ONLY c ADD CHECK (a > 0);\nALTER TABLE p ALTER COLUMN a SET NOT NULL;",
            [(2, "scan-table"), (3, "set-not-null")],
        ),
        (
            TABLE + "CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN NULL; END $$;"
            "CREATE TRIGGER z AFTER INSERT ON t EXECUTE FUNCTION f();",
            "ALTER TABLE t ADD COLUMN c int;\nCREATE TABLE u (a int);\nDROP TRIGGER z ON t;\n"
            "CREATE TRIGGER z AFTER INSERT ON t EXECUTE FUNCTION f();",
            [(3, "drop-trigger"), (4, "create-trigger")],
        ),
        (
            TABLE,
            "ALTER TABLE t ADD COLUMN c int;\nALTER TABLE t ADD CHECK (a > 0) NOT VALID;\nALTER TABLE t DROP COLUMN b;",
            [(3, "drop-column")],
        ),
    ],
)
def test_a_statement_is_judged_by_what_it_touches_though_the_file_has_locked_that_before(
    before: str, text: str, rules: list[tuple[int, str]]
) -> None:
    assert [(one.line, one.rule) for one in judged(before, text) if one.level != "shown"] == rules


def test_what_is_asked_about_a_statement_does_not_grow_with_the_file(
    server: scratch.ScratchServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    sizes: list[int] = []
    report = witness.report

    def counted(*given: Any, **how: Any) -> Any:
        found = report(*given, **how)
        sizes.append(len(found[0].facts) + len(found[0].locks) + len(found[0].seen))
        return found

    monkeypatch.setattr(witness, "report", counted)
    tables = range(30)
    before = Migration(0, "0000_a", 1, "\n".join(f"CREATE TABLE t{n} (a int);" for n in tables))
    text = "\n".join(f"ALTER TABLE t{n} ADD COLUMN b int;\nCREATE TABLE u{n} (a int);\nCREATE INDEX ON u{n} (a);" for n in tables)
    with scratch.database(server, "nextai") as database:
        found = effects.observe(database, [before], [Migration(1, "0001_b", 2, text)])
    assert [one.rule for one in found["0001_b.sql"]] == ["locks"] * 30
    assert max(sizes) <= 5


CATALOGUE = ("pg_class", "pg_attribute", "pg_constraint", "pg_trigger", "pg_inherits", "pg_index")


def rows_read(server: scratch.ScratchServer, files: int) -> int:
    """How many rows of the catalogue PostgreSQL reads while so many files are tried, each with a table, an index and two changes."""
    text = "CREATE TABLE t{n} (a int);\nCREATE INDEX ON t{n} (a);\nALTER TABLE t{n} ADD COLUMN b int;\nINSERT INTO t{n} VALUES (1);"
    pending = [Migration(n, f"{n:04}_a", n, text.format(n=n)) for n in range(files)]
    with scratch.database(server, "nextai") as database:
        found = effects.observe(database, [], pending)
        assert not any(found.values())
        for session in (database.owner, database.observer):
            session.execute("SELECT pg_stat_force_next_flush()")
            session.execute("SELECT pg_stat_clear_snapshot()")
        asked = "SELECT sum(coalesce(idx_tup_fetch, 0) + seq_tup_read)::bigint FROM pg_stat_sys_tables WHERE relname = ANY (%s)"
        row = database.observer.execute(asked, (list(CATALOGUE),)).fetchone()
    total = int(str(row[0])) if row else 0
    assert total > files
    return total


def test_the_rows_that_are_read_grow_no_faster_than_the_files(server: scratch.ScratchServer) -> None:
    few, more, most = (rows_read(server, files) for files in (20, 40, 80))
    assert most - more < 2.4 * (more - few), (few, more, most)  # 2.0 where each file costs the same


def test_a_waiver_allows_one_rule_of_one_statement() -> None:
    text = """-- nextai:contract drop-column: no version since 1.4 reads it
ALTER TABLE t DROP COLUMN b;
--> statement-breakpoint
UPDATE t SET a = 1;
--> statement-breakpoint
ALTER TABLE t DROP COLUMN a;
"""
    assert refused(TABLE, text) == [(4, "moves-rows"), (6, "drop-column")]


def test_several_effects_of_one_statement_have_a_waiver_each() -> None:
    text = """-- nextai:contract drop-column: no version since 1.4 reads it
-- nextai:contract drop-view: nobody asks for it any more
-- What follows is the second half of 1.4.
ALTER TABLE t DROP COLUMN b CASCADE;"""
    assert refused(TABLE, "CREATE VIEW v AS SELECT b FROM t", text) == []
    assert refused(TABLE, "CREATE VIEW v AS SELECT b FROM t", text.replace("drop-view", "drop-table")) == [(4, "drop-view")]


@pytest.mark.parametrize(
    "comment",
    [
        "-- nextai:contract nobody reads it",
        "-- nextai:contract",
        "-- nextai:contract drop-column: .",
        "-- nextai:contract drop-column: ok",
        "-- nextai:contract drop-column: 1234 5678",
        "-- nextai:contract drop-colum: nobody reads it",
        "-- nextai:contract transaction-control: nobody reads it",
        "-- nextai:contract locks: nobody reads it",
        "-- contract: nobody reads it",
        "-- nextai: contract drop-column: nobody reads it",
        "--nextai:contract drop-column: nobody reads it",
        "-- Nextai:Contract drop-column: nobody reads it",
        "/* nextai:contract drop-column: nobody reads it */",
        "-- nextai:kontract drop-column: nobody reads it",
        "SELECT 1; -- nextai:contract drop-column: nobody reads it",
        "SELECT 1\n-- nextai:contract drop-column: nobody reads it\n;",
    ],
)
def test_what_looks_like_a_waiver_and_is_none_is_an_error_that_says_the_form(comment: str) -> None:
    found = judged(TABLE, f"{comment}\nALTER TABLE t DROP COLUMN b;")
    assert {finding.rule for finding in found if finding.refused} == {"waiver-form", "drop-column"}
    assert any("`-- nextai:contract RULE: REASON`" in finding.advice for finding in found)


@pytest.mark.parametrize(
    "text",
    [
        "SELECT '\n-- nextai:contract drop-table: nobody reads it\n'; DROP TABLE t;",
        "SELECT $$\n-- nextai:contract drop-table: nobody reads it\n$$;\n--> statement-breakpoint\nDROP TABLE t;",
        'SELECT 1 AS "\n-- nextai:contract drop-table: nobody reads it\n";\nDROP TABLE t;',
        "-- nextai:contract drop-table: nobody reads it\nSELECT 1;\nDROP TABLE t;",
    ],
)
def test_a_waiver_counts_nowhere_but_before_its_statement(text: str) -> None:
    assert [rule for _, rule in refused(TABLE, text)] == ["drop-table"]


def test_a_waiver_before_several_statements_of_one_line_is_an_error() -> None:
    text = "-- nextai:contract drop-column: nobody reads it\nALTER TABLE t DROP COLUMN b; ALTER TABLE t DROP COLUMN a;"
    assert {rule for _, rule in refused(TABLE, text)} == {"waiver-form", "drop-column"}


def test_the_gate_names_file_and_line_of_everything_at_once() -> None:
    text = "SELECT 1;\n--> statement-breakpoint\nALTER TABLE t\n  DROP COLUMN b;\n--> statement-breakpoint\nTRUNCATE t;"
    files = [Migration(0, "0000_a", 1, TABLE), Migration(1, "0001_b", 2, text)]
    with pytest.raises(Refused, match=r"(?s)0001_b\.sql:3: drops a column .*0001_b\.sql:6: empties a table"):
        safety.gate(files, files[1:])


def test_each_file_is_judged_on_what_the_files_before_it_have_made() -> None:
    """A table of the same run is another file's: it may have rows by then."""
    assert refused(TABLE, "CREATE TABLE u (a int)", "ALTER TABLE u ADD COLUMN n int NOT NULL") == [(1, "add-required-column")]


def test_the_same_files_have_the_same_verdict_from_another_server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    text = "ALTER TABLE t ADD COLUMN c bigserial, DROP COLUMN b;\nCREATE INDEX i ON t (a);\nDO $$ BEGIN TRUNCATE t; END $$;"
    first = judged(TABLE, text)
    monkeypatch.delenv(sidecar.VARIABLE)
    own_cache(tmp_path)
    monkeypatch.setenv("NEXTAI_CACHE", str(tmp_path))
    monkeypatch.setattr(verdicts_kept, "_memory", {})
    assert judged(TABLE, text) == first
    assert len(list((tmp_path / "verdicts").iterdir())) == 1


# ---------------------------------------------------------------- where nothing can be tried


def test_a_scratch_server_whose_connections_are_all_taken_is_waited_for(server: scratch.ScratchServer) -> None:
    taken: list[psycopg.Connection[Any]] = []
    with pytest.raises(psycopg.OperationalError):
        while len(taken) < 100:
            taken.append(psycopg.connect(server.admin.reveal()))

    def give_back() -> None:
        for one in taken:
            one.close()

    Timer(0.5, give_back).start()
    with scratch.session(server.admin) as connection:
        assert connection.execute("SELECT 1").fetchone() == (1,)


def test_without_a_scratch_server_the_text_is_judged_and_a_protected_environment_refuses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(sidecar.VARIABLE, "postgresql://nobody@127.0.0.1:1/none?connect_timeout=1")
    files, said = [Migration(0, "0000_a", 1, f"{TABLE} -- {uuid4()}")], list[str]()
    safety.gate(files, files, TargetDatabase(), said.append)
    assert "judged by their text alone" in said[0]
    with pytest.raises(Refused, match=r"judged by their text alone.*the environment is protected"):
        safety.gate(files, files, TargetDatabase(protected=True))
    files = [Migration(0, "0000_a", 1, f"DROP TABLE t -- {uuid4()}")]
    with pytest.raises(Refused, match="drops a table"):
        safety.gate(files, files, TargetDatabase())


def test_in_the_jobs_image_text_refuses_what_it_can_tell_and_warns_of_what_the_deploy_has_measured(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ops.database.lint", None)  # the image has no squawk
    monkeypatch.setenv(sidecar.VARIABLE, "postgresql://nobody@127.0.0.1:1/none?connect_timeout=1")
    files, said = [Migration(0, "0000_a", 1, f"ALTER TABLE t ALTER a TYPE text -- {uuid4()}")], list[str]()
    safety.gate(files, files, TargetDatabase(), said.append)
    assert said[0].startswith("warning: 0000_a.sql:1: may rewrite or read a whole table (change-type)")
    for text in ("ALTER TABLE t DROP a", "DO $$ BEGIN ALTER TABLE t ALTER a TYPE text; END $$", "CREATE TABLE u AS TABLE t"):
        files = [Migration(0, "0000_a", 1, f"{text} -- {uuid4()}")]
        with pytest.raises(Refused):
            safety.gate(files, files, TargetDatabase())


def test_another_major_version_is_said_and_a_protected_environment_refuses() -> None:
    files, said = [Migration(0, "0000_a", 1, TABLE)], list[str]()
    safety.gate(files, files, TargetDatabase(major=12), said.append)
    assert said == ["warning: the migrations were tried on PostgreSQL 18, and the environment has 12"]
    with pytest.raises(Refused, match="tried on PostgreSQL 18, and the environment has 12"):
        safety.gate(files, files, TargetDatabase(major=12, protected=True))
    safety.gate(files, files, TargetDatabase(major=18, protected=True))


def test_what_fails_there_is_warned_of_and_a_protected_environment_refuses() -> None:
    files, said = [Migration(0, "0000_a", 1, "SELECT 1,\n  nope;")], list[str]()
    safety.gate(files, files, TargetDatabase(), said.append)
    fails = '0000_a.sql:2: fails on a scratch database that the files before have made (column "nope" does not exist'
    assert [line.startswith(f"warning: {fails}") for line in said] == [True]  # once
    said.clear()
    with pytest.raises(Refused) as refused:
        safety.gate(files, files, TargetDatabase(protected=True), said.append)
    assert said == [] and refused.value.cause.startswith(fails) and "\n" not in refused.value.cause


# ---------------------------------------------------------------- the scratch server


def test_a_migration_has_no_rights_beyond_its_scratch_database(server: scratch.ScratchServer) -> None:
    with scratch.database(server, "nextai") as database:
        for hostile in (
            "COPY (SELECT 1) TO PROGRAM 'true'",
            "SELECT pg_read_file('/etc/passwd')",
            "ALTER SYSTEM SET fsync = off",
            "CREATE DATABASE other",
            "DROP SCHEMA nextai_gate CASCADE",
            "SET session_replication_role = replica",
        ):
            database.observer.execute("CREATE SCHEMA IF NOT EXISTS nextai_gate")
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                database.owner.execute(hostile.encode())


def test_a_statement_that_does_not_end_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(effects, "STATEMENT_SECONDS", 1)
    found = judged(TABLE, f"SELECT count(*) FROM generate_series(1, 100000000000) -- {uuid4()}")
    assert [(finding.rule, "statement timeout" in finding.detail) for finding in found] == [("untried", True)]


@pytest.mark.parametrize("sign", [signal.SIGTERM, signal.SIGKILL])
def test_a_killed_run_leaves_no_server_and_its_folder_goes_with_the_next(tmp_path: Path, sign: signal.Signals) -> None:
    program = """
import sys, time
from ops.database import scratch
with scratch.server() as server:
    print(server.admin.reveal(), flush=True)
    time.sleep(60)
"""
    own_cache(tmp_path)
    environment = {name: value for name, value in os.environ.items() if name != sidecar.VARIABLE} | {"NEXTAI_CACHE": str(tmp_path)}
    run = subprocess.Popen([sys.executable, "-c", program], cwd=ROOT, env=environment, stdout=subprocess.PIPE, text=True)
    try:
        assert run.stdout is not None
        address = run.stdout.readline().strip()
        psycopg.connect(address).close()
        (folder,) = (tmp_path / "scratch").glob("run-*")
    finally:
        run.send_signal(sign)
        run.wait(20)
    deadline = time.monotonic() + 20
    while answers(address):
        assert time.monotonic() < deadline, "the server lives on"
    done = subprocess.run(
        [sys.executable, "-c", program.replace("time.sleep(60)", "pass")], cwd=ROOT, env=environment, capture_output=True, check=True
    )
    assert done.stdout
    assert not folder.exists()
    assert list((tmp_path / "scratch").glob("run-*")) == []


def own_cache(folder: Path) -> None:
    """A cache folder that shares nothing but the tools."""
    (folder / "tools").symlink_to(cache() / "tools")


def answers(address: str) -> bool:
    try:
        psycopg.connect(address, connect_timeout=2).close()
    except psycopg.Error:
        return False
    return True


def test_what_a_run_links_to_the_kept_data_folder_is_as_it_was_after_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Else a run would be judged by what another one did."""
    monkeypatch.delenv(sidecar.VARIABLE, raising=False)
    monkeypatch.setattr(scratch, "_home", lambda: tmp_path)
    tmp_path.chmod(0o755)

    def contents() -> dict[str, bytes]:
        (template,) = tmp_path.glob("template-*")
        return {str(file.relative_to(template)): file.read_bytes() for file in template.rglob("*") if file.is_file()}

    with scratch.server():
        before = contents()
        (data,) = tmp_path.glob("run-*/data")
        linked = {str(file.relative_to(data)) for file in data.rglob("*") if file.is_file() and file.stat().st_nlink > 1}
    assert {name.rpartition("/")[0] for name in linked} == {"base/1", "base/4"} and len(linked) > 400
    with scratch.server() as server:
        for _ in range(2):
            with scratch.database(server, "nextai") as run:
                run.owner.execute("CREATE TABLE made AS SELECT generate_series(1, 20000) AS n; ANALYZE made")
                for statement in ("VACUUM FULL", "CHECKPOINT"):
                    run.observer.execute(statement)
    assert contents() == before


def test_a_server_of_others_keeps_nothing(server: scratch.ScratchServer) -> None:
    """As the sidecar of the migration Job: a server that is named, whatever it was left with."""
    with psycopg.connect(server.admin.reveal(), autocommit=True) as admin:
        admin.execute(b"CREATE DATABASE nextai_scratch_1600000000_left")
        assert refused(TABLE, f"DROP TABLE t -- {uuid4()}") == [(1, "drop-table")]
        assert admin.execute(b"SELECT datname FROM pg_database WHERE datname LIKE 'nextai%'").fetchall() == []


# ---------------------------------------------------------------- deploys and rollbacks


def checkout(folder: Path, *texts: str) -> Catalog:
    """A catalogue whose checkout has these files as its migrations, and nothing else."""
    catalog = replace(load(), root=folder)
    place = folder / catalog.database.migrations
    (place / "meta").mkdir(parents=True)
    entries = [{"idx": i, "tag": f"{i:04}_x", "when": i + 1} for i in range(len(texts))]
    (place / "meta/_journal.json").write_text(json.dumps({"dialect": "postgresql", "entries": entries}))
    for i, text in enumerate(texts):
        (place / f"{i:04}_x.sql").write_text(text)
    return catalog


def origin(*earlier: RecordedMigration) -> Origin:
    return Origin("deploy", "staging", "", "", "", digests={}, migrations=(), earlier=earlier)


def target(catalog: Catalog, env: str) -> Target:
    return Target(catalog.environments[env], None, env, "https://127.0.0.1:1")


def test_a_deploy_is_refused_for_what_its_new_migrations_do(tmp_path: Path) -> None:
    catalog = checkout(tmp_path, TABLE, "ALTER TABLE t DROP COLUMN b;", "DO $$ BEGIN IF false THEN TRUNCATE t; END IF; END $$")
    everything = schema.migrations_of(catalog)
    problems, _ = schema.judged(catalog, origin(everything[0]), target(catalog, "staging"))
    *lines, remedy = problems
    assert [line.split(": ")[0] for line in lines] == ["0001_x.sql:1", "0002_x.sql:1"]
    assert "-- nextai:contract RULE: REASON" in remedy
    assert schema.judged(catalog, origin(*everything), target(catalog, "staging")) == ([], [])


def test_a_deploy_to_a_protected_environment_needs_its_own_postgresql(tmp_path: Path) -> None:
    catalog = checkout(tmp_path, TABLE)
    assert schema.judged(catalog, origin(), target(catalog, "production")) == ([], [])  # the embedded one is of the store's version
    image = {"postgres": replace(catalog.stores["postgres"], image="postgres:12-trixie")}
    other = replace(catalog, stores={**catalog.stores, **image})
    warning = "the migrations were tried on PostgreSQL 18, and the environment has 12"
    assert schema.judged(other, origin(), target(other, "staging")) == ([], [warning])
    problems, _ = schema.judged(other, origin(), target(other, "production"))
    assert problems[0] == f"{warning}, and the environment is protected"


def test_no_rollback_crosses_what_breaks_older_versions_waived_or_not_and_locks_stop_none(tmp_path: Path) -> None:
    waived = "-- nextai:contract drop-column: no version since 1.4 reads it\nALTER TABLE t DROP COLUMN b;"
    catalog = checkout(tmp_path, TABLE, "CREATE INDEX i ON t (a);", "ALTER TABLE t ADD COLUMN c int;", waived)
    everything = schema.migrations_of(catalog)
    assert [bool(one.contracts) for one in everything] == [False, False, False, True]
    assert schema.unsafe_behind(everything, everything[:3]) == ["0003_x drops a column (public.t.b)"]
    assert schema.unsafe_behind(everything[:3], everything[:1]) == []
