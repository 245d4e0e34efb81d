"""Making a migration: drizzle-kit compares the schema in TypeScript with the newest snapshot and writes the SQL."""

from pathlib import Path

from ops.catalog import Catalog
from ops.command import Command, run
from ops.console.output import stream
from ops.database import journal
from ops.database.journal import Migration
from ops.errors import UsageError

WORDS = "abcdefghijklmnopqrstuvwxyz0123456789_-"


def generate(catalog: Catalog, name: str) -> tuple[Migration, ...]:
    """Run `drizzle-kit generate`, and return the migrations that it made: none when the schema has not changed."""
    from ops import tools

    if not name or set(name) - set(WORDS):
        raise UsageError("naming the migration", f"{name!r} is no name for a file", "Use small letters, digits, - and _.")
    folder = catalog.root / catalog.database.migrations
    before = {migration.tag for migration in _there(folder)}
    pnpm = tools.find("pnpm")
    argv = (*pnpm.argv, "exec", "drizzle-kit", "generate", "--name", name)
    remedy = "Correct src/schema.ts; after a rename drizzle-kit asks on the terminal what became of what."
    run(Command(argv, "generating a migration", pnpm.env, cwd=folder.parent, remedy=remedy), show=stream())
    return tuple(migration for migration in journal.read(folder) if migration.tag not in before)


def _there(folder: Path) -> tuple[Migration, ...]:
    return journal.read(folder) if (folder / journal.JOURNAL).exists() else ()
