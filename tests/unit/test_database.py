"""Migrations as values: cutting SQL, reading Drizzle's folder, planning, and the gates."""

import json
import time
from collections.abc import Callable
from dataclasses import replace
from hashlib import sha256
from pathlib import Path

import pytest

from ops.database import journal, plan
from ops.database.facts import Applied
from ops.database.journal import Migration
from ops.database.sql import plain, statements
from ops.database.weigh import by_text
from ops.errors import Refused, UsageError

ROOT = Path(__file__).resolve().parents[2]


def shapes(text: str) -> list[str]:
    return [statement.shape for statement in statements(text)]


def test_semicolons_in_strings_names_comments_and_bodies_end_no_statement() -> None:
    assert shapes("SELECT ';', E'\\';', \";\" -- ;\n/* ; /* ; */ ; */; SELECT 2;") == ["SELECT '', '', \";\"", "SELECT 2"]
    assert shapes("DO $a$ BEGIN PERFORM 1; PERFORM $$;$$; END $a$; SELECT 1") == ["DO ''", "SELECT 1"]
    assert shapes("SELECT a$b$c; SELECT $1; SELECT 3") == ["SELECT a$b$c", "SELECT $1", "SELECT 3"]
    body = "CREATE FUNCTION f() RETURNS int BEGIN ATOMIC SELECT 1; SELECT CASE WHEN true THEN 1 END; END; SELECT 2"
    assert len(shapes(body)) == 2


def test_statements_know_their_line_and_comments_are_none() -> None:
    text = "-- head\n\nSELECT 1;\n\n  -- why\n  SELECT\n 2;\n-- tail\n"
    assert [(s.line, s.shape, s.text) for s in statements(text)] == [(3, "SELECT 1", "SELECT 1"), (6, "SELECT 2", "SELECT\n 2")]
    assert statements(" \n-- nothing\n;;/* */") == ()


@pytest.mark.parametrize(
    ("written", "read"),
    [("users", "users"), ("Users", "users"), ('"Users"', "Users"), ("public.users", "users"), ('"public"."a ""b"', 'a "b'), ("x.y", "x.y")],
)
def test_names_compare_as_postgresql_reads_them(written: str, read: str) -> None:
    assert plain(written) == read


# ---------------------------------------------------------------- Drizzle's folder

FILES = {"0000_one": "CREATE TABLE a (x int);\n--> statement-breakpoint\nCREATE INDEX i ON a (x);", "0001_two": "ALTER TABLE a ADD y int;"}


def folder(path: Path, files: dict[str, str] | None = None, **changes: object) -> Path:
    texts = FILES if files is None else files
    entries = [{"idx": i, "version": "7", "when": 1000 + i, "tag": tag, "breakpoints": True} for i, tag in enumerate(texts)]
    (path / "meta").mkdir(parents=True)
    document = {"version": "7", "dialect": "postgresql", "entries": entries} | changes
    (path / "meta/_journal.json").write_text(json.dumps(document))
    for tag, text in texts.items():
        (path / f"{tag}.sql").write_bytes(text.encode())
    return path


def test_a_folder_is_read_as_drizzle_reads_it(tmp_path: Path) -> None:
    one, two = journal.read(folder(tmp_path / "m"))
    assert (one.file, one.when, one.index, two.index) == ("0000_one.sql", 1000, 0, 1)
    assert one.hash == sha256(FILES["0000_one"].encode()).hexdigest()
    assert [(chunk.line, chunk.text.strip()) for chunk in one.chunks] == [(1, "CREATE TABLE a (x int);"), (2, "CREATE INDEX i ON a (x);")]


def test_line_ends_are_part_of_the_hash(tmp_path: Path) -> None:
    (migration,) = journal.read(folder(tmp_path / "m", {"0000_a": "SELECT 1;\r\nSELECT 2;"}))
    assert migration.hash == sha256(b"SELECT 1;\r\nSELECT 2;").hexdigest()


def test_line_ends_and_a_byte_order_mark_make_no_other_file() -> None:
    def text_of(text: str) -> Migration:
        return Migration(0, "0000_a", 1, text)

    unix, windows, marked = map(text_of, ("a;\nb;\n", "a;\r\nb;\r\n", "\ufeffa;\nb;\n"))
    assert unix.hashes == windows.hashes == marked.hashes and len(unix.hashes) == 4
    assert unix.sql == windows.sql == marked.sql == "a;\nb;\n"
    mixed = text_of("a;\r\nb;\n")  # no checkout makes this: it is what somebody has written
    assert mixed.sql == mixed.text and unix.hash not in mixed.hashes


def test_a_breakpoint_cuts_where_it_is_a_comment_and_nowhere_else() -> None:
    mark = "--> statement-breakpoint"
    kept = f"SELECT '{mark}', $a$\n{mark}\n$a$, \"{mark}\" /* {mark} */"
    migration = Migration(0, "0000_a", 1, f"{kept};\n-- why {mark}\nSELECT 2;{mark}SELECT 3;\n{mark}\nSELECT\n4")
    assert [(s.line, s.text) for s in migration.statements[1:]] == [(5, "SELECT 2"), (5, "SELECT 3"), (7, "SELECT\n4")]
    assert migration.statements[0].text == kept.rpartition(" /*")[0] or kept in migration.statements[0].text
    assert len(migration.chunks) == 4


def test_layout_is_no_part_of_what_a_statement_says() -> None:
    def identity(text: str) -> str:
        (statement,) = statements(text)
        return statement.identity

    assert identity("CREATE TABLE t(x int)") == identity("CREATE  TABLE t\n(\n x -- why\n int );")
    for one, other in [
        ("SELECT 'a b'", "SELECT 'a  b'"),
        ("SELECT 1 1", "SELECT 11"),
        ('SELECT "a b"', 'SELECT "a  b"'),
        ("DO $$a$$", "DO $$b$$"),
    ]:
        assert identity(one) != identity(other)


def test_statements_are_cut_in_time_in_proportion_to_their_number() -> None:
    def seconds(count: int) -> float:
        text = "INSERT INTO t VALUES ('x', 1);\n" * count
        begin = time.process_time()
        assert len(statements(text)) == count
        return time.process_time() - begin

    assert seconds(8000) < 16 * 4 * min(seconds(500) for _ in range(5))


def test_what_is_unusual_and_harmless_is_told(tmp_path: Path) -> None:
    path = folder(tmp_path, dialect="pg")
    (path / "0002_x.sql").write_text("")
    told = journal.oddities(path)
    assert len(told) == 2 and "dialect pg" in told[0] and "0002_x.sql" in told[1]
    assert len(journal.read(path)) == 2


def broken(path: Path, change: Callable[[Path], object], error: type[Exception], text: str) -> None:
    change(folder(path))
    with pytest.raises(error, match=text):
        journal.read(path)


def test_a_folder_that_is_not_whole_is_refused_by_the_files_name(tmp_path: Path) -> None:
    broken(tmp_path / "a", lambda p: (p / "0001_two.sql").unlink(), Refused, r"0001_two\.sql is in the journal, and the file is missing")
    broken(tmp_path / "c", lambda p: (p / "0001_two.sql").write_bytes(b"\xff"), UsageError, r"0001_two\.sql is not UTF-8")
    broken(
        tmp_path / "d", lambda p: (p / "0001_two.sql").write_bytes(b"SELECT 1;\nSELECT\0 2"), UsageError, r"0001_two\.sql:2 has a NUL byte"
    )
    broken(
        tmp_path / "e", lambda p: (p / "meta/_baseline.json").write_text('{"tag": "x"}'), Refused, r"names x, which is not in the journal"
    )
    broken(tmp_path / "f", lambda p: (p / "meta/_baseline.json").write_text("[]"), UsageError, r"_baseline\.json is no baseline")


@pytest.mark.parametrize(
    ("text", "line"),
    [("SELECT 1;\n/* DROP TABLE t;\n", 2), ("SELECT 1; /* a /* b */\nSELECT 2;", 1), ("SELECT 1;\n--> statement-breakpoint\n\n/* x", 4)],
)
def test_a_comment_that_nothing_closes_is_told_with_its_line(tmp_path: Path, text: str, line: int) -> None:
    """PostgreSQL refuses it when the file runs, and the gates see no statement in it."""
    told = rf"0001_two\.sql:{line} begins a comment that nothing closes"
    broken(tmp_path / "a", lambda path: (path / "0001_two.sql").write_text(text), UsageError, told)


@pytest.mark.parametrize("text", ["SELECT '/*';", "-- /*\nSELECT 1;", "/* /* */ */ SELECT 1;", "DO $$/*$$;", 'SELECT 1 AS "/*";'])
def test_what_only_looks_like_the_beginning_of_a_comment_is_none(tmp_path: Path, text: str) -> None:
    path = folder(tmp_path)
    (path / "0001_two.sql").write_text(text)
    assert len(journal.read(path)) == 2


@pytest.mark.parametrize("tag", ["../0001_two", "/tmp/0001_two", "a\\\\b", "0001_two\\n", "\\u001b[31m"])
def test_a_journal_names_files_of_its_own_folder(tmp_path: Path, tag: str) -> None:
    entries = f'[{{"idx": 0, "tag": "{tag}", "when": 1}}]'
    document = f'{{"dialect": "postgresql", "entries": {entries}}}'
    broken(tmp_path / "m", lambda p: (p / "meta/_journal.json").write_text(document), UsageError, "is no file of this folder")


INFINITE = '{"dialect": "postgresql", "entries": [{"idx": 0, "tag": "0000_one", "when": 1e999}]}'


@pytest.mark.parametrize(
    "text", ["", "{", "[]", '{"dialect": "postgresql"}', '{"dialect": "postgresql", "entries": [{"idx": "x"}]}', INFINITE]
)
def test_a_journal_that_is_none_is_a_wrong_file(tmp_path: Path, text: str) -> None:
    broken(tmp_path / "m", lambda p: (p / "meta/_journal.json").write_text(text), UsageError, "is not a journal of drizzle-kit")


def test_another_dialect_and_no_folder_are_named(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="is for mysql"):
        journal.read(folder(tmp_path / "m", dialect="mysql"))
    with pytest.raises(UsageError, match=r"meta/_journal\.json does not exist"):
        journal.read(tmp_path / "nowhere")


@pytest.mark.parametrize(
    ("text", "transactional"),
    [
        ("CREATE INDEX i ON t (x);", True),
        ("CREATE INDEX CONCURRENTLY i ON t (x);", False),
        ("SELECT 1;--> statement-breakpoint\ncreate unique index\n  concurrently i ON t (x)", False),
        ("DROP INDEX CONCURRENTLY i", False),
        ("VACUUM t", False),
        ("ALTER TYPE mood ADD VALUE 'calm'", False),
        ("-- CREATE INDEX CONCURRENTLY i\nSELECT 'VACUUM; VACUUM'", True),
        ("-- nextai:no-transaction\nSELECT 1", False),
        ("SELECT 1;\r\n-- nextai:no-transaction \r\nSELECT 1", False),
        ("SELECT '\n-- nextai:no-transaction\n'", True),
        ("DO $$\n-- nextai:no-transaction\nBEGIN END $$", True),
        ("/*\n-- nextai:no-transaction\n*/ SELECT 1", True),
        ('SELECT 1 AS "\n-- nextai:no-transaction\n"', True),
    ],
)
def test_what_cannot_be_in_a_transaction_is_seen(text: str, transactional: bool) -> None:
    assert Migration(0, "0000_a", 1, text).transactional is transactional


# ---------------------------------------------------------------- the plan

SET = tuple(Migration(i, f"000{i}_{name}", 1000 + i, f"SELECT {i}") for i, name in enumerate("abc"))
ROWS = tuple(Applied(migration.hash, migration.when) for migration in SET)


def test_what_has_not_run_is_pending_in_order() -> None:
    assert plan.pending(SET, ()) == SET
    assert plan.pending(SET, ROWS[:1]) == SET[1:]
    assert plan.pending(SET, ROWS) == ()
    assert plan.pending((), ()) == ()


def refusal(migrations: tuple[Migration, ...], rows: tuple[Applied, ...]) -> str:
    with pytest.raises(Refused) as caught:
        plan.pending(migrations, rows)
    assert caught.value.code == 3
    return caught.value.cause


def test_an_edited_file_is_refused() -> None:
    assert refusal((SET[0], replace(SET[1], text="SELECT 9"), SET[2]), ROWS[:2]).startswith("0001_b.sql was edited after it ran")


def test_a_missing_file_is_refused() -> None:
    assert "the file of a migration that has run is missing (when 1002" in refusal(SET[:2], ROWS)


def test_a_changed_time_is_told_from_a_missing_file() -> None:
    assert refusal((SET[0], SET[1], replace(SET[2], when=2000)), ROWS).startswith("0002_c.sql has another `when`")


def test_a_file_older_than_one_that_ran_is_refused_where_drizzle_would_skip_it() -> None:
    assert refusal(SET, (ROWS[0], ROWS[2])).startswith("0001_b.sql is older than 0002_c.sql, which has run already")


def test_files_run_in_the_order_in_which_they_stand_whatever_their_times() -> None:
    odd = (SET[0], replace(SET[1], when=0), replace(SET[2], when=-5, index=9))
    rows = tuple(Applied(migration.hash, migration.when) for migration in odd)
    assert [plan.pending(odd, rows[:ran]) for ran in range(4)] == [odd, odd[1:], odd[2:], ()]


def test_two_files_of_one_time_are_told_apart_by_what_they_say() -> None:
    twins = (SET[0], replace(SET[1], when=1000), SET[2])
    rows = tuple(Applied(migration.hash, migration.when) for migration in twins)
    assert plan.pending(twins, rows[:1]) == twins[1:]
    assert plan.pending(twins, rows[:2]) == twins[2:]
    assert refusal(twins, rows[1:2]).startswith("0000_a.sql is older than 0001_b.sql")


# ---------------------------------------------------------------- the gates


def whats(text: str) -> list[str]:
    return [finding.what for finding in by_text(Migration(0, "0000_a", 1, text))]


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ('DROP TABLE "users" CASCADE;', "drops a table"),
        ("drop type mood", "drops a type"),
        ("TRUNCATE users", "empties a table"),
        ('ALTER TABLE "users" DROP COLUMN "name";', "drops a column"),
        ("ALTER TABLE users ADD a int DEFAULT f(1, 2), DROP name", "drops a column"),
        ('ALTER TABLE "users" RENAME COLUMN "a" TO "b"', "renames or moves what running versions use"),
        ("ALTER TABLE users RENAME TO people", "renames or moves what running versions use"),
        ("ALTER TYPE mood RENAME VALUE 'a' TO 'b'", "renames or moves a type, value, schema or function"),
        ('ALTER TABLE users ALTER COLUMN "name" SET NOT NULL', "forbids NULL in a column"),
        ('ALTER TABLE "users" ADD COLUMN "age" integer NOT NULL;', "adds a NOT NULL column without a default"),
        ('ALTER TABLE users ADD COLUMN "default" integer NOT NULL', "adds a NOT NULL column without a default"),
        ("ALTER TABLE users ALTER COLUMN age SET DATA TYPE bigint", "changes a column's type"),
        ("ALTER TABLE users ALTER age TYPE bigint USING age::bigint", "changes a column's type"),
        ("UPDATE users SET name = 'x'", "moves rows"),
        ("DELETE FROM users", "moves rows"),
        ("INSERT INTO users SELECT * FROM people", "moves rows"),
        ("WITH gone AS (DELETE FROM a RETURNING *) INSERT INTO b SELECT * FROM gone", "moves rows"),
        ("DO $$ BEGIN ALTER TABLE users DROP COLUMN name; END $$", "drops a column"),
        ("DO $$ BEGIN IF true THEN UPDATE users SET name = 'x'; END IF; END $$", "moves rows"),
        ("DO $$ BEGIN EXECUTE 'DROP TABLE ' || 'users'; END $$", "runs SQL that is put together as it runs"),
        ("DROP TABLE users; CREATE TABLE users (a int)", "drops a table"),
        ("ALTER TABLE users RENAME TO old; CREATE TABLE users (a int)", "renames or moves what running versions use"),
        ("CREATE TABLE IF NOT EXISTS users (a int); ALTER TABLE users DROP COLUMN name", "drops a column"),
        ("CREATE TABLE t (a int); DROP TABLE t, public.users CASCADE", "drops a table"),
        ("CREATE TABLE t (a int); TRUNCATE TABLE ONLY t, ONLY users", "empties a table"),
        ("CREATE TEMP TABLE users (a int); DROP TABLE users; DROP TABLE users", "drops a table"),
        ("COMMIT", "controls transactions"),
        ("SELECT 1; BEGIN; SELECT 2", "controls transactions"),
    ],
)
def test_what_breaks_running_versions_is_found(text: str, what: str) -> None:
    assert whats(text) == [what]


@pytest.mark.parametrize(
    "text",
    [
        'CREATE TABLE "users" ("id" uuid PRIMARY KEY DEFAULT gen_random_uuid() NOT NULL);',
        'ALTER TABLE "users" ADD COLUMN "last" timestamp with time zone;',
        "ALTER TABLE users ADD COLUMN age integer DEFAULT 0 NOT NULL",
        'ALTER TABLE users ALTER COLUMN "type" SET DEFAULT 1',
        'ALTER TABLE "t" ADD CONSTRAINT "c" FOREIGN KEY ("x") REFERENCES "public"."u"("id") ON DELETE cascade ON UPDATE no action;',
        "ALTER TABLE users ADD CONSTRAINT c CHECK (name IS NOT NULL) NOT VALID",
        "ALTER TABLE users RENAME CONSTRAINT a TO b",
        "ALTER TYPE mood ADD VALUE 'calm'",
        "CREATE INDEX CONCURRENTLY i ON users (name)",
        "INSERT INTO plans (name) VALUES ('free')",
        "CREATE FUNCTION f() RETURNS void LANGUAGE sql AS $$ DELETE FROM users $$",
        "COMMENT ON TABLE users IS 'DROP TABLE users; COMMIT;'",
        "DO $$ BEGIN ALTER TABLE a ADD CONSTRAINT c UNIQUE (x); EXCEPTION WHEN duplicate_object THEN null; END $$;",
        'CREATE TABLE t (a int); ALTER TABLE "public"."t" ADD b int NOT NULL; ALTER TABLE t DROP a; UPDATE t SET b = 1; DROP TABLE t',
        "CREATE TABLE t (a int); CREATE TABLE u (a int); TRUNCATE t, u; DROP TABLE IF EXISTS public.t, u CASCADE",
    ],
)
def test_what_adds_is_let_through(text: str) -> None:
    assert whats(text) == []


def test_the_projects_own_migrations_are_whole_in_order_and_safe() -> None:
    migrations = journal.read(ROOT / "packages/db/migrations")
    assert migrations
    assert plan.pending(migrations, ()) == migrations
    assert [finding for migration in migrations for finding in by_text(migration)] == []
