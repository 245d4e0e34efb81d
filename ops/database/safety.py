"""The gates: whether migrations may run beside the versions that run now. What they do is judged in `judging`."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ops.database.facts import untouched
from ops.database.findings import DOUBTS, Verdict
from ops.database.journal import Migration
from ops.database.judging import judge
from ops.errors import Refused
from ops.secret import Secret

if TYPE_CHECKING:
    from ops.database.connect import Connection


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
