"""Running what is pending: facts → plan → gates → lock → each file applied and written down."""

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from ops.database import journal, plan, safety
from ops.database.apply import Session, apply
from ops.database.connect import connect, describe, scrubbed, secret
from ops.database.facts import applied
from ops.database.journal import Migration
from ops.database.lock import held
from ops.errors import Failure, Refused
from ops.secret import Secret

if TYPE_CHECKING:
    from ops.database.connect import Connection

LOCK_WAIT_SECONDS = 120.0

Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Ran:
    """One file that was applied, and how long it took."""

    file: str
    milliseconds: int


@dataclass(frozen=True, slots=True)
class Result:
    """What a run did. `skipped` counts the files that had run before; `duration` is in seconds."""

    applied: tuple[Ran, ...]
    skipped: int
    duration: float


@dataclass(frozen=True, slots=True)
class Status:
    """Where a database stands: the files that have run and those that will. `database` is host, port and name."""

    database: str
    applied: tuple[Migration, ...]
    pending: tuple[Migration, ...]


def status(dsn: Secret | str, folder: Path) -> Status:
    """What has run and what is pending. Raises `Refused` for an edited, missing or out-of-order file."""
    dsn = secret(dsn)
    migrations = journal.read(folder)
    with _told(dsn, "reading what has run in"), connect(dsn, "status") as connection:
        todo = plan.pending(migrations, applied(connection))
    return Status(describe(dsn), migrations[: len(migrations) - len(todo)], todo)


def pending(dsn: Secret | str, folder: Path) -> tuple[Migration, ...]:
    """The migrations that have not run yet, in order. Raises `Refused` as `status` does."""
    return status(dsn, folder).pending


def _silent(_: str) -> None:
    return


def migrate(
    dsn: Secret | str, folder: Path, *, shown: Sequence[Migration] | None = None, wait: float = LOCK_WAIT_SECONDS, say: Say = _silent
) -> Result:
    """Run what is pending, and return what ran.

    `shown` are the migrations that somebody has agreed to: there must be no other. `wait` is how many seconds to wait for another run
    to end; `say` gets a line for each applied file. Raises `Refused` when a file was edited, is missing or out of order, was not shown,
    breaks a gate, or when the lock is held; `Failure` when a file fails.
    """
    dsn, begun = secret(dsn), time.monotonic()
    migrations = journal.read(folder)
    todo = pending(dsn, folder)
    _check_shown(todo, shown)
    safety.gate(todo)
    with _told(dsn, "migrating"):
        ran = _run(dsn, migrations, wait, say) if todo else ()
    return Result(ran, len(migrations) - len(ran), time.monotonic() - begun)


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


def _run(dsn: Secret, migrations: tuple[Migration, ...], wait: float, say: Say) -> tuple[Ran, ...]:
    ran: list[Ran] = []
    with held(dsn, wait=wait, say=say) as lock, connect(dsn, "run") as connection:
        _prepare(connection)
        # Another run may have been faster: what counts is what is there now that the lock is held.
        for migration in plan.pending(migrations, applied(connection)):
            lock.check()
            begun = time.monotonic()
            apply(Session(connection, dsn, say), migration)
            ran.append(Ran(migration.file, round((time.monotonic() - begun) * 1000)))
            say(f"applied {migration.file} in {ran[-1].milliseconds} ms")
    return tuple(ran)


def _prepare(connection: "Connection") -> None:
    """Drizzle's own table, made as Drizzle makes it (drizzle-orm/src/pg-core/dialect.ts), and no time limit but for locks."""
    connection.execute("CREATE SCHEMA IF NOT EXISTS drizzle")
    connection.execute(
        "CREATE TABLE IF NOT EXISTS drizzle.__drizzle_migrations (id SERIAL PRIMARY KEY, hash text NOT NULL, created_at bigint)"
    )
    connection.execute("SET statement_timeout = 0")
    connection.execute("SET idle_in_transaction_session_timeout = 0")
