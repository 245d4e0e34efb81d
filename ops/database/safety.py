"""The gates: what migrations do to the versions that run beside them, and whether that is allowed.

Three witnesses: a run on a scratch database (`effects`), our reading of the text (`reading`), squawk's (`lint`). What running measures,
running decides; what it cannot see, the readers decide. Each finding has a rule (`rules`), and a waiver (`waiver`) allows one rule of one
statement. The same files give the same verdict, so verdicts are kept by what they were made from.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from ops.database import reading, schema, scratch, waiver
from ops.database.connect import describe
from ops.database.effects import Effect, observe
from ops.database.facts import untouched
from ops.database.findings import DOUBTS, Finding, Verdict
from ops.database.journal import ALONE, Migration
from ops.database.reading import World
from ops.database.rules import RULES
from ops.errors import Failure, Refused
from ops.secret import Secret

if TYPE_CHECKING:
    from ops.database.connect import Connection
    from ops.database.lint import LintFinding

# What a run shows for certain: here the text alone accuses nobody, unless it stands in a body, which may not have been reached.
MEASURED = {
    "add-required-column",
    "build-index",
    "change-type",
    "create-trigger",
    "detach-partition",
    "disable-trigger",
    "drop-column",
    "drop-constraint",
    "drop-extension",
    "drop-index",
    "drop-index-lock",
    "drop-not-null",
    "drop-other",
    "drop-policy",
    "drop-schema",
    "drop-sequence",
    "drop-table",
    "drop-trigger",
    "drop-type",
    "drop-view",
    "identity-always",
    "rename",
    "replace",
    "rewrite-table",
    "row-security",
    "scan-table",
    "set-not-null",
    "truncate",
}
UNSURE = {"change-type", "set-not-null"}  # a wider varchar, a validated check: text does not tell what is harmless
# squawk knows nothing of what a file has made itself; these our own reading and the run see better.
OURS = {
    "squawk",
    "revoke",
    "drop-function",
    "create-policy",
    "alter-sequence",
    "transaction-control",
    "reindex",
    "drop-default",
    "rename-type",
}


@dataclass(frozen=True, slots=True)
class TargetDatabase:
    """What the gates know of the database that the migrations are for.

    `user` is the role that they run as there, `major` its PostgreSQL (0: unknown). `protected`: what could not be tried is refused.
    `source`: the database itself, whose schema the files are tried on. `beside`: there is a scratch server for this very run, and without
    it nothing runs.
    """

    user: str = ""
    major: int = 0
    protected: bool = False
    source: Secret | None = None
    beside: bool = False


def gate(
    migrations: Sequence[Migration],
    pending: Sequence[Migration],
    where: TargetDatabase | None = None,
    say: Callable[[str], None] = lambda _: None,
    *,
    shown: bool = True,
) -> Verdict:
    """Judge the pending files, whose schema the others have made. Raises `Refused`, naming every file and line that breaks a gate."""
    where = where or TargetDatabase()
    if not pending:
        return Verdict(())
    verdict = judge(migrations, pending, user=where.user, source=where.source)
    admit(verdict, where, say, shown=shown)
    return verdict


def admit(verdict: Verdict, where: TargetDatabase, say: Callable[[str], None], *, shown: bool = True) -> None:
    """Say what a person should know of a verdict, and raise `Refused` for what stops the migrations. Each thing is said once."""
    for line in told(verdict, where, shown=shown):
        say(line)
    refused = [finding for finding in verdict.findings if finding.refused or (where.protected and finding.rule in DOUBTS)]
    causes, remedies = [*map(str, refused)], list[str]()
    if any(finding.refused for finding in refused):
        form = "-- nextai:contract RULE: REASON"
        remedies.append(f"Change the migration; or, if no running version minds, say so in a line right before the statement: {form}")
    if any(finding.rule in DOUBTS for finding in refused):
        remedies.append(
            "Correct the statement; where it needs what the scratch server lacks, name another throw-away server in SCRATCH_DATABASE_URL."
        )
    if (doubt := _doubt(verdict, where)) and _refuses(where, verdict):
        causes.append(f"{doubt}, and the environment is protected" if where.protected else doubt)
        beside = "See why the scratch server beside the migrations does not answer."
        server = "Name a throw-away server of the same PostgreSQL in SCRATCH_DATABASE_URL."
        remedies.append(beside if where.beside and not verdict.tried else server)
    if causes:
        raise Refused("checking the migrations", "\n".join(causes), " ".join(remedies))


def _refuses(where: TargetDatabase, verdict: Verdict) -> bool:
    """Whether a doubt stops the migrations: then the refusal says it, and no warning before."""
    return where.protected or (where.beside and not verdict.tried)


def environment(connection: "Connection", source: Secret, *, protected: bool = False, beside: bool = False) -> TargetDatabase:
    """What the gates need to know of a database. One that holds nothing has no schema to copy: the first file begins it."""
    copied = None if untouched(connection) else source
    return TargetDatabase(connection.info.user, connection.info.server_version // 10000, protected, copied, beside)


def reached(dsn: Secret, *, protected: bool = False) -> TargetDatabase:
    """The same, of a database that nobody is connected to yet."""
    from ops.database.connect import connect

    with connect(dsn, "gate") as connection:
        return environment(connection, dsn, protected=protected)


def told(verdict: Verdict, environment: TargetDatabase, *, shown: bool = True) -> list[str]:
    """What a person should know of a verdict, beside what is refused."""
    lines = [f"allowed by its waiver: {finding} ({finding.waived})" for finding in verdict.findings if finding.waived]
    doubtful = DOUBTS if environment.protected else ()  # there the refusal says it
    lines += [f"warning: {finding}" for finding in verdict.findings if finding.level == "warned" and finding.rule not in doubtful]
    if shown:
        lines += [f"{finding.file}:{finding.line}: {finding.what}" for finding in verdict.findings if finding.level == "shown"]
    if (doubt := _doubt(verdict, environment)) and not _refuses(environment, verdict):
        lines.append(f"warning: {doubt}")
    if verdict.replayed:
        lines.append(f"warning: what was made in the environment by hand was not there when the migrations were tried: {verdict.replayed}")
    return lines


def _doubt(verdict: Verdict, environment: TargetDatabase) -> str:
    """Why the verdict is less than one by effects on the environment's own PostgreSQL, or nothing."""
    if not verdict.tried:
        return f"the migrations were judged by their text alone: {verdict.why}"
    if environment.major and verdict.major != environment.major:
        return f"the migrations were tried on PostgreSQL {verdict.major}, and the environment has {environment.major}"
    return ""


def findings(migration: Migration) -> tuple[Finding, ...]:
    """What the text of one file says by itself, with its waivers. Pure."""
    return _weighed([migration], {}, World(), {})


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
        return Verdict(tuple(finding for one in found for finding in one.findings), found[0].tried, replayed=found[0].replayed)
    first = 0 if source else first  # its schema is that before all of them
    fresh = _judge([*history, *pending[:first]], pending[first:], user, source)
    for one, key in zip(pending[first:], chain[first:], strict=True):
        # What a database looks like may be otherwise tomorrow.
        verdicts.keep(key, Verdict(fresh.of(one.file), fresh.tried, replayed=fresh.replayed), lasting=source is None)
    before = [finding for one in pending[:first] for finding in known[one.file].findings]
    return Verdict((*before, *fresh.findings), fresh.tried, fresh.why, fresh.replayed)


def _judge(history: Sequence[Migration], pending: Sequence[Migration], user: str, source: Secret | None) -> Verdict:
    world = World()
    for migration in history:
        if "FUNCTION" in (upper := migration.text.upper()) or "PROCEDURE" in upper:
            _read(migration, world)
    said = _squawk(pending)
    tried = _tried(history, pending, user, source)
    return Verdict(_weighed(pending, tried.effects, world, said), tried.version, tried.why, tried.replayed)


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
                    replayed = f"{failure.doing}: {failure.cause}"
            with scratch.database(server, user) as database:
                return _Tried(observe(database, history, pending), version, replayed=replayed)
    except Failure as failure:
        return _Tried(why=f"{failure.doing}: {failure.cause}", replayed=replayed)


def _squawk(pending: Sequence[Migration]) -> "Mapping[str, tuple[LintFinding, ...]] | None":
    """What squawk says, by file. The image of the migration Job has none: there, the verb that deploys has asked it before."""
    try:
        from ops.database.lint import lint
    except ImportError:
        return None
    said = lint(pending)
    return {migration.file: tuple(one for one in said if one.file == migration.file) for migration in pending}


# ---------------------------------------------------------------- weighing the witnesses


def _read(migration: Migration, world: World) -> dict[int, list[reading.StatementFinding]]:
    """What the text says, by the line of the statement."""
    found: dict[int, list[reading.StatementFinding]] = {}
    for statement in migration.statements:
        found.setdefault(statement.line, []).extend(reading.read(statement.text, statement.line, world))
    return found


def _weighed(
    pending: Sequence[Migration],
    effects: Mapping[str, tuple[Effect, ...]],
    world: World,
    said: "Mapping[str, tuple[LintFinding, ...]] | None",
) -> tuple[Finding, ...]:
    found: list[Finding] = []
    for migration in pending:
        world = world.next_file()
        measured = effects.get(migration.file)
        failed = next((one.line for one in measured or () if one.rule in DOUBTS), None)
        one = _File(migration)
        for effect in measured or ():
            one.add(effect.rule, effect.line, effect.place or effect.line, effect.detail)
        for line, texts in _read(migration, world).items():
            certain = measured is not None and line not in one.alone and (failed is None or line < failed)
            for text in texts:
                if text.inner or not certain or text.rule not in MEASURED:
                    # Here the deploy has judged before, by what they do: the Job must not refuse what that has let through.
                    unsure = measured is None and said is None and text.rule in UNSURE and not text.inner
                    one.add("unmeasured" if unsure else text.rule, line, text.line, text.rule if unsure else "")
        for squawk in (said or {}).get(migration.file, ()):
            line = one.statement(squawk.line)
            certain = measured is not None and line not in one.alone and (failed is None or line < failed)
            if squawk.rule not in OURS and not (certain and squawk.rule in MEASURED):
                one.add(squawk.rule, line, squawk.line, f"squawk: {squawk.name}")
            elif squawk.rule == "squawk" and measured is None:
                one.add(squawk.rule, line, squawk.line, squawk.name)
        found += one.findings()
    return tuple(found)


@dataclass(slots=True)
class _File:
    """The findings of one file while they are gathered, by statement and rule."""

    migration: Migration
    gathered: dict[tuple[int, str], Finding] = field(default_factory=dict)

    def add(self, rule: str, statement: int, line: int, detail: str = "") -> None:
        """A finding; one rule is told once a statement, by the first witness."""
        key = statement, rule
        if rule == "locks":
            key = statement, f"locks {detail}"
        if key not in self.gathered:
            self.gathered[key] = Finding(self.migration.file, line, rule, detail)

    @property
    def alone(self) -> set[int]:
        """The statements that run outside of a transaction: when they can be looked at, their locks are gone."""
        return {one.line for one in self.migration.statements if ALONE.search(one.shape)}

    def statement(self, line: int) -> int:
        """The line of the statement that a line lies in."""
        return max((one.line for one in self.migration.statements if one.line <= line), default=line)

    def findings(self) -> list[Finding]:
        """The findings in order, with what waives them, and what is wrong with the waivers."""
        allowed, wrong = waiver.waivers(self.migration.sql)
        begins = [one.line for one in self.migration.statements]
        why = "it stands before several statements in one line"
        wrong += tuple(waiver.Wrong(one.line, why) for one in allowed if begins.count(one.statement) > 1)
        allowed = tuple(one for one in allowed if begins.count(one.statement) == 1)
        result: list[tuple[int, Finding]] = []
        used: set[waiver.Waiver] = set()
        for (statement, _), finding in self.gathered.items():
            fits = [one for one in allowed if one.statement == statement and one.rule == finding.rule]
            used.update(fits)
            result.append((statement, replace(finding, waived=fits[0].reason) if fits else finding))
        file = self.migration.file
        result += [(one.line, Finding(file, one.line, "waiver-form", one.why)) for one in wrong]
        result += [(one.line, Finding(file, one.line, "waiver-unused", one.rule)) for one in allowed if one not in used]
        return [finding for _, finding in sorted(result, key=lambda pair: (pair[0], pair[1].line, pair[1].rule, pair[1].detail))]


def contracts(found: Iterable[Finding]) -> tuple[str, ...]:
    """What the findings take away from versions that came before, waived or not, each in a few words."""
    return tuple(dict.fromkeys(finding.what for finding in found if RULES[finding.rule].breaks))
