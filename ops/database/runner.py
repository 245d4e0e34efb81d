"""Running what is pending: facts → plan → gates → lock → each file applied and written down."""

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from ops.database import journal, lock, plan, safety
from ops.database.apply import Session, apply, record
from ops.database.connect import check_direct, connect, describe, scrubbed, secret, settings
from ops.database.facts import Applied, applied, tables
from ops.database.journal import Migration
from ops.errors import Failure, Refused, UsageError
from ops.say import Say
from ops.secret import Secret

if TYPE_CHECKING:
    from ops.database.connect import Connection

LOCK_WAIT_SECONDS = 120.0


@dataclass(frozen=True, slots=True)
class Ran:
    """One file that was applied, and how long it took."""

    file: str
    milliseconds: int


@dataclass(frozen=True, slots=True)
class MigrationResult:
    """What a run did. `skipped` counts the files that had run before; `duration` is in seconds."""

    applied: tuple[Ran, ...]
    skipped: int
    duration: float


@dataclass(frozen=True, slots=True)
class MigrationStatus:
    """Where a database stands: the files that have run and those that will. `database` is host, port and name.

    `oddities` are what is unusual and harms nothing, a sentence each.
    """

    database: str
    applied: tuple[Migration, ...]
    pending: tuple[Migration, ...]
    oddities: tuple[str, ...] = ()


def status(dsn: Secret | str, folder: Path, say: Say | None = None) -> MigrationStatus:
    """What has run and what is pending. Raises `Refused` for an edited, missing or out-of-order file.

    `say` gets a line when the database takes no connection yet.
    """
    dsn = secret(dsn)
    migrations = journal.read(folder)
    with _told(dsn, "reading what has run in"), connect(dsn, "status", say) as connection:
        rows = applied(connection)
    todo = plan.pending(migrations, rows)
    odd = journal.oddities(folder) + plan.oddities(migrations, rows)
    return MigrationStatus(describe(dsn), migrations[: len(migrations) - len(todo)], todo, odd)


def pending(dsn: Secret | str, folder: Path) -> tuple[Migration, ...]:
    """The migrations that have not run yet, in order. Raises `Refused` as `status` does."""
    return status(dsn, folder).pending


def _silent(_: str) -> None:
    return


def migrate(
    dsn: Secret | str,
    folder: Path,
    *,
    shown: Sequence[Migration] | None = None,
    wait: float = LOCK_WAIT_SECONDS,
    say: Say = _silent,
    protected: bool = False,
    beside: bool = False,
) -> MigrationResult:
    """Run what is pending, and return what ran.

    `shown` are the migrations that somebody has agreed to: there must be no other. `wait` is how many seconds to wait for another run
    to end; `say` gets a line for each applied file. `beside`: without the scratch server that is there for this run, nothing runs.
    Raises `Refused` when a file was edited, is missing or out of order, was not shown, breaks a gate, or when the lock is held; `Failure`
    when a file fails.
    """
    dsn, begun = secret(dsn), time.monotonic()
    migrations = journal.read(folder)
    with _told(dsn, "migrating"), connect(dsn, "lock", say) as connection:
        rows = applied(connection)
        todo = plan.pending(migrations, rows)
        _check_shown(todo, shown)
        _check_taken_over(connection, todo, rows)
        where = safety.environment(connection, dsn, protected=protected, beside=beside)
    if not todo:
        return MigrationResult((), len(migrations), time.monotonic() - begun)
    # No connection is open meanwhile: it takes a second, and the server may end those that are idle. Whoever was shown them has been told.
    safety.gate(migrations, journal.judged(todo), where, say if shown is None else _silent, shown=False)
    with _told(dsn, "migrating"), connect(dsn, "lock", say) as connection:
        ran = _run(Session(connection, dsn, settings(connection), say), migrations, wait)
    return MigrationResult(ran, len(migrations) - len(ran), time.monotonic() - begun)


def _check_taken_over(connection: "Connection", todo: Sequence[Migration], rows: Sequence[Applied]) -> None:
    """History is not judged, so it runs where it can harm nothing: in an empty database, or one that has run its beginning."""
    history = [migration for migration in todo if migration.history]
    if not history or rows:
        return
    if found := tables(connection):
        cause = f"the database has tables ({', '.join(found[:3])}{', …' if len(found) > 3 else ''}), and no record of any migration"
        remedy = f"Say what it has already: `invoke migrate.baseline --env ENV --to TAG`; all of the history is {history[-1].tag}."
        raise Refused("checking the migrations", cause, remedy)


def unrecorded(dsn: Secret | str, folder: Path, tag: str) -> tuple[Migration, ...]:
    """The files up to and with `tag` that the database has no record of. Raises `UsageError` for a tag that there is not."""
    dsn = secret(dsn)
    with _told(dsn, "reading what has run in"), connect(dsn, "status") as connection:
        return _unrecorded(connection, journal.read(folder), tag)


def baseline(dsn: Secret | str, folder: Path, tag: str, *, wait: float = LOCK_WAIT_SECONDS, say: Say = _silent) -> tuple[Migration, ...]:
    """Write down that the database has what the files up to `tag` do, and run none of them. Returns those written down now.

    Drizzle's own runner reads the same rows. Raises `Refused` for an empty database, `UsageError` for a tag that there is not.
    """
    dsn, doing = secret(dsn), "writing down what has run"
    migrations = journal.read(folder)
    with _told(dsn, doing), connect(dsn, "lock", say) as connection:
        if not tables(connection):
            raise Refused(doing, f"{describe(dsn)} has no tables", "An empty database is made by `invoke migrate`.")
        _locked(Session(connection, dsn, settings(connection), say), wait)
        _prepare(connection)
        with connection.transaction():
            lock.hold_in_transaction(connection)
            new = _unrecorded(connection, migrations, tag)
            for migration in new:
                record(connection, migration)
    return new


def _unrecorded(connection: "Connection", migrations: tuple[Migration, ...], tag: str) -> tuple[Migration, ...]:
    place = next((position for position, migration in enumerate(migrations) if migration.tag == tag), None)
    if place is None:
        newest = migrations[-1].tag if migrations else "none"
        raise UsageError("looking for the baseline", f"there is no migration {tag}", f"Name a tag of the journal; the newest is {newest}.")
    ran = {migration.tag for migration, _ in plan.matched(migrations, applied(connection))}
    return tuple(migration for migration in migrations[: place + 1] if migration.tag not in ran)


def _check_shown(todo: Sequence[Migration], shown: Sequence[Migration] | None) -> None:
    if shown is None:
        return
    known = {migration.hash for migration in shown}
    if new := [migration.file for migration in todo if migration.hash not in known]:
        cause = f"{', '.join(new)} came into the checkout after the migrations were shown, or was changed"
        raise Refused("migrating", cause, "Run it again, and look at what is shown.")


@contextmanager
def _told(dsn: Secret, doing: str) -> Iterator[None]:
    """Turn what the database says, and no step has explained, into a `Failure`."""
    import psycopg

    try:
        yield
    except psycopg.Error as error:
        cause = scrubbed(str(error).strip(), dsn) or "the connection was lost"
        raise Failure(f"{doing} {describe(dsn)}", cause, "Run it again: what is done stays done.") from error


def _run(session: Session, migrations: tuple[Migration, ...], wait: float) -> tuple[Ran, ...]:
    ran: list[Ran] = []
    connection = session.connection
    _locked(session, wait)
    _prepare(connection)
    # Another run may have been faster: what counts is what is there now that the lock is held.
    todo = plan.pending(migrations, applied(connection))
    for migration in todo:
        begun = time.monotonic()
        apply(session, migration, last=migration is todo[-1])
        ran.append(Ran(migration.file, round((time.monotonic() - begun) * 1000)))
        session.say(f"applied {migration.file} in {ran[-1].milliseconds} ms")
    return tuple(ran)


def _locked(session: Session, wait: float) -> None:
    check_direct(session.connection, session.dsn)
    session.connection.execute(session.settings)
    lock.take(session.connection, describe(session.dsn), wait=wait, say=session.say)


def _prepare(connection: "Connection") -> None:
    """Drizzle's own table, made as Drizzle makes it (drizzle-orm/src/pg-core/dialect.ts)."""
    connection.execute("CREATE SCHEMA IF NOT EXISTS drizzle")
    connection.execute(
        "CREATE TABLE IF NOT EXISTS drizzle.__drizzle_migrations (id SERIAL PRIMARY KEY, hash text NOT NULL, created_at bigint)"
    )
