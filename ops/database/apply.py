"""Applying one file: in one transaction, or statement by statement where PostgreSQL does not allow that.

Each file begins with the session as it was opened, under the lock, and with a bound on each wait for a table's lock.
"""

import random
import re
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import lru_cache, partial
from typing import TYPE_CHECKING

from ops.database import concurrently, lock
from ops.database.concurrently import Waits
from ops.database.connect import describe, scrubbed
from ops.database.journal import ALONE, Chunk, Migration
from ops.database.progress import MigrationProgress, progress
from ops.database.sql import Statement
from ops.errors import Failure
from ops.secret import Secret

if TYPE_CHECKING:
    import psycopg

    from ops.database.connect import Connection

LOCK_TIMEOUT = "3s"  # for one table's lock: whoever queues behind a waiting ALTER TABLE waits as long
LONG_LOCK_TIMEOUT = "10min"  # for what waits for others' transactions and makes nobody wait
ATTEMPTS, LONG_ATTEMPTS = 8, 2
PAUSE_SECONDS = 0.5, 15.0  # the first and the longest pause between attempts
RETRIED = {"55P03", "40P01", "40001"}  # lock_not_available, deadlock_detected, serialization_failure

# DISCARD ALL but for the advisory locks, of which one is ours: a file must not depend on which others ran in the same run.
FRESH = (
    b"RESET SESSION AUTHORIZATION; RESET ROLE; CLOSE ALL; RESET ALL; DEALLOCATE ALL; UNLISTEN *;"
    b"DISCARD PLANS; DISCARD TEMP; DISCARD SEQUENCES;"
)
BEGIN = b"BEGIN ISOLATION LEVEL READ COMMITTED;"  # whatever the role's default is: the look at the record must see what was there before
# What a statement leaves in the session and nowhere else: where a file goes on after an interruption, it is done again.
SETTING = re.compile(
    r"^(?:SET\b(?!\s+(?:LOCAL|CONSTRAINTS|TRANSACTION)\b)|RESET\b|SELECT\s+(?:pg_catalog\s*\.\s*)?set_config\b)", re.IGNORECASE
)

WHO = re.compile(r"\b(?:role|authorization|session_authorization)\b", re.IGNORECASE)

OLDEST = """
SELECT pid, coalesce(nullif(application_name, ''), 'a nameless program'), usename, extract(epoch FROM now() - xact_start)::int
FROM pg_stat_activity WHERE datname = current_database() AND xact_start IS NOT NULL AND pid <> pg_backend_pid() ORDER BY xact_start LIMIT 1
"""


@dataclass(frozen=True, slots=True)
class Session:
    """Where a file is applied, and who is told. `settings` is SQL that follows each reset (ops/database/connect.py)."""

    connection: "Connection"
    dsn: Secret
    settings: bytes
    say: Callable[[str], None]


def apply(session: Session, migration: Migration, *, last: bool = True) -> None:
    """Apply one file and write it down as Drizzle does; `last`: no other follows in this run. Raises `Failure`, naming file and line."""
    # What one commit has on disk, it has of all before it: only the last one is waited for. A crash before that takes back the end of a
    # run, files with their records, and never a part of one.
    session = session if last else replace(session, settings=session.settings + b"SET synchronous_commit = off;")
    if migration.transactional:
        _retried(session, migration, partial(_whole, session, migration))
    else:
        _piecewise(session, migration)


def _whole(session: Session, migration: Migration) -> None:
    # A file that sets the limit itself is sent statement by statement, the limit before each: its own holds for none.
    alone = "lock_timeout" in migration.sql.lower()
    chunks = tuple(Chunk(s.text, s.line) for s in migration.statements) if alone else migration.chunks
    with _guarded(session, migration, fresh=True):
        for chunk in chunks:
            _execute(session, migration, chunk, partial(_kept, session), f"SET LOCAL lock_timeout = '{LOCK_TIMEOUT}';")
        record(session.connection, migration, end="; COMMIT")


def _kept(session: Session) -> str:
    if session.connection.info.transaction_status.name == "IDLE":
        return "The file ends its transaction by itself (COMMIT): what stands before that was kept."
    return "Nothing of the file was kept."


@contextmanager
def _guarded(session: Session, migration: Migration, *, fresh: bool = False) -> Iterator[None]:
    """A transaction in which the lock is held and the file is unrecorded; what is written in it is written once.

    `fresh`: the session is put back to its beginning first. Few messages, each of many statements: where the server is far away, or the
    machine busy, it is their number that takes the time.
    """
    connection = session.connection
    try:
        if fresh:
            recorded = lock.hold_in_transaction(connection, _recorded(migration), before=FRESH + session.settings + BEGIN)
        else:
            connection.execute(BEGIN)
            with _ourselves(session, migration):
                recorded = lock.hold_in_transaction(connection, _recorded(migration))
        if recorded:
            cause = f"another run has applied {migration.file} meanwhile"
            raise Failure(f"running {migration.file}", cause, "Run it again: what is done stays done.")
        yield
        if _open(connection):
            connection.execute("COMMIT")
    finally:
        if _open(connection):
            connection.execute("ROLLBACK")


def _open(connection: "Connection") -> bool:
    return not connection.closed and connection.info.transaction_status.name in {"INTRANS", "INERROR"}


def _recorded(migration: Migration) -> str:
    hashes = ", ".join(f"'{hash_}'" for hash_ in sorted(migration.hashes))
    return f"SELECT count(*) FROM drizzle.__drizzle_migrations WHERE created_at = {migration.when} AND hash IN ({hashes})"  # noqa: S608


@contextmanager
def _ourselves(session: Session, migration: Migration) -> Iterator[None]:
    """As who the run is: between the statements of a file that sets its role, what is our own is done as ourselves."""
    if not _sets_role(migration.sql):
        yield
        return
    who = session.connection.execute("SELECT session_user, current_setting('role')").fetchone()
    session.connection.execute("RESET SESSION AUTHORIZATION; RESET ROLE")
    yield
    session.connection.execute("SELECT set_config('session_authorization', %s, false), set_config('role', %s, false)", who)


@lru_cache(maxsize=1)
def _sets_role(sql: str) -> bool:
    return WHO.search(sql) is not None


@dataclass(frozen=True, slots=True)
class StatementStep:
    """One statement of a file that runs statement by statement."""

    session: Session
    migration: Migration
    state: MigrationProgress
    position: int

    @property
    def statement(self) -> Statement:
        """The statement itself."""
        return self.migration.statements[self.position]

    def execute(self, *, text: str = "", limit: str = "") -> None:
        """Send the statement, or the text in its place, to the database."""
        _execute(self.session, self.migration, Chunk(text or self.statement.text, self.statement.line), self.kept, limit)

    def kept(self) -> str:
        """What a failure leaves in the database, in words."""
        done = f"{self.position} of the file's {len(self.migration.statements)} statements"
        kept = f"{done} are done and stay done; the next run goes on from there."
        connection = self.session.connection
        if connection.closed or connection.info.transaction_status.name != "IDLE":
            return kept
        return kept + "".join(
            f"\nThe index {index.name} is left behind, invalid: nothing uses it, writes pay for it, and the next run drops it first."
            for index in self.leftovers()
        )

    def note(self, *, done: bool, indexes: frozenset[int] = frozenset()) -> None:
        """Write down that the statement begins, or has run."""
        with _ourselves(self.session, self.migration):
            self.state.note(self.position, done=done, indexes=indexes)

    def leftovers(self) -> tuple[concurrently.InvalidIndex, ...]:
        """The invalid indexes that an attempt at the statement left behind."""
        return concurrently.leftovers(self.session.connection, self.statement, self.state.begun(self.position))


def _piecewise(session: Session, migration: Migration) -> None:
    session.connection.execute(FRESH + session.settings)
    state = progress(session.connection, migration.when, migration.statements)
    for position, statement in enumerate(migration.statements):
        if state.done(position) and not SETTING.search(statement.shape):
            session.say(f"{migration.file}:{statement.line}: done by an earlier run")
            continue
        alone = ALONE.search(statement.shape) is not None
        long = alone and concurrently.waits(statement) is Waits.LONG
        step = StatementStep(session, migration, state, position)
        _retried(session, migration, partial(_alone if alone else _with_its_progress, step), LONG_ATTEMPTS if long else ATTEMPTS)
    with _guarded(session, migration):
        record(session.connection, migration)
        state.forget()


def _with_its_progress(step: StatementStep) -> None:
    with _guarded(step.session, step.migration):
        step.execute(limit=f"SET LOCAL lock_timeout = '{LOCK_TIMEOUT}';")
        step.note(done=True)


def _alone(step: StatementStep) -> None:
    """A statement that cannot be in a transaction: write down that it begins, so that the next attempt knows what to look for."""
    connection, begun = step.session.connection, step.state.begun(step.position)
    lock.check(connection)
    if begun is None or not concurrently.happened(connection, step.statement, begun):
        _clear(step)
        step.note(done=False, indexes=concurrently.indexes(connection))
        _limit(connection, concurrently.waits(step.statement))
        text = concurrently.instead(connection, step.statement)
        if text:
            step.session.say(f"{step.migration.file}:{step.statement.line}: ending what an earlier run began: {text}")
        step.execute(text=text)
    step.note(done=True)


def _limit(connection: "Connection", waits: Waits) -> None:
    connection.execute(f"SET lock_timeout = '{LONG_LOCK_TIMEOUT if waits is Waits.LONG else LOCK_TIMEOUT}'".encode())


def _clear(step: StatementStep) -> None:
    """Drop the invalid indexes that a failed or interrupted statement left behind."""
    for index in step.leftovers():
        step.session.say(f"{step.migration.file}:{step.statement.line}: dropping the invalid index {index.name} that an earlier run left")
        _limit(step.session.connection, Waits.LONG)
        step.session.connection.execute(f"DROP INDEX CONCURRENTLY {index.name}".encode())


def record(connection: "Connection", migration: Migration, *, end: str = "") -> None:
    """Write down that a file has run, as Drizzle does; `end` goes in the same message."""
    # By who the run is, and not by whom the file has made it.
    reset = "RESET SESSION AUTHORIZATION; RESET ROLE; "
    insert = "INSERT INTO drizzle.__drizzle_migrations (hash, created_at) VALUES"
    connection.execute(f"{reset}{insert} ('{migration.hash}', {migration.when}){end}".encode())


def _execute(session: Session, migration: Migration, chunk: Chunk, kept: Callable[[], str], limit: str) -> None:
    """Send text to the database as it stands. What is worth another attempt passes through; all else becomes a `Failure`."""
    import psycopg

    try:
        session.connection.execute(f"{limit}{chunk.text}".encode())
    except psycopg.Error as error:
        if error.sqlstate in RETRIED:
            raise
        raise _failure(session, migration, f"{migration.file}:{_line(chunk, error, len(limit))}", error, kept()) from error


def _failure(session: Session, migration: Migration, place: str, error: "psycopg.Error", kept: str) -> Failure:
    cause = f"{place}: {scrubbed(_said(error), session.dsn)}\n{kept}"
    if session.connection.closed:
        remedy = f"See in the log of {describe(session.dsn)} why it ended the session, and run it again: what is done stays done."
        return Failure(f"running {migration.file}", cause, remedy)
    return Failure(f"running {migration.file}", cause, "Correct the migration and run it again.")


def _said(error: "psycopg.Error") -> str:
    """PostgreSQL's message with its detail and hint."""
    diag = error.diag
    parts = [diag.message_primary or str(error).strip() or "the connection was lost", diag.message_detail, diag.message_hint]
    return "\n".join(filter(None, parts)) + (f" [{error.sqlstate}]" if error.sqlstate else "")


def _line(chunk: Chunk, error: "psycopg.Error", before: int) -> int:
    """The line of the file that PostgreSQL means; `before` is the length of what was sent before the chunk."""
    position = int(error.diag.statement_position or 0) - before
    skipped = chunk.text[: position - 1] if position > 0 else chunk.text[: len(chunk.text) - len(chunk.text.lstrip())]
    return chunk.line + skipped.count("\n")


def _retried(session: Session, migration: Migration, once: Callable[[], None], attempts: int = ATTEMPTS) -> None:
    """Do something, again and again while another session is in the way."""
    import psycopg

    first, longest = PAUSE_SECONDS
    for attempt in range(1, attempts + 1):
        try:
            return once()
        except psycopg.Error as error:
            if error.sqlstate not in RETRIED:
                kept = "Whether it was kept, the next run sees." if session.connection.closed else "Nothing of that was kept."
                raise _failure(session, migration, migration.file, error, kept) from error
            blocked = f"{_said(error)}; {_oldest(session)}"
            if attempt == attempts:
                cause = f"{blocked}, after {attempts} attempts"
                raise Failure(f"running {migration.file}", cause, "Let that transaction end, and run it again.") from error
            pause = min(first * 2 ** (attempt - 1), longest) * random.uniform(0.75, 1.25)  # noqa: S311 (no secret: spreads attempts)
            session.say(f"{migration.file}: {blocked}; trying again in {pause:.1f} s ({attempt} of {attempts})")
            time.sleep(pause)
    return None


def _oldest(session: Session) -> str:
    row = session.connection.execute(OLDEST).fetchone()
    if row is None:
        return "no other transaction is open any more"
    pid, program, user, seconds = row
    return f"the oldest open transaction is that of {program} (session {pid}, user {user}, for {seconds} s)"
