"""`migrate`, `migrate.status`, `migrate.check`, `migrate.generate`: what a person sees of this room."""

from collections.abc import Iterable, Sequence
from pathlib import Path

from ops.catalog import Catalog, load
from ops.console import confirm, counted, emit_json, machine_readable, say, table
from ops.database import journal, plan, runner, safety
from ops.database.journal import Migration
from ops.database.reach import reached
from ops.database.safety import Finding
from ops.errors import Exit


def migrate(env: str, *, testbed: bool = False, yes: bool = False, dry_run: bool = False) -> int:
    """Show the pending SQL, ask, and run it."""
    catalog = load()
    folder = _folder(catalog)
    with reached(catalog, env, testbed=testbed) as dsn:
        status = runner.status(dsn, folder)
        _show(status.pending)
        safety.gate(status.pending)
        say(f"{env}: {len(status.pending)} pending, {len(status.applied)} applied")
        if dry_run or not status.pending:
            _document({"environment": env, "applied": [], "pending": _entries(status.pending)})
            return Exit.DONE
        environment = catalog.environments[env]
        expect = env if environment.protected and not testbed else ""
        confirm(f"Run {counted(len(status.pending), 'migration')} on {env}?", yes=yes, expect=expect)
        result = runner.migrate(dsn, folder, shown=status.pending, say=say)
    say(f"{len(result.applied)} applied in {result.duration:.2f} s")
    ran = [{"file": ran.file, "milliseconds": ran.milliseconds} for ran in result.applied]
    _document({"environment": env, "applied": ran, "skipped": result.skipped, "seconds": round(result.duration, 3)})
    return Exit.DONE


def status(env: str, *, testbed: bool = False) -> int:
    """List what has run and what is pending."""
    catalog = load()
    with reached(catalog, env, testbed=testbed) as dsn:
        found = runner.status(dsn, _folder(catalog))
    rows = [("applied", m.file, m.hash[:12]) for m in found.applied] + [("pending", m.file, m.hash[:12]) for m in found.pending]
    if machine_readable():
        emit_json({"environment": env, "applied": _entries(found.applied), "pending": _entries(found.pending)})
    else:
        table(("state", "file", "hash"), rows, title=f"migrations of {env}")
    return Exit.DONE


def check(made: Sequence[Migration] | None = None) -> int:
    """Check the files themselves: journal, order, gates, and squawk's rules about locks. `made`: those that `generate` has just made."""
    from ops.database.lint import lint

    catalog = load()
    folder = _folder(catalog)
    migrations = plan.pending(journal.read(folder), ())
    files = {migration.file: migration for migration in migrations}
    found = [*(finding for migration in migrations for finding in safety.findings(migration)), *lint(migrations, folder)]
    waived = [finding for finding in found if safety.waived(files[finding.file], finding)]
    refused = [finding for finding in found if finding not in waived]
    for finding in waived:
        say(f"allowed by the file's contract comment: {finding}")
    for finding in refused:
        say(f"refused: {finding}")
    say(f"{counted(len(migrations), 'migration')}, {counted(len(refused), 'refused statement')}")
    document: dict[str, object] = {} if made is None else {"made": _entries(made)}
    lists = {"migrations": _entries(migrations), "refused": list(map(_finding, refused)), "waived": list(map(_finding, waived))}
    _document(document | lists)
    return Exit.REFUSED if refused else Exit.DONE


def generate(name: str) -> int:
    """Make a migration from the changes of the Drizzle schema, and check it."""
    from ops.database.generate import generate as made

    new = made(load(), name)
    for migration in new:
        say(f"made {migration.file}")
    if not new:
        say("the schema has not changed: nothing was made")
        _document({"made": []})
        return Exit.DONE
    return check(new)


def _folder(catalog: Catalog) -> Path:
    return catalog.root / catalog.database.migrations


def _show(migrations: Iterable[Migration]) -> None:
    for migration in migrations:
        say(f"-- {migration.file}{'' if migration.transactional else ' (outside a transaction)'}")
        say(f"{migration.text.strip()}\n")


def _entries(migrations: Iterable[Migration]) -> list[dict[str, object]]:
    return [{"file": m.file, "when": m.when, "hash": m.hash, "transactional": m.transactional} for m in migrations]


def _finding(finding: Finding) -> dict[str, object]:
    return {"file": finding.file, "line": finding.line, "what": finding.what, "advice": finding.advice}


def _document(document: dict[str, object]) -> None:
    if machine_readable():
        emit_json(document)
