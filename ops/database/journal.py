"""Drizzle's folder of migrations: `meta/_journal.json`, and one SQL file for each of its entries.

The layout is drizzle-kit's own (drizzle-orm/src/migrator.ts): a file's hash is the SHA-256 of its whole text, its
statements are separated by `--> statement-breakpoint`, and `when` (milliseconds) is what the database remembers it by.
"""

import json
import re
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

from ops.database.sql import Statement, statements
from ops.errors import Refused, UsageError

JOURNAL = Path("meta/_journal.json")
BREAKPOINT = "--> statement-breakpoint"
MARKER = re.compile(r"^--\s*nextai:(?P<key>[a-z-]+)(?:[ \t]+(?P<value>\S.*?))?\s*$", re.MULTILINE)
REMEDY = "Take the folder from the commit that last deployed, or make the migration anew with `invoke migrate.generate`."

# Statements that PostgreSQL refuses inside a transaction, each on its own.
ALONE = re.compile(
    r"""^(?: CREATE\s+(?:UNIQUE\s+)?INDEX\s+CONCURRENTLY\b | DROP\s+INDEX\s+CONCURRENTLY\b | REINDEX\b | VACUUM\b
      | (?:CREATE|DROP)\s+(?:DATABASE|TABLESPACE)\b | ALTER\s+SYSTEM\b | CREATE\s+SUBSCRIPTION\b
      | ALTER\s+TABLE\b.*\bDETACH\s+PARTITION\b.*\bCONCURRENTLY\b )""",
    re.VERBOSE | re.IGNORECASE,
)
# May stand in a transaction, but the new value cannot be used before it ends.
ADD_VALUE = re.compile(r"^ALTER\s+TYPE\b.*\bADD\s+VALUE\b", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Chunk:
    """The text between two breakpoints, sent to the database as one. `line` is where it begins in the file."""

    text: str
    line: int


@dataclass(frozen=True, slots=True)
class Migration:
    """One entry of the journal with its file."""

    index: int
    tag: str
    when: int
    text: str

    @property
    def file(self) -> str:
        """The name of the file."""
        return f"{self.tag}.sql"

    @property
    def hash(self) -> str:
        """What Drizzle writes down as the file's hash."""
        return sha256(self.text.encode()).hexdigest()

    @property
    def chunks(self) -> tuple[Chunk, ...]:
        """The file cut at its breakpoints, as Drizzle does."""
        line, found = 1, []
        for text in self.text.split(BREAKPOINT):
            found.append(Chunk(text, line))
            line += text.count("\n")
        return tuple(found)

    @property
    def statements(self) -> tuple[Statement, ...]:
        """Every single statement of the file."""
        return tuple(statement for chunk in self.chunks for statement in statements(chunk.text, chunk.line))

    @property
    def markers(self) -> dict[str, str]:
        """The file's `-- nextai:KEY VALUE` comments."""
        return {mark["key"]: mark["value"] or "" for mark in MARKER.finditer(self.text)}

    @property
    def transactional(self) -> bool:
        """Whether the file runs as one transaction: not if it says so, or has a statement that cannot be in one."""
        if "no-transaction" in self.markers:
            return False
        return not any(ALONE.search(s.shape) or ADD_VALUE.search(s.shape) for s in self.statements)


def read(folder: Path) -> tuple[Migration, ...]:
    """The folder's migrations in the journal's order.

    Raises `UsageError` for a journal that is not one, and `Refused` for a file that is missing or not in the journal.
    """
    doing = f"reading the migrations in {folder}"
    entries = _entries(folder, doing)
    tags = [tag for _, tag, _ in entries]
    if twice := sorted({tag for tag in tags if tags.count(tag) > 1}):
        raise Refused(doing, f"{twice[0]}.sql stands in the journal twice", REMEDY)
    if missing := [tag for tag in tags if not (folder / f"{tag}.sql").is_file()]:
        raise Refused(doing, f"{missing[0]}.sql is in the journal, and the file is missing", REMEDY)
    if stray := sorted(path.name for path in folder.glob("*.sql") if path.stem not in tags):
        raise Refused(doing, f"{stray[0]} is not in the journal, so nothing would ever run it", REMEDY)
    return tuple(Migration(index, tag, when, _text(folder / f"{tag}.sql", doing)) for index, tag, when in entries)


def _entries(folder: Path, doing: str) -> list[tuple[int, str, int]]:
    path = folder / JOURNAL
    try:
        document = json.loads(path.read_bytes())
        if document["dialect"] != "postgresql":
            raise UsageError(doing, f"{path} is for {document['dialect']}, not for PostgreSQL", "Set dialect in drizzle.config.ts.")
        return [(int(entry["idx"]), str(entry["tag"]), int(entry["when"])) for entry in document["entries"]]
    except FileNotFoundError as error:
        raise UsageError(doing, f"{path} does not exist", "Name the folder that drizzle-kit writes.") from error
    except (ValueError, KeyError, TypeError, OverflowError) as error:
        raise UsageError(doing, f"{path} is not a journal of drizzle-kit ({error!r})", REMEDY) from error


def _text(path: Path, doing: str) -> str:
    try:
        return path.read_bytes().decode()  # not read_text: line ends are part of the hash
    except UnicodeDecodeError as error:
        raise UsageError(doing, f"{path.name} is not UTF-8 ({error.reason} at byte {error.start})", "Save the file as UTF-8.") from error
