"""Which migrations a release brings, and whether going back behind one is safe."""

import hashlib
import re
from collections.abc import Sequence
from typing import TYPE_CHECKING

from ops.catalog.model import Catalog
from ops.cluster.record import RecordedMigration
from ops.errors import Refused
from ops.kube.objects import key_of, rows, text

if TYPE_CHECKING:
    from ops.cluster.dryrun import DryRun
    from ops.cluster.plan import Origin
    from ops.cluster.target import Target
    from ops.database.safety import TargetDatabase


def migrations_of(catalog: Catalog) -> tuple[RecordedMigration, ...]:
    """The checkout's migrations, with what each takes away from versions that came before it."""
    from ops.database import journal
    from ops.database.judging import judge
    from ops.database.weigh import contracts

    folder = catalog.root / catalog.database.migrations
    if not folder.is_dir():
        return ()
    migrations = journal.read(folder)
    verdict = judge(migrations, migrations, user=catalog.database.user)
    return tuple(RecordedMigration(m.tag, m.hash, contracts(verdict.of(m.file))) for m in migrations)


def judged(catalog: Catalog, origin: "Origin", target: "Target") -> tuple[list[str], list[str]]:
    """The gates' findings about the migrations that the database may not have yet: problems of the plan, and warnings.

    The Job judges again, on the environment's own schema. Here nothing has been applied yet, and squawk reads the files as well.
    """
    from ops.database import journal, safety

    folder, known = catalog.root / catalog.database.migrations, {m.hash for m in origin.earlier}
    migrations = journal.read(folder) if folder.is_dir() else ()
    pending = [m for m in journal.judged(migrations) if m.hash not in known]
    told: list[str] = []
    try:
        safety.gate(migrations, pending, _environment(catalog, target), told.append, shown=False)
    except Refused as refusal:
        return [*refusal.cause.splitlines(), refusal.remedy], [line.removeprefix("warning: ") for line in told]
    return [], [line.removeprefix("warning: ") for line in told]


def _environment(catalog: Catalog, target: "Target") -> "TargetDatabase":
    from ops.database.safety import TargetDatabase

    protected = target.environment.protected and not target.rehearsal
    return TargetDatabase(catalog.database.user, _major(catalog.stores[catalog.database.store].image), protected)


def _major(image: str) -> int:
    """The major version that an image's tag begins with, or 0."""
    found = re.search(r":(\d+)[^:/]*$", image.partition("@")[0])
    return int(found[1]) if found else 0


def unreadable_data(catalog: Catalog, dry_runs: Sequence["DryRun"]) -> list[str]:
    """Why the database's server would not start: no major version of PostgreSQL reads the data of one before it."""
    problems = []
    for tried in dry_runs:
        key = key_of(tried.wanted)
        if key.kind != "StatefulSet" or key.name != catalog.database.store or tried.live is None:
            continue
        images = ([text(c, "image") for c in rows(o, "spec", "template", "spec", "containers")][:1] for o in (tried.live, tried.wanted))
        now, wanted = (_major("".join(image)) for image in images)
        if 0 < now < wanted:
            cause = f"its data is PostgreSQL {now}'s, and PostgreSQL {wanted} cannot read it"
            remedy = "dump it, delete this StatefulSet and its claim, deploy, and restore the dump; or keep the version"
            problems.append(f"{key}: {cause}: {remedy}")
    return problems


def schema_hash(migrations: Sequence[RecordedMigration]) -> str:
    """One hash for the whole schema: that of its migrations' hashes, in their order."""
    return hashlib.sha256("\n".join(m.hash for m in migrations).encode()).hexdigest() if migrations else ""


def unsafe_behind(now: Sequence[RecordedMigration], then: Sequence[RecordedMigration]) -> list[str]:
    """Why a release that knew only `then` cannot run on a database that has `now`.

    The rule: a migration that only adds is harmless to older code; one that takes something away, renames or narrows it
    (a contract migration) is not, and no rollback crosses it. Empty: it is safe.
    """
    known = {m.hash for m in then}
    return [f"{m.tag} {', '.join(m.contracts)}" for m in now if m.hash not in known and m.contracts]
