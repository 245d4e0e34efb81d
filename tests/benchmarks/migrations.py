"""The migration runner against Drizzle's own, as programs, on one server and in new databases."""

import json
import os
import sys
import tempfile
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import psycopg

from ops import local
from ops.tools import find
from tests.benchmarks.timing import Compared, command, compare

ROOT = Path(__file__).parents[2]
FILE = """CREATE TABLE "t{i}" (
	"id" uuid PRIMARY KEY DEFAULT gen_random_uuid() NOT NULL,
	"email" text NOT NULL
);
--> statement-breakpoint
CREATE UNIQUE INDEX "t{i}_email_key" ON "t{i}" USING btree (lower("email"));--> statement-breakpoint
ALTER TABLE "t{i}" ADD COLUMN "seen_at" timestamp with time zone;"""


RUNS = 5


def migrating() -> list[Compared]:
    """A folder of 20 files, one of 300, and 50 and 500 statements that run one by one, on a server that waits for its disk at commits."""
    with tempfile.TemporaryDirectory() as temporary, local.stores(Path(temporary, "postgres"), None, ["postgres"]) as variables:
        server = variables["DATABASE_URL"]
        databases = iter([f"benchmark{number}" for number in range(6 * (RUNS + 1))])  # made before: that is no part of a migration
        _ask(server, *(f"CREATE DATABASE benchmark{number}" for number in range(6 * (RUNS + 1))))
        _ask(server, "ALTER SYSTEM SET fsync = on", "ALTER SYSTEM SET synchronous_commit = on", "SELECT pg_reload_conf()", "CHECKPOINT")
        ours = partial(_anew, server, databases, [sys.executable, "-m", "ops.database", "migrate", "--folder"])
        script = str(Path(__file__).with_name("migrate.mjs"))
        drizzle = partial(_anew, server, databases, [*find("node").argv, script, str(ROOT / "packages/db")])
        found = []
        for count in (20, 300):
            path = _folder(Path(temporary, str(count)), [FILE.format(i=i) for i in range(count)])
            found.append(compare(f"migrate, {count} files / drizzle-orm's migrate()", partial(ours, path), partial(drizzle, path), RUNS))
        many, few = (_folder(Path(temporary, f"single{count}"), [_single(count)]) for count in (500, 50))
        return [*found, compare("migrate, 500 statements one by one / 50", partial(ours, many), partial(ours, few), RUNS)]


def _single(count: int) -> str:
    inserts = "".join(f"--> statement-breakpoint\nINSERT INTO t VALUES ({i});\n" for i in range(count))
    return f"-- nextai:no-transaction\nCREATE TABLE t (x int);\n{inserts}"


def _folder(path: Path, texts: list[str]) -> Path:
    (path / "meta").mkdir(parents=True)
    entries = [{"idx": i, "version": "7", "when": 1700000000000 + i, "tag": f"{i:04d}_x", "breakpoints": True} for i in range(len(texts))]
    (path / "meta/_journal.json").write_text(json.dumps({"version": "7", "dialect": "postgresql", "entries": entries}))
    for entry, text in zip(entries, texts, strict=True):
        (path / f"{entry['tag']}.sql").write_text(text)
    return path


def _anew(server: str, databases: Iterator[str], argv: list[str], folder: Path) -> None:
    """Run a program on a folder and the next database that is empty."""
    url = f"{server.rpartition('/')[0]}/{next(databases)}"
    command([*argv, str(folder)], env={**os.environ, "DATABASE_URL": url}, cwd=ROOT)()


def _ask(server: str, *queries: str) -> None:
    with psycopg.connect(server, autocommit=True) as connection:
        for query in queries:
            connection.execute(query.encode())
