"""Judging migrations: what was judged before is known; the others are tried on a scratch database, read, and shown to squawk.

The same files give the same verdict, so verdicts are kept by what they were made from.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from ops.database import schema, scratch
from ops.database.connect import describe
from ops.database.effects import Effect, observe
from ops.database.findings import Verdict
from ops.database.journal import Migration
from ops.database.reading import World
from ops.database.weigh import Witnesses, read, weighed
from ops.errors import Failure
from ops.secret import Secret

if TYPE_CHECKING:
    from ops.database.lint import LintFinding


def judge(migrations: Sequence[Migration], pending: Sequence[Migration], *, user: str = "", source: Secret | None = None) -> Verdict:
    """The verdict on the pending files. Those of `migrations` that are not pending have made the schema, or it is that of `source`.

    Never raises for what it finds.
    """
    from ops.database import verdicts

    wanted = {migration.hash for migration in pending}
    history = [migration for migration in migrations if migration.hash not in wanted]
    chain = verdicts.chain(history, pending, user, describe(source) if source else "")
    known = {one.file: kept for one, key in zip(pending, chain, strict=True) if (kept := verdicts.kept(key)) is not None}
    first = next((place for place, one in enumerate(pending) if one.file not in known), None)
    if first is None:
        found = [known[one.file] for one in pending]
        return Verdict(tuple(finding for one in found for finding in one.findings), found[0].tried, found[0].why, found[0].replayed)
    first = 0 if source else first  # its schema is that before all of them
    fresh = _judge([*history, *pending[:first]], pending[first:], user, source)
    for one, key in zip(pending[first:], chain[first:], strict=True):
        # What a database looks like may be otherwise tomorrow.
        verdicts.keep(key, Verdict(fresh.of(one.file), fresh.tried, fresh.why, fresh.replayed), lasting=source is None)
    before = [finding for one in pending[:first] for finding in known[one.file].findings]
    return Verdict((*before, *fresh.findings), fresh.tried, fresh.why, fresh.replayed)


def _judge(history: Sequence[Migration], pending: Sequence[Migration], user: str, source: Secret | None) -> Verdict:
    world = World()
    for migration in history:
        if "FUNCTION" in (upper := migration.text.upper()) or "PROCEDURE" in upper:
            read(migration, world)
    squawk = _squawk(pending)
    tried = _tried(history, pending, user, source)
    return Verdict(weighed(pending, Witnesses(tried.effects, squawk), world), tried.version, tried.why, tried.replayed)


@dataclass(frozen=True, slots=True)
class _Tried:
    """The effects by file, and which PostgreSQL showed them; or `why` none could."""

    effects: Mapping[str, tuple[Effect, ...]] = field(default_factory=dict)
    version: str = ""
    why: str = ""
    replayed: str = ""


def _tried(history: Sequence[Migration], pending: Sequence[Migration], user: str, source: Secret | None) -> _Tried:
    replayed = ""
    try:
        with scratch.server() as server:
            version = f"{server.major}.{server.version % 10000}"
            if source:
                try:
                    taken = schema.taken(server, source, ran=len(history))
                    with scratch.database(server, user) as database:
                        return _Tried(observe(database, taken, pending), version)
                except Failure as failure:
                    replayed = _told(failure)
            with scratch.database(server, user) as database:
                return _Tried(observe(database, history, pending), version, replayed=replayed)
    except Failure as failure:
        return _Tried(why=_told(failure), replayed=replayed)


def _told(failure: Failure) -> str:
    """A failure as a part of a sentence: a driver's cause has several lines."""
    return " ".join(f"{failure.doing}: {failure.cause}".split())


def _squawk(pending: Sequence[Migration]) -> "Mapping[str, tuple[LintFinding, ...]] | None":
    """What squawk says, by file. The image of the migration Job has none: there, the verb that deploys has asked it before."""
    try:
        from ops.database.lint import lint
    except ImportError:
        return None
    said = lint(pending)
    return {migration.file: tuple(one for one in said if one.file == migration.file) for migration in pending}
