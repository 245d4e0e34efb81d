"""`python -m ops.database migrate|status`: the db-migrate image, and the verbs that need a database.

The database is DATABASE_URL's. Text for people goes to stdout, or to stderr where --json gives stdout to one document.
"""

import argparse
import json
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from ops.config.sidecar import VARIABLE
from ops.database import runner
from ops.database.journal import Migration
from ops.errors import Exit, Failure, UsageError
from ops.secret import Secret

# The same place in the checkout and in the image.
FOLDER = Path(__file__).resolve().parents[2] / "packages" / "db" / "migrations"
VERSION = 1


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code (ops/errors.py)."""
    options = _parser().parse_args(argv)
    try:
        document = _migrate(options) if options.command == "migrate" else _status(options)
    except Failure as failure:
        indent = "\n       "
        print(f"error: {failure.doing}", file=sys.stderr)
        print(f" cause: {failure.cause.replace(chr(10), indent)}\n  next: {failure.remedy}", file=sys.stderr, flush=True)
        if options.json:
            print(json.dumps({"version": VERSION, **failure.document()}))
        return int(failure.code)
    if options.json:
        print(json.dumps({"version": VERSION, **document}))
    return int(Exit.DONE)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m ops.database", description="Database migrations. The database is DATABASE_URL's.")
    commands = parser.add_subparsers(dest="command", required=True)
    for name, text in (("migrate", "run what is pending"), ("status", "show what has run and what is pending")):
        command = commands.add_parser(name, help=text, description=text)
        command.add_argument("--folder", type=Path, default=FOLDER, help="drizzle-kit's folder of migrations (%(default)s)")
        command.add_argument("--json", action="store_true", help="one JSON document on stdout")
        if name == "migrate":
            command.add_argument("--plan", action="store_true", help="print the pending SQL before it runs")
            command.add_argument("--dry-run", action="store_true", help="print the pending SQL and run nothing")
            command.add_argument(
                "--wait", type=float, default=runner.LOCK_WAIT_SECONDS, help="seconds to wait for another run (%(default)g)"
            )
    return parser


def _migrate(options: argparse.Namespace) -> dict[str, object]:
    dsn, out = _dsn(), sys.stderr if options.json else sys.stdout

    def say(line: str) -> None:
        print(line, file=out, flush=True)

    if options.plan or options.dry_run:
        todo = runner.pending(dsn, options.folder)
        for migration in todo:
            say(f"-- {migration.file}{'' if migration.transactional else ' (outside a transaction)'}\n{migration.text.strip()}\n")
        if options.dry_run:
            say(f"{len(todo)} pending, nothing was run")
            return {"applied": [], "pending": [_entry(migration) for migration in todo]}
    result = runner.migrate(dsn, options.folder, wait=options.wait, say=say, beside=bool(os.environ.get(VARIABLE)))
    say(f"{len(result.applied)} applied, {result.skipped} had run before, {result.duration:.2f} s")
    ran = [{"file": ran.file, "milliseconds": ran.milliseconds} for ran in result.applied]
    return {"applied": ran, "skipped": result.skipped, "seconds": round(result.duration, 3)}


def _status(options: argparse.Namespace) -> dict[str, object]:
    status = runner.status(_dsn(), options.folder)
    out = sys.stderr if options.json else sys.stdout
    for oddity in status.oddities:
        print(f"warning: {oddity}", file=out)
    for word, migrations in (("applied", status.applied), ("pending", status.pending)):
        for migration in migrations:
            print(f"{'history' if migration.history and word == 'applied' else word}  {migration.file}", file=out)
    print(f"{status.database}: {len(status.applied)} applied, {len(status.pending)} pending", file=out)
    entries = {"applied": [_entry(m) for m in status.applied], "pending": [_entry(m) for m in status.pending]}
    return {"database": status.database, **entries}


def _entry(migration: Migration) -> dict[str, object]:
    return {
        "file": migration.file,
        "when": migration.when,
        "hash": migration.hash,
        "transactional": migration.transactional,
        "history": migration.history,
    }


def _dsn() -> Secret:
    value = os.environ.get("DATABASE_URL", "")
    if not value:
        raise UsageError("reading the environment", "DATABASE_URL is required (PostgreSQL connection string)", "Set it and run again.")
    return Secret(value)


if __name__ == "__main__":
    sys.exit(main())
