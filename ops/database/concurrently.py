"""Statements that PostgreSQL runs in transactions of their own: what one that was cut off leaves behind, and how to go on from there."""

import re
from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING

from ops.database.sql import NAME, QUALIFIED, Statement

if TYPE_CHECKING:
    from ops.database.connect import Connection
    from ops.database.progress import Begun

INDEX = re.compile(
    rf"^CREATE\s+(?:UNIQUE\s+)?INDEX\s+CONCURRENTLY\s+(?:(?:IF\s+NOT\s+EXISTS\s+)?(?!ON\b)(?P<name>{NAME})\s+)?"
    rf"ON\s+(?:ONLY\s+)?(?P<table>{QUALIFIED})",
    re.IGNORECASE,
)
DROP_INDEX = re.compile(rf"^DROP\s+INDEX\s+CONCURRENTLY\s+(?:IF\s+EXISTS\s+)?(?P<name>{QUALIFIED})", re.IGNORECASE)
DETACH = re.compile(
    rf"^ALTER\s+TABLE\s+(?:IF\s+EXISTS\s+)?(?:ONLY\s+)?(?P<parent>{QUALIFIED})\s+DETACH\s+PARTITION\s+(?P<part>{QUALIFIED})\s+CONCURRENTLY\b",
    re.IGNORECASE,
)
REINDEX = re.compile(r"^REINDEX\b.*\bCONCURRENTLY\b", re.IGNORECASE)

INDEXES = "SELECT indexrelid::bigint FROM pg_index WHERE indexrelid >= 16384"
# Those that are being built right now are somebody else's: invalid, and not left behind.
INVALID = """
SELECT i.indexrelid::bigint, i.indexrelid::regclass::text, c.relname, i.indrelid::bigint
FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid
WHERE NOT i.indisvalid AND c.relkind = 'i' AND NOT EXISTS (SELECT FROM pg_stat_progress_create_index p WHERE p.index_relid = i.indexrelid)
"""
VALID = """
SELECT i.indexrelid::bigint, c.relname FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid
WHERE i.indisvalid AND i.indrelid = to_regclass(%s)
"""
PENDING = "SELECT inhdetachpending FROM pg_inherits WHERE inhparent = to_regclass(%s) AND inhrelid = to_regclass(%s)"
# PostgreSQL's own name for an index that is given none (ChooseIndexName), and what REINDEX CONCURRENTLY builds and leaves behind.
CHOSEN = re.compile(r"_(?:idx|key)\d*$")
REBUILT = re.compile(r"_cc(?:new|old)\d*$")


class Waits(Enum):
    """For whom a statement waits, and so how long it may."""

    BRIEFLY = "it asks for a lock behind which readers or writers queue"
    LONG = "it waits for old transactions to end and keeps nobody waiting meanwhile"


@dataclass(frozen=True, slots=True)
class InvalidIndex:
    """An invalid index: no query uses it, each write pays for it."""

    oid: int
    name: str


def waits(statement: Statement) -> Waits:
    """How a statement waits. DETACH … CONCURRENTLY asks for the partition's exclusive lock in the end, so it is brief."""
    patient = (INDEX, DROP_INDEX, REINDEX)
    return Waits.LONG if any(pattern.search(statement.shape) for pattern in patient) else Waits.BRIEFLY


def indexes(connection: "Connection") -> frozenset[int]:
    """The indexes of the database: what comes to them later is the statement's own."""
    return frozenset(int(str(oid)) for (oid,) in connection.execute(INDEXES).fetchall())


def happened(connection: "Connection", statement: Statement, begun: "Begun") -> bool:
    """Whether a statement that an earlier attempt began came to its end after all."""
    if match := INDEX.search(statement.shape):
        return _built(connection, match, begun)
    if match := DROP_INDEX.search(statement.shape):
        return _absent(connection, match["name"])
    if match := DETACH.search(statement.shape):
        return connection.execute(PENDING, (match["parent"], match["part"])).fetchone() is None and not _absent(connection, match["part"])
    return False


def instead(connection: "Connection", statement: Statement) -> str:
    """The statement that ends what an earlier attempt began; "" where it is the statement itself."""
    match = DETACH.search(statement.shape)
    row = connection.execute(PENDING, (match["parent"], match["part"])).fetchone() if match else None
    return f"ALTER TABLE {match['parent']} DETACH PARTITION {match['part']} FINALIZE" if match and row and row[0] is True else ""


def leftovers(connection: "Connection", statement: Statement, begun: "Begun | None") -> tuple[InvalidIndex, ...]:
    """The invalid indexes that an earlier attempt at a statement left behind."""
    match, rebuilds = INDEX.search(statement.shape), REINDEX.search(statement.shape)
    if not match and not (rebuilds and begun):
        return ()
    table, name = (_oid(connection, match["table"]), match["name"]) if match else (None, None)
    found = []
    for oid, shown, relname, on in connection.execute(INVALID.encode()).fetchall():
        new = begun is not None and int(str(oid)) not in begun.indexes
        if match and (on != table or not (str(relname) == _folded(name) if name else new)):
            continue
        if not match and not (new and REBUILT.search(str(relname))):
            continue
        found.append(InvalidIndex(int(str(oid)), str(shown)))
    return tuple(found)


def _built(connection: "Connection", match: "re.Match[str]", begun: "Begun") -> bool:
    rows = [(int(str(oid)), str(name)) for oid, name in connection.execute(VALID, (match["table"],)).fetchall()]
    if match["name"]:
        return any(name == _folded(match["name"]) for _, name in rows)
    return any(oid not in begun.indexes and CHOSEN.search(name) for oid, name in rows)


def _absent(connection: "Connection", name: str) -> bool:
    return _oid(connection, name) is None


def _oid(connection: "Connection", name: str) -> object:
    row = connection.execute("SELECT to_regclass(%s)::oid::bigint", (name,)).fetchone()
    return row[0] if row else None


def _folded(name: str) -> str:
    """An unqualified name as PostgreSQL reads it: no more than 63 bytes of it."""
    read = name[1:-1].replace('""', '"') if name.startswith('"') else name.lower()
    return read.encode()[:63].decode(errors="ignore")
