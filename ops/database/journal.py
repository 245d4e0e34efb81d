"""Drizzle's folder of migrations: `meta/_journal.json`, and one SQL file for each of its entries.

The layout is drizzle-kit's own (drizzle-orm/src/migrator.ts): a file's hash is the SHA-256 of its whole text, its
statements are separated by `--> statement-breakpoint`, and `when` (milliseconds) is what the database remembers it by.
Beside it lies our own `meta/_baseline.json`, which drizzle-kit does not read: up to which file the folder is history.
"""

import json
import re
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from hashlib import sha256
from itertools import pairwise
from pathlib import Path

from ops.database.sql import Statement, comments, cut, statements, unclosed_comment, unseen
from ops.errors import Refused, UsageError

JOURNAL = Path("meta/_journal.json")
BASELINE = Path("meta/_baseline.json")
BREAKPOINT = "--> statement-breakpoint"
BOM = "\ufeff"
MARKER = re.compile(r"--\s*nextai:(?P<key>[a-z-]+)(?:[ \t]+(?P<value>\S.*?))?\s*")
REMEDY = "Take the folder from the commit that last deployed, or make the migration anew with `invoke migrate.generate`."

# Statements that PostgreSQL refuses inside a transaction, each on its own.
ALONE = re.compile(
    r"""^(?: CREATE\s+(?:UNIQUE\s+)?INDEX\s+CONCURRENTLY\b | DROP\s+INDEX\s+CONCURRENTLY\b | REINDEX\b | VACUUM\b | CLUSTER(?:\s+VERBOSE)?$
      | (?:CREATE|DROP)\s+(?:DATABASE|TABLESPACE)\b | ALTER\s+SYSTEM\b | CREATE\s+SUBSCRIPTION\b
      | ALTER\s+TABLE\b.*\bDETACH\s+PARTITION\b.*\bCONCURRENTLY\b )""",
    re.VERBOSE | re.IGNORECASE,
)
# May stand in a transaction, but the new value cannot be used before it ends.
ADD_VALUE = re.compile(r"^ALTER\s+TYPE\b.*\bADD\s+VALUE\b", re.IGNORECASE)
ADD_VALUE_INSIDE = re.compile(r"\bALTER\s+TYPE\b[^;]*\bADD\s+VALUE\b", re.IGNORECASE)
BLOCK = re.compile(r"^DO\b", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Chunk:
    """The text between two breakpoints, sent to the database as one. `line` is where it begins in the file."""

    text: str
    line: int


@dataclass(frozen=True)
class Migration:
    """One entry of the journal with its file. `history`: it belongs to what the project brought along, up to its baseline."""

    index: int
    tag: str
    when: int
    text: str
    history: bool = False

    @property
    def file(self) -> str:
        """The name of the file."""
        return f"{self.tag}.sql"

    @cached_property
    def hash(self) -> str:
        """What Drizzle writes down as the file's hash: that of the text as it lies in this checkout."""
        return _hash(self.text)

    @cached_property
    def hashes(self) -> frozenset[str]:
        """The hashes that the same file has in checkouts with other line ends, or without a byte order mark."""
        lines = {self.sql, self.sql if "\r" in self.sql else self.sql.replace("\n", "\r\n")}
        return frozenset({self.hash, *(_hash(mark + text) for mark in ("", BOM) for text in lines)})

    @cached_property
    def sql(self) -> str:
        """What is sent: without a byte order mark, and with Unix line ends where a checkout has turned all of them into Windows'."""
        text = self.text.removeprefix(BOM)
        return text.replace("\r\n", "\n") if text.count("\n") == text.count("\r\n") else text

    @cached_property
    def chunks(self) -> tuple[Chunk, ...]:
        """The file cut at its breakpoints, as Drizzle does, but not within a string."""
        return tuple(Chunk(text, line) for line, text in cut(self.sql, BREAKPOINT))

    @cached_property
    def statements(self) -> tuple[Statement, ...]:
        """Every single statement of the file."""
        return tuple(statement for chunk in self.chunks for statement in statements(chunk.text, chunk.line))

    @cached_property
    def markers(self) -> dict[str, str]:
        """The file's `-- nextai:KEY VALUE` comments, each in a line of its own."""
        marks = (MARKER.fullmatch(comment) for comment in comments(self.sql) if "nextai:" in comment)
        return {mark["key"]: mark["value"] or "" for mark in marks if mark}

    @cached_property
    def transactional(self) -> bool:
        """Whether the file runs as one transaction: not if it says so, or has a statement that cannot be in one."""
        if "no-transaction" in self.markers:
            return False
        return not any(ALONE.search(s.shape) or _adds_value(s) for s in self.statements)


def _adds_value(statement: Statement) -> bool:
    inside = BLOCK.search(statement.shape) and any(ADD_VALUE_INSIDE.search(body) for body in statement.bodies)
    return bool(ADD_VALUE.search(statement.shape) or inside)


def _hash(text: str) -> str:
    return sha256(text.encode()).hexdigest()


def judged(migrations: Iterable[Migration]) -> tuple[Migration, ...]:
    """Those that the gates are about: all but history, which has run elsewhere and can no longer be changed."""
    return tuple(migration for migration in migrations if not migration.history)


def read(folder: Path) -> tuple[Migration, ...]:
    """The folder's migrations in the journal's order.

    Raises `UsageError` for a journal that is not one, and `Refused` for a file that is missing or a baseline that names none.
    """
    doing = f"reading the migrations in {folder}"
    entries = _entries(folder, doing)
    tags = [tag for _, tag, _ in entries]
    if twice := sorted({tag for tag in tags if tags.count(tag) > 1}):
        raise Refused(doing, f"{twice[0]}.sql stands in the journal twice", REMEDY)
    if missing := [tag for tag in tags if not (folder / f"{tag}.sql").is_file()]:
        raise Refused(doing, f"{missing[0]}.sql is in the journal, and the file is missing", REMEDY)
    last = _baseline(folder, tags, doing)
    found = tuple(
        Migration(index, tag, when, _text(folder / f"{tag}.sql", doing), position <= last)
        for position, (index, tag, when) in enumerate(entries)
    )
    for migration in judged(found):
        if hidden := unseen(migration.sql):
            line, letter = hidden
            what = f"U+{ord(letter):04X} ({unicodedata.name(letter, 'without a name')})"
            cause = (
                f"{migration.file}:{line} has {what} outside of strings and comments: it is not seen, and PostgreSQL takes it for a letter"
            )
            raise UsageError(doing, cause, "Remove it; your editor finds it by its number.")
        for chunk in migration.chunks if "/*" in migration.sql else ():
            if line := unclosed_comment(chunk.text):
                where = f"{migration.file}:{chunk.line + line - 1}"
                raise UsageError(doing, f"{where} begins a comment that nothing closes: what follows would not run", "Close it with */.")
    return found


def oddities(folder: Path) -> tuple[str, ...]:
    """What is unusual in a folder and harms nothing, each in a sentence: projects that come with a history have it."""
    doing = f"reading the migrations in {folder}"
    entries, dialect = _entries(folder, doing), _document(folder, doing)["dialect"]
    tags = {tag for _, tag, _ in entries}
    found = [f"{JOURNAL} names the dialect {dialect}, an older name of postgresql"] if dialect != "postgresql" else []
    if stray := sorted(path.name for path in folder.glob("*.sql") if path.stem not in tags):
        found.append(f"not in the journal, so nothing runs it: {', '.join(stray)}")
    if gap := next(((position, index, tag) for position, (index, tag, _) in enumerate(entries) if index != position), None):
        found.append(f"{gap[2]}.sql has idx {gap[1]} in the journal, and stands at {gap[0]}: files run in the order in which they stand")
    for (_, before, earlier), (_, tag, when) in pairwise(entries):
        if when <= earlier:
            found.append(f"{tag}.sql is not younger than {before}.sql, which the journal has before it: Drizzle's own runner may skip it")
    return tuple(found)


def write_baseline(folder: Path, tag: str) -> None:
    """Write down that the folder is history up to and with this file. Raises `UsageError` when it has none of that name."""
    doing = f"writing {folder / BASELINE}"
    tags = [known for _, known, _ in _entries(folder, doing)]
    if tag not in tags:
        raise UsageError(doing, f"the journal has no {tag}", f"Name one of its tags; the newest is {tags[-1] if tags else 'none'}.")
    (folder / BASELINE).write_bytes(f"{json.dumps({'version': 1, 'tag': tag})}\n".encode())


def _baseline(folder: Path, tags: list[str], doing: str) -> int:
    """The place of the newest file that is history; -1 where there is none."""
    path = folder / BASELINE
    try:
        tag = json.loads(path.read_bytes())["tag"]
    except FileNotFoundError:
        return -1
    except (ValueError, KeyError, TypeError) as error:
        raise UsageError(doing, f"{path} is no baseline ({error!r})", "Write it anew: `invoke migrate.baseline --to TAG`.") from error
    if tag not in tags:
        raise Refused(doing, f"{path} names {tag}, which is not in the journal", "Write it anew: `invoke migrate.baseline --to TAG`.")
    return tags.index(tag)


def _document(folder: Path, doing: str) -> dict[str, object]:
    path = folder / JOURNAL
    try:
        document = json.loads(path.read_bytes())
        dialect = document["dialect"]
    except FileNotFoundError as error:
        raise UsageError(doing, f"{path} does not exist", "Name the folder that drizzle-kit writes.") from error
    except (ValueError, KeyError, TypeError) as error:
        raise UsageError(doing, f"{path} is not a journal of drizzle-kit ({error!r})", REMEDY) from error
    if dialect not in {"postgresql", "pg"}:  # drizzle-kit wrote pg until 0.20
        raise UsageError(doing, f"{path} is for {dialect}, not for PostgreSQL", "Set dialect in drizzle.config.ts.")
    return dict(document)


def _entries(folder: Path, doing: str) -> list[tuple[int, str, int]]:
    entries = _document(folder, doing).get("entries")
    try:
        if not isinstance(entries, list):
            raise TypeError("entries is not a list")
        found = [(int(entry["idx"]), str(entry["tag"]), int(entry["when"])) for entry in entries]
    except (ValueError, KeyError, TypeError, OverflowError) as error:
        raise UsageError(doing, f"{folder / JOURNAL} is not a journal of drizzle-kit ({error!r})", REMEDY) from error
    if odd := next((tag for _, tag, _ in found if not tag.isprintable() or {"/", "\\"} & set(tag)), None):
        raise UsageError(doing, f"{folder / JOURNAL} names {odd!r}, which is no file of this folder", REMEDY)
    return found


def _text(path: Path, doing: str) -> str:
    try:
        text = path.read_bytes().decode()  # not read_text: line ends are part of the hash
    except UnicodeDecodeError as error:
        raise UsageError(doing, f"{path.name} is not UTF-8 ({error.reason} at byte {error.start})", "Save the file as UTF-8.") from error
    if "\0" in text:
        line = text.count("\n", 0, text.index("\0")) + 1
        raise UsageError(doing, f"{path.name}:{line} has a NUL byte, which PostgreSQL takes in no text", "Remove it from the file.")
    return text
