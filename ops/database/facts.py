"""What the database remembers: the rows of Drizzle's own table."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import psycopg

SCHEMA = "drizzle"
TABLE = "__drizzle_migrations"


@dataclass(frozen=True, slots=True)
class Applied:
    """One row: the file's hash when it ran, and the journal's `when`, which Drizzle calls created_at."""

    hash: str
    when: int


def applied(connection: "psycopg.Connection[tuple[object, ...]]") -> tuple[Applied, ...]:
    """What has run, oldest first. Nothing where Drizzle's table is not there yet."""
    there = connection.execute("SELECT to_regclass('drizzle.__drizzle_migrations')").fetchone()
    if there is None or there[0] is None:
        return ()
    rows = connection.execute("SELECT DISTINCT hash, created_at FROM drizzle.__drizzle_migrations ORDER BY created_at").fetchall()
    return tuple(Applied(str(hash_), int(str(when))) for hash_, when in rows)
