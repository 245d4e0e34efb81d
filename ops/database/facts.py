"""What the database remembers: the rows of Drizzle's own table."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import psycopg

SCHEMA = "drizzle"
TABLE = "__drizzle_migrations"
ROWS = "SELECT DISTINCT hash, created_at FROM drizzle.__drizzle_migrations WHERE created_at IS NOT NULL ORDER BY created_at"
# Not those of extensions, nor Drizzle's own.
TABLES = """
SELECT c.oid::regclass::text FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind IN ('r', 'p') AND n.nspname NOT IN ('drizzle', 'information_schema') AND n.nspname !~ '^pg_'
  AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.deptype = 'e')
ORDER BY 1
"""
# 16384 is FirstNormalObjectId (access/transam.h): what has a smaller OID came with the server.
_CATALOGS = (
    *("class", "proc", "type", "namespace", "extension", "operator", "cast", "collation", "conversion", "language", "event_trigger"),
    *("foreign_data_wrapper", "default_acl", "opclass", "opfamily", "statistic_ext", "ts_config", "ts_dict"),
)
_ANYTHING = " UNION ALL ".join(f"SELECT oid FROM pg_{name} WHERE oid >= 16384" for name in _CATALOGS)  # noqa: S608 (names from above)
UNTOUCHED = f"SELECT NOT EXISTS ({_ANYTHING})"


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
    rows = connection.execute(ROWS).fetchall()
    return tuple(Applied(str(hash_), int(str(when))) for hash_, when in rows)


def tables(connection: "psycopg.Connection[tuple[object, ...]]") -> tuple[str, ...]:
    """The names of the tables that somebody has made in the database."""
    return tuple(str(name) for (name,) in connection.execute(TABLES).fetchall())


def untouched(connection: "psycopg.Connection[tuple[object, ...]]") -> bool:
    """Whether a database is as the server makes one: nobody has made anything in it."""
    found = connection.execute(UNTOUCHED.encode()).fetchone()
    return bool(found and found[0])
