"""Applying one file: in one transaction, or statement by statement where PostgreSQL does not allow that."""

import random
import re
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from ops.database.connect import scrubbed
from ops.database.journal import ALONE, Chunk, Migration
from ops.database.progress import Progress, progress
from ops.database.sql import NAME, QUALIFIED, Statement
from ops.errors import Failure
from ops.secret import Secret

if TYPE_CHECKING:
    import psycopg

    from ops.database.connect import Connection

LOCK_TIMEOUT = "3s"  # for one table's lock: whoever queues behind a waiting ALTER TABLE waits as long
ATTEMPTS = 8
PAUSE_SECONDS = 0.5, 15.0  # the first and the longest pause between attempts
RETRIED = {"55P03", "40P01", "40001"}  # lock_not_available, deadlock_detected, serialization_failure

INDEX = re.compile(
    rf"^CREATE\s+(?:UNIQUE\s+)?INDEX\s+CONCURRENTLY\s+(?:IF\s+NOT\s+EXISTS\s+)?(?P<name>{NAME})\s+ON\s+(?:ONLY\s+)?(?P<table>{QUALIFIED})",
    re.IGNORECASE,
)
DROP_INDEX = re.compile(rf"^DROP\s+INDEX\s+CONCURRENTLY\s+(?:IF\s+EXISTS\s+)?(?P<name>{QUALIFIED})", re.IGNORECASE)

INDEX_STATE = """
SELECT i.indisvalid, c.oid::regclass::text FROM pg_class c JOIN pg_index i ON i.indexrelid = c.oid
WHERE c.relname = (parse_ident(%s))[1] AND c.relnamespace = (SELECT relnamespace FROM pg_class WHERE oid = to_regclass(%s))
"""
OLDEST = """
SELECT pid, coalesce(nullif(application_name, ''), 'a nameless program'), usename, extract(epoch FROM now() - xact_start)::int
FROM pg_stat_activity WHERE datname = current_database() AND xact_start IS NOT NULL AND pid <> pg_backend_pid() ORDER BY xact_start LIMIT 1
"""


@dataclass(frozen=True, slots=True)
class Session:
    """Where a file is applied, and who is told."""

    connection: "Connection"
    dsn: Secret
    say: Callable[[str], None]


def apply(session: Session, migration: Migration) -> None:
    """Apply one file and write it down as Drizzle does. Raises `Failure`, naming file and line."""
    if migration.transactional:
        _retried(session, migration, lambda: _whole(session, migration))
    else:
        _piecewise(session, migration)


def _whole(session: Session, migration: Migration) -> None:
    with session.connection.transaction():
        session.connection.execute(f"SET LOCAL lock_timeout = '{LOCK_TIMEOUT}'".encode())
        for chunk in migration.chunks:
            _execute(session, migration, chunk, "Nothing of the file was kept.")
        _record(session, migration)


@dataclass(frozen=True, slots=True)
class Step:
    """One statement of a file that runs statement by statement."""

    session: Session
    migration: Migration
    state: Progress
    position: int

    @property
    def statement(self) -> Statement:
        """The statement itself."""
        return self.migration.statements[self.position]

    def execute(self) -> None:
        """Send the statement to the database."""
        done = f"{self.position} of the file's {len(self.migration.statements)} statements"
        kept = f"{done} are done and stay done; the next run goes on from there."
        _execute(self.session, self.migration, Chunk(self.statement.text, self.statement.line), kept)


def _piecewise(session: Session, migration: Migration) -> None:
    state = progress(session.connection, migration.when, migration.statements)
    for position, statement in enumerate(migration.statements):
        if state.done(position):
            session.say(f"{migration.file}:{statement.line}: done by an earlier run")
            continue
        run = _alone if ALONE.search(statement.shape) else _with_its_progress
        _retried(session, migration, partial(run, Step(session, migration, state, position)))
    with session.connection.transaction():
        _record(session, migration)
        state.forget()


def _with_its_progress(step: Step) -> None:
    with step.session.connection.transaction():
        step.session.connection.execute(f"SET LOCAL lock_timeout = '{LOCK_TIMEOUT}'".encode())
        step.execute()
        step.state.note(step.position, done=True)


def _alone(step: Step) -> None:
    """A statement that cannot be in a transaction: write down that it begins, so that the next run knows what to look for."""
    if not (step.state.begun(step.position) and _happened(step.session, step.statement)):
        _clear(step.session, step.migration, step.statement)
        step.state.note(step.position, done=False)
        # What runs concurrently waits for others' transactions and makes nobody wait: it may take its time.
        step.session.connection.execute("SET lock_timeout = 0")
        step.execute()
    step.state.note(step.position, done=True)


def _happened(session: Session, statement: Statement) -> bool:
    """Whether a statement that an earlier run began came to its end after all."""
    if DROP_INDEX.search(statement.shape):
        return _dropped(session, statement)
    return _index(session, statement)[0] is True


def _clear(session: Session, migration: Migration, statement: Statement) -> None:
    """Drop the invalid index that a failed or interrupted CREATE INDEX CONCURRENTLY leaves behind."""
    valid, name = _index(session, statement)
    if valid is False:
        session.say(f"{migration.file}:{statement.line}: dropping the invalid index {name} that an earlier run left")
        session.connection.execute("SET lock_timeout = 0")
        session.connection.execute(f"DROP INDEX CONCURRENTLY {name}".encode())


def _index(session: Session, statement: Statement) -> tuple[bool | None, str]:
    """Whether the index that a statement creates is valid (None: it is not there), and its name."""
    match = INDEX.search(statement.shape)
    row = session.connection.execute(INDEX_STATE, (match["name"], match["table"])).fetchone() if match else None
    return (None, "") if row is None else (row[0] is True, str(row[1]))


def _dropped(session: Session, statement: Statement) -> bool:
    match = DROP_INDEX.search(statement.shape)
    row = session.connection.execute("SELECT to_regclass(%s)", (match["name"],)).fetchone() if match else None
    return row is not None and row[0] is None


def _record(session: Session, migration: Migration) -> None:
    query = "INSERT INTO drizzle.__drizzle_migrations (hash, created_at) VALUES (%s, %s)"
    session.connection.execute(query, (migration.hash, migration.when))


def _execute(session: Session, migration: Migration, chunk: Chunk, kept: str) -> None:
    """Send text to the database as it stands. What is worth another attempt passes through; all else becomes a `Failure`."""
    import psycopg

    try:
        session.connection.execute(chunk.text.encode())
    except psycopg.Error as error:
        if error.sqlstate in RETRIED:
            raise
        doing, place = f"running {migration.file}", f"{migration.file}:{_line(chunk, error)}"
        cause = f"{place}: {scrubbed(_said(error), session.dsn)}\n{kept}{_left(session, chunk)}"
        raise Failure(doing, cause, "Correct the migration and run it again.") from error


def _said(error: "psycopg.Error") -> str:
    """PostgreSQL's message with its detail and hint."""
    diag = error.diag
    parts = [diag.message_primary or str(error).strip() or "the connection was lost", diag.message_detail, diag.message_hint]
    return "\n".join(filter(None, parts)) + (f" [{error.sqlstate}]" if error.sqlstate else "")


def _line(chunk: Chunk, error: "psycopg.Error") -> int:
    position = int(error.diag.statement_position or 0)
    before = chunk.text[: position - 1] if position else chunk.text[: len(chunk.text) - len(chunk.text.lstrip())]
    return chunk.line + before.count("\n")


def _left(session: Session, chunk: Chunk) -> str:
    if session.connection.closed or session.connection.info.transaction_status.name != "IDLE":
        return ""
    valid, name = _index(session, Statement(chunk.text, chunk.line, " ".join(chunk.text.split())))
    return (
        f"\nThe index {name} is left behind, invalid: nothing uses it, writes pay for it, and the next run drops it first."
        if valid is False
        else ""
    )


def _retried(session: Session, migration: Migration, once: Callable[[], None]) -> None:
    """Do something, again and again while another session is in the way."""
    import psycopg

    first, longest = PAUSE_SECONDS
    for attempt in range(1, ATTEMPTS + 1):
        try:
            return once()
        except psycopg.Error as error:
            if error.sqlstate not in RETRIED:
                raise
            blocked = f"{_said(error)}; {_oldest(session)}"
            if attempt == ATTEMPTS:
                cause = f"{blocked}, after {ATTEMPTS} attempts"
                raise Failure(f"running {migration.file}", cause, "Let that transaction end, and run it again.") from error
            pause = min(first * 2 ** (attempt - 1), longest) * random.uniform(0.75, 1.25)  # noqa: S311 (no secret: spreads attempts)
            session.say(f"{migration.file}: {blocked}; trying again in {pause:.1f} s ({attempt} of {ATTEMPTS})")
            time.sleep(pause)
    return None


def _oldest(session: Session) -> str:
    row = session.connection.execute(OLDEST).fetchone()
    if row is None:
        return "no other transaction is open any more"
    pid, program, user, seconds = row
    return f"the oldest open transaction is that of {program} (session {pid}, user {user}, for {seconds} s)"
