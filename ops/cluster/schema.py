"""Which migrations a release brings, and whether going back behind one is safe."""

import hashlib
from collections.abc import Sequence

from ops.catalog.model import Catalog
from ops.cluster.record import Migration


def migrations_of(catalog: Catalog) -> tuple[Migration, ...]:
    """The checkout's migrations, with what each takes away from versions that came before it."""
    from ops.database import journal, safety

    folder = catalog.root / catalog.database.migrations
    if not folder.is_dir():
        return ()
    migrations = journal.read(folder)
    verdict = safety.judge(migrations, migrations, user=catalog.database.user)
    return tuple(Migration(m.tag, m.hash, safety.contracts(verdict.of(m.file))) for m in migrations)


def schema_hash(migrations: Sequence[Migration]) -> str:
    """One hash for the whole schema: that of its migrations' hashes, in their order."""
    return hashlib.sha256("\n".join(m.hash for m in migrations).encode()).hexdigest() if migrations else ""


def unsafe_behind(now: Sequence[Migration], then: Sequence[Migration]) -> list[str]:
    """Why a release that knew only `then` cannot run on a database that has `now`.

    The rule: a migration that only adds is harmless to older code; one that takes something away, renames or narrows it
    (a contract migration) is not, and no rollback crosses it. Empty: it is safe.
    """
    known = {m.hash for m in then}
    return [f"{m.tag} {', '.join(m.contracts)}" for m in now if m.hash not in known and m.contracts]
