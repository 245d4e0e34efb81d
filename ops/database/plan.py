"""What will be run: the folder against what the database remembers. Pure."""

from collections.abc import Sequence

from ops.database.facts import Applied
from ops.database.journal import REMEDY, Migration
from ops.errors import Refused

DOING = "planning the migrations"


def pending(migrations: Sequence[Migration], applied: Sequence[Applied]) -> tuple[Migration, ...]:
    """The migrations still to run, in the journal's order.

    Raises `Refused`, naming the file, when a file was edited after it ran, is missing, or stands before one that ran:
    Drizzle itself would skip the last kind without a word, and not see the first.
    """
    ran = {migration.tag for migration, _ in matched(migrations, applied)}
    newest = max((position for position, migration in enumerate(migrations) if migration.tag in ran), default=-1)
    for migration in migrations[: max(newest, 0)]:
        if migration.tag not in ran:
            raise Refused(
                DOING,
                f"{migration.file} is older than {migrations[newest].file}, which has run already",
                f"Delete {migration.file} and its entry, and make it anew with `invoke migrate.generate`, so that it comes last. "
                "If the database has what it does, say so: `invoke migrate.baseline --env ENV --to TAG`.",
            )
    return tuple(migrations[newest + 1 :])


def oddities(migrations: Sequence[Migration], applied: Sequence[Applied]) -> tuple[str, ...]:
    """What differs between folder and database and is history, each in a sentence."""
    return tuple(
        f"{migration.file} is history and was edited after it ran: the database has {row.hash[:12]}…, the file is {migration.hash[:12]}…"
        for migration, row in matched(migrations, applied)
        if row.hash not in migration.hashes
    )


def matched(migrations: Sequence[Migration], applied: Sequence[Applied]) -> list[tuple[Migration, Applied]]:
    """Each row of the database with the file that it is about. Raises `Refused` where there is none, or another than ran."""
    by_time: dict[int, list[Migration]] = {}
    for migration in migrations:
        by_time.setdefault(migration.when, []).append(migration)
    found = []
    for row in applied:
        of_then = by_time.get(row.when, [])
        same = next((migration for migration in of_then if row.hash in migration.hashes), None)  # two files may have one time
        if same is None and not (of_then and of_then[0].history):
            raise _refused(migrations, of_then, row)
        found.append((same or of_then[0], row))
    return found


def _refused(migrations: Sequence[Migration], of_then: Sequence[Migration], row: Applied) -> Refused:
    if not of_then:
        return Refused(DOING, _unknown(row, next((m for m in migrations if row.hash in m.hashes), None)), REMEDY)
    cause = f"{of_then[0].file} was edited after it ran: the database has {row.hash[:12]}…, the file is {of_then[0].hash[:12]}…"
    return Refused(DOING, cause, "Put the file back as it was, and make a new migration for the change.")


def _unknown(row: Applied, same: Migration | None) -> str:
    if same:
        return f"{same.file} has another `when` in the journal ({same.when}) than when it ran ({row.when})"
    return (
        f"the file of a migration that has run is missing (when {row.when}, hash {row.hash[:12]}…): this folder is older than the database"
    )
