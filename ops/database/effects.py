"""What migrations do, seen by running them on a scratch database: witnesses report of each statement, and `meaning` reads the reports."""

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from ops.database import witness
from ops.database.journal import ALONE, Migration
from ops.database.meaning import Moment, effects_of
from ops.database.reading import CONTROL
from ops.database.schema import Schema, restore
from ops.database.scratch import STATEMENT_SECONDS, Scratch
from ops.database.sql import Statement
from ops.database.witness import EffectReport, RelationFacts, Since
from ops.database.words import words
from ops.errors import Failure

if TYPE_CHECKING:
    import psycopg

BEYOND = {"SYSTEM", "DATABASE", "TABLESPACE", "ROLE", "USER", "GROUP", "SUBSCRIPTION"}
NO_ROLE = re.compile(r'^role "(?P<role>.*)" does not exist$')
# What fails for want of rows, rights, time or an extension says nothing against the file.
ROWS_MISSING = re.compile(r"^(?:23|P0)")
UNTRIED = {"42501", "57014", "0A000", "58P01", "53100", "53200", "53300"}


@dataclass(frozen=True, slots=True)
class Effect:
    """One effect of a statement. `detail` names what it was done to."""

    rule: str
    line: int
    detail: str = ""
    place: int = 0  # the very line in the statement, where it is known


@dataclass(slots=True)
class Observer:
    """The scratch database while migrations are tried on it."""

    scratch: Scratch
    keep: bool
    relations: dict[int, RelationFacts] = field(default_factory=dict)
    said: list[str] = field(default_factory=list)
    watched: int = witness.FIRST_OID  # tables from this OID on have no trigger yet

    def listen(self, diagnostic: "psycopg.errors.Diagnostic") -> None:
        """Keep what the server says at DEBUG1."""
        if diagnostic.severity_nonlocalized == "DEBUG" or (diagnostic.severity or "").startswith("DEBUG"):
            self.said.append(diagnostic.message_primary or "")


def observe(
    scratch: Scratch, before: Sequence[Migration] | Schema, pending: Sequence[Migration], *, keep: bool = True
) -> dict[str, tuple[Effect, ...]]:
    """The effects of each pending file, on the schema that the files `before` have made, or on the environment's own.

    Without `keep` each file that runs in a transaction is taken back after it was looked at, so that all meet the same schema.
    Raises `Failure` when that schema cannot be made.
    """
    scratch.observer.execute(witness.INSTALL)
    if isinstance(before, Schema):
        restore(scratch, before)
    scratch.owner.execute(witness.DRIZZLE)
    if not isinstance(before, Schema):
        _replay(scratch, before)
    scratch.observer.execute(witness.WATCH)
    observer = Observer(scratch, keep, witness.facts_from(scratch.observer, witness.FIRST_OID))
    scratch.owner.add_notice_handler(observer.listen)
    found: dict[str, tuple[Effect, ...]] = {}
    for migration in pending:
        found[migration.file] = tuple(_file(observer, migration))
    return found


def _replay(scratch: Scratch, history: Sequence[Migration]) -> None:
    """Make the schema that applied files have left behind."""
    import psycopg

    for migration in history:
        _fresh(scratch)
        pieces = [migration.statements] if migration.transactional else [[statement] for statement in migration.statements]
        for piece in pieces:
            alone = len(piece) == 1 and isinstance(piece[0], Statement) and ALONE.search(piece[0].shape)
            try:
                if alone:
                    scratch.owner.execute(piece[0].text.encode())
                    continue
                with scratch.owner.transaction():
                    for part in piece:
                        _helped(scratch, part.text)
            except psycopg.Error as error:
                doing, cause = "making the environment's schema on the scratch database", f"{migration.file}: {str(error).strip()}"
                raise Failure(doing, cause, "The applied files do not make a schema by themselves.") from error


def _fresh(scratch: Scratch) -> None:
    """A session as a file finds it."""
    scratch.owner.execute("DISCARD ALL")
    scratch.owner.execute(f"SET statement_timeout = '{STATEMENT_SECONDS}s'".encode())


def _helped(scratch: Scratch, text: str, before: str = "", then: Callable[[], None] = lambda: None) -> None:
    """Run a statement between what comes `before` and `then`, in one (sub)transaction: of each that is open PostgreSQL has more to do the
    more a file has made. What the environment's server gives and a scratch server lacks is made first: a role, without any right, and an
    extension that only a superuser may create."""
    import psycopg

    for _ in range(8):
        try:
            with scratch.owner.transaction():
                if before:
                    scratch.owner.execute(before.encode())
                scratch.owner.execute(text.encode())
                then()
            return
        except psycopg.errors.InsufficientPrivilege:
            if not _creates_extension(text):
                raise
            scratch.observer.execute(text.encode())
            with scratch.owner.transaction():
                then()
            return
        except psycopg.errors.UndefinedObject as error:
            missing = NO_ROLE.match(error.diag.message_primary or "")
            if missing is None:
                raise
            quoted = missing["role"].replace('"', '""')
            if not scratch.observer.execute("SELECT FROM pg_roles WHERE rolname = %s", (missing["role"],)).fetchall():
                scratch.observer.execute(f'CREATE ROLE "{quoted}" NOLOGIN'.encode())
            user = scratch.owner.info.user.replace('"', '""')
            # The files' role may hand over what it owns to it, as the environment's user may.
            scratch.observer.execute(f'GRANT "{quoted}" TO "{user}"'.encode())
            # Inside a transaction a session hears of another's changes when it takes a lock that it did not hold.
            with scratch.owner.transaction(force_rollback=True):
                scratch.owner.execute("SELECT FROM pg_catalog.pg_seclabel LIMIT 0")


def _creates_extension(text: str) -> bool:
    found = [word.key for word in words(text)]
    return found[:2] == ["CREATE", "EXTENSION"] and ";" not in found[:-1]


# ---------------------------------------------------------------- one file


def _file(observer: Observer, migration: Migration) -> Iterator[Effect]:
    import psycopg

    _fresh(observer.scratch)
    owner, since = observer.scratch.owner, witness.begin_file(observer.scratch.observer, observer.watched)
    observer.watched = since.mark
    old = {oid: facts for oid, facts in observer.relations.items() if oid < since.mark}
    trial = _Trial(observer, Moment(since.mark, old, dict(old)), since)
    if migration.transactional:
        try:
            with owner.transaction(force_rollback=not observer.keep):
                for statement in migration.statements:
                    yield from _tried(trial, statement)
        except psycopg.Error as error:  # deferred constraints are checked at the end
            yield Effect(*_failed(error, 1))
    else:
        for statement in migration.statements:
            trial.moment.held.clear()
            yield from _tried(trial, statement, anew=True)
    if observer.keep or not migration.transactional:
        observer.relations = {**trial.moment.now, **witness.facts_from(observer.scratch.observer, since.mark)}


@dataclass(slots=True)
class _Trial:
    """One file while it is tried: what there is, up to where that was reported, and the last report."""

    observer: Observer
    moment: Moment
    since: Since
    report: EffectReport = field(init=False)

    def look(self, *, anew: bool, alone: bool = False) -> None:
        """Have the witnesses report of the statement that has just run."""
        said = tuple(self.observer.said)
        self.report, self.since = witness.report(self.observer.scratch.owner, self.since, said, anew=anew, alone=alone)


def _tried(trial: _Trial, statement: Statement, *, anew: bool = False) -> Iterator[Effect]:
    """Run one statement, in a transaction of its own where it can be in one (`anew`: of which nothing is left), and tell its effects."""
    import psycopg

    observer, owner = trial.observer, trial.observer.scratch.owner
    observer.said.clear()
    if _left_out(statement):
        return
    try:
        if anew and ALONE.search(statement.shape):
            owner.execute("SET client_min_messages = debug1")
            owner.execute(statement.text.encode())
            trial.look(anew=anew, alone=True)
        else:
            _helped(observer.scratch, statement.text, "SET LOCAL client_min_messages = debug1", lambda: trial.look(anew=anew))
    except psycopg.Error as error:
        if owner.closed:
            raise Failure("trying the migrations", f"the scratch database ended: {str(error).strip()}", "Run it again.") from error
        position = int(error.diag.statement_position or 0)
        yield Effect(*_failed(error, statement.line), statement.line + statement.text[: max(position - 1, 0)].count("\n"))
        return
    for rule, detail in effects_of(statement, trial.report, trial.moment):
        yield Effect(rule, statement.line, detail)
    trial.moment.after(trial.report)


def _left_out(statement: Statement) -> bool:
    """What is not run, since the reading refuses it: COPY, which waits for a client, transaction control, what is beyond the database."""
    found = [word.key for word in words(statement.text[:400])][:3]
    first, second = found[:1], found[1:2]
    if first and first[0] in CONTROL | {"COPY"}:
        return True
    if first == ["SET"] and ("TRANSACTION" in found or "CHARACTERISTICS" in found):
        return True
    return first in (["ALTER"], ["CREATE"], ["DROP"]) and not BEYOND.isdisjoint(second)


def _failed(error: "psycopg.Error", line: int) -> tuple[str, int, str]:
    state, message = error.sqlstate or "", error.diag.message_primary or str(error).strip()
    untried = state in UNTRIED or ROWS_MISSING.match(state)
    return ("untried" if untried else "fails", line, f"{message} [{state}]")
