"""What will be run: the folder against what the database remembers. Pure."""

from collections.abc import Sequence

from ops.database.facts import Applied
from ops.database.journal import REMEDY, Migration
from ops.errors import Refused

DOING = "planning the migrations"


def pending(migrations: Sequence[Migration], applied: Sequence[Applied]) -> tuple[Migration, ...]:
    """The migrations still to run, in order.

    Raises `Refused`, naming the file, when a file was edited after it ran, is missing, or comes before one that ran:
    Drizzle itself would skip the last kind without a word, and not see the first.
    """
    _ordered(migrations)
    by_time = {migration.when: migration for migration in migrations}
    by_hash = {migration.hash: migration for migration in migrations}
    for row in applied:
        migration = by_time.get(row.when)
        if migration is None:
            raise Refused(DOING, _unknown(row, by_hash.get(row.hash)), REMEDY)
        if migration.hash != row.hash:
            raise Refused(
                DOING,
                f"{migration.file} was edited after it ran: the database has {row.hash[:12]}…, the file is {migration.hash[:12]}…",
                "Put the file back as it was, and make a new migration for the change.",
            )
    ran = {row.when for row in applied}
    newest = max(ran, default=0)
    for migration in migrations:
        if migration.when < newest and migration.when not in ran:
            raise Refused(
                DOING,
                f"{migration.file} is older than {by_time[newest].file}, which has run already",
                f"Delete {migration.file} and its entry, and make it anew with `invoke migrate.generate`, so that it comes last.",
            )
    return tuple(migration for migration in migrations if migration.when > newest)


def _ordered(migrations: Sequence[Migration]) -> None:
    for position, migration in enumerate(migrations):
        if migration.index != position:
            raise Refused(DOING, f"{migration.file} has idx {migration.index} in the journal, and stands at {position}", REMEDY)
        if position and migration.when <= migrations[position - 1].when:
            raise Refused(
                DOING, f"{migration.file} is not younger than {migrations[position - 1].file}, which the journal has before it", REMEDY
            )


def _unknown(row: Applied, same: Migration | None) -> str:
    if same:
        return f"{same.file} has another `when` in the journal ({same.when}) than when it ran ({row.when})"
    return (
        f"the file of a migration that has run is missing (when {row.when}, hash {row.hash[:12]}…): this folder is older than the database"
    )
