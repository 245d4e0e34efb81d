"""`migrate`, `migrate.status`, `migrate.check`, `migrate.generate`, `migrate.baseline`: the migrations of an environment's database."""

from collections.abc import Iterable, Sequence
from pathlib import Path

from ops.catalog import Catalog, load
from ops.console import confirm, counted, emit_json, machine_readable, say, table
from ops.database import journal, runner, safety
from ops.database.findings import Finding
from ops.database.journal import Migration
from ops.database.judging import judge
from ops.database.safety import TargetDatabase
from ops.errors import Exit
from ops.verbs.database_address import database_address


def migrate(env: str, *, testbed: bool = False, yes: bool = False, dry_run: bool = False) -> int:
    """Show the pending SQL, ask, and run it."""
    catalog = load()
    folder = _folder(catalog)
    with database_address(catalog, env, testbed=testbed) as dsn:
        status = runner.status(dsn, folder, say)
        _warn(status.oddities)
        _show(status.pending)
        environment = catalog.environments[env]
        protected = environment.protected and not testbed
        safety.gate((*status.applied, *status.pending), journal.judged(status.pending), safety.reached(dsn, protected=protected), say)
        say(f"{env}: {len(status.pending)} pending, {len(status.applied)} applied")
        if dry_run or not status.pending:
            _document({"environment": env, "applied": [], "pending": _entries(status.pending)})
            return Exit.DONE
        expect = env if protected else ""
        confirm(f"Run {counted(len(status.pending), 'migration')} on {env}?", yes=yes, expect=expect)
        result = runner.migrate(dsn, folder, shown=status.pending, say=say, protected=protected)
    say(f"{len(result.applied)} applied in {result.duration:.2f} s")
    ran = [{"file": ran.file, "milliseconds": ran.milliseconds} for ran in result.applied]
    _document({"environment": env, "applied": ran, "skipped": result.skipped, "seconds": round(result.duration, 3)})
    return Exit.DONE


def status(env: str, *, testbed: bool = False) -> int:
    """List what has run and what is pending."""
    catalog = load()
    with database_address(catalog, env, testbed=testbed) as dsn:
        found = runner.status(dsn, _folder(catalog), say)
    rows = [("history" if m.history else "applied", m.file, m.hash[:12]) for m in found.applied]
    rows += [("pending", m.file, m.hash[:12]) for m in found.pending]
    _warn(found.oddities)
    if machine_readable():
        emit_json({"environment": env, "applied": _entries(found.applied), "pending": _entries(found.pending)})
    else:
        table(("state", "file", "hash"), rows, title=f"migrations of {env}")
    return Exit.DONE


def check(made: Sequence[Migration] | None = None) -> int:
    """Check the files themselves: journal, order, and the gates. `made`: those that `generate` has just made."""
    catalog = load()
    folder = _folder(catalog)
    every = journal.read(folder)
    migrations = journal.judged(every)
    _warn(journal.oddities(folder))
    verdict = judge(every, migrations, user=catalog.database.user)
    for line in safety.told(verdict, TargetDatabase(), shown=False):
        say(line)
    refused = [finding for finding in verdict.findings if finding.refused or finding.rule == "fails"]
    for finding in refused:
        say(f"refused: {finding}")
    history = f", {len(every) - len(migrations)} more are history" if len(migrations) < len(every) else ""
    say(f"{counted(len(migrations), 'migration')}{history}, {counted(len(refused), 'refused statement')}")
    document: dict[str, object] = {} if made is None else {"made": _entries(made)}
    waived = [finding for finding in verdict.findings if finding.waived]
    lists = {"migrations": _entries(every), "refused": list(map(_finding, refused)), "waived": list(map(_finding, waived))}
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


def baseline(to: str, env: str = "", *, testbed: bool = False, yes: bool = False, dry_run: bool = False) -> int:
    """Take over a project that has a history.

    Without `env`: mark the files up to `to` as history in the folder. With `env`: record them as applied in that database, which
    has their changes already. No file is run.
    """
    catalog = load()
    folder = _folder(catalog)
    if not env:
        if not dry_run:
            journal.write_baseline(folder, to)
        would = "would mark" if dry_run else "marks"
        say(f"{folder / journal.BASELINE} {would} every file up to {to} as history. Commit it.")
        _document({"history": to})
        return Exit.DONE
    with database_address(catalog, env, testbed=testbed) as dsn:
        new = runner.unrecorded(dsn, folder, to)
        for migration in new:
            say(f"to be recorded as applied, and not run: {migration.file}")
        environment = catalog.environments[env]
        if new and not dry_run:
            expect = env if environment.protected and not testbed else ""
            changes = f"the changes of {'this' if len(new) == 1 else 'these'} {counted(len(new), 'migration')}"
            confirm(f"Does the database of {env} have {changes}?", yes=yes, expect=expect)
            new = runner.baseline(dsn, folder, to, say=say)
    say(f"{env}: {counted(len(new), 'migration')} {'to be ' if dry_run else ''}recorded as applied")
    _document({"environment": env, "recorded": _entries(new), "dryRun": dry_run})
    return Exit.DONE


def _warn(oddities: Iterable[str]) -> None:
    for oddity in oddities:
        say(f"warning: {oddity}")


def _folder(catalog: Catalog) -> Path:
    return catalog.root / catalog.database.migrations


def _show(migrations: Iterable[Migration]) -> None:
    for migration in migrations:
        say(f"-- {migration.file}{'' if migration.transactional else ' (outside a transaction)'}")
        say(f"{migration.text.strip()}\n")


def _entries(migrations: Iterable[Migration]) -> list[dict[str, object]]:
    return [{"file": m.file, "when": m.when, "hash": m.hash, "transactional": m.transactional, "history": m.history} for m in migrations]


def _finding(finding: Finding) -> dict[str, object]:
    return {"file": finding.file, "line": finding.line, "rule": finding.rule, "what": finding.what, "advice": finding.advice}


def _document(document: dict[str, object]) -> None:
    if machine_readable():
        emit_json(document)
