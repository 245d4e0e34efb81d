"""Gates on what a migration says: the version that runs now must go on working beside the new schema. Pure.

A file that takes something away on purpose, after the version that used it is gone, says so in a comment of its own:
`-- nextai:contract REASON`. That waives every gate of the file but those on transaction control.
"""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from ops.database.journal import Migration
from ops.database.sql import QUALIFIED, Statement, plain, statements
from ops.errors import Refused

CONTRACT = "contract"


@dataclass(frozen=True, slots=True)
class Finding:
    """Why a statement is refused. `waivable`: the file's contract comment allows it."""

    file: str
    line: int
    what: str
    advice: str
    waivable: bool = True

    def __str__(self) -> str:
        return f"{self.file}:{self.line}: {self.what}. {self.advice}"


@dataclass(frozen=True, slots=True)
class Rule:
    """A shape that is refused: the statement's start, and what is in one of its actions (ALTER TABLE has several)."""

    statement: str
    action: str
    what: str
    advice: str


EXPAND = "Add the new beside the old, move the readers over, and take the old away in a later release."
BATCH = "Move rows in a batch script with a cursor, not in a migration."
ALTER = r"ALTER\s+(?:TABLE|VIEW|MATERIALIZED\s+VIEW|TYPE|SEQUENCE|SCHEMA|DOMAIN|FOREIGN\s+TABLE)\b"
TABLE = r"ALTER\s+(?:FOREIGN\s+)?TABLE\b"
OTHER_DROPS = r"CONSTRAINT|DEFAULT|NOT\s+NULL|EXPRESSION|IDENTITY"
OTHER_ADDS = r"CONSTRAINT|PRIMARY|UNIQUE|CHECK|FOREIGN|EXCLUDE|GENERATED|VALUE|NOT\s+NULL"

RULES = (
    Rule(r"DROP\s+(?:FOREIGN\s+)?TABLE\b", "", "drops a table", EXPAND),
    Rule(r"DROP\s+(?:SCHEMA|TYPE|VIEW|MATERIALIZED\s+VIEW|SEQUENCE|DOMAIN)\b", "", "drops what running versions may use", EXPAND),
    Rule(r"TRUNCATE\b", "", "empties a table", BATCH),
    Rule(TABLE, rf"^DROP\s+(?!(?:{OTHER_DROPS})\b)", "drops a column", EXPAND),
    Rule(ALTER, r"\bRENAME\s+(?!CONSTRAINT\b)", "renames what running versions use", EXPAND),
    Rule(
        TABLE, r"^ALTER\s.*\bSET\s+NOT\s+NULL\b", "forbids NULL in a column", "Running versions may still write NULL: first write a value."
    ),
    Rule(
        TABLE,
        rf"^ADD\s+(?!(?:{OTHER_ADDS})\b)(?!.*\b(?:DEFAULT|GENERATED|(?:small|big)?serial)\b).*\bNOT\s+NULL\b",
        "adds a NOT NULL column without a default",
        "Rows of before, and running versions, have no value for it: give it a default, or let it be NULL first.",
    ),
    Rule(TABLE, r"^ALTER\s+.*?\bTYPE\b", "changes a column's type", EXPAND),
    Rule(r"(?:UPDATE|DELETE|MERGE|COPY)\b", "", "moves rows", BATCH),
    Rule(r"INSERT\b", r"\bSELECT\b", "moves rows", BATCH),
    Rule(r"WITH\b", r"\b(?:UPDATE|DELETE|INSERT|MERGE)\b", "moves rows", BATCH),
)
# Not with IF NOT EXISTS: what is there already is not the file's own.
CREATED = re.compile(rf"^CREATE\s+(?:UNLOGGED\s+|TEMP(?:ORARY)?\s+)?TABLE\s+(?!IF\s+NOT\s+EXISTS\b)({QUALIFIED})", re.IGNORECASE)
TARGET = re.compile(
    rf"^(?:ALTER\s+TABLE|DROP\s+TABLE|UPDATE|DELETE\s+FROM|INSERT\s+INTO|TRUNCATE(?:\s+TABLE)?|COPY)"
    rf"\s+(?:IF\s+EXISTS\s+)?(?:ONLY\s+)?({QUALIFIED})",
    re.IGNORECASE,
)
DROPPED = re.compile(r"^DROP\b", re.IGNORECASE)
MORE = re.compile(rf"\s*\*?\s*,\s*(?:ONLY\s+)?({QUALIFIED})", re.IGNORECASE)  # DROP TABLE and TRUNCATE name several tables
TRANSACTION = re.compile(
    r"^(?:BEGIN|START\s+TRANSACTION|COMMIT|ROLLBACK|END|ABORT|SAVEPOINT|RELEASE|PREPARE\s+TRANSACTION)\b", re.IGNORECASE
)
LEAD = re.compile(r"^(?:(?:BEGIN|THEN|ELSE|LOOP)\s+)+|^DECLARE\b.*?\bBEGIN\s+|^(?:IF|FOR|WHILE)\b.*?\b(?:THEN|LOOP)\s+", re.IGNORECASE)
ACTION_HEAD = re.compile(rf"^ALTER\s+(?:FOREIGN\s+)?TABLE\s+(?:IF\s+EXISTS\s+)?(?:ONLY\s+)?{QUALIFIED}\s*\*?\s*", re.IGNORECASE)


def gate(migrations: Iterable[Migration]) -> None:
    """Raise `Refused`, naming every file and line, if a migration breaks a gate that it does not waive."""
    refused = [finding for migration in migrations for finding in findings(migration) if not waived(migration, finding)]
    if refused:
        raise Refused(
            "checking the migrations",
            "\n".join(map(str, refused)),
            "Change the migration; or, if no running version uses it any more, say why in a line of the file: -- nextai:contract REASON",
        )


def waived(migration: Migration, finding: Finding) -> bool:
    """Whether the file's contract comment, which needs a reason, allows what was found."""
    return finding.waivable and bool(migration.markers.get(CONTRACT))


def findings(migration: Migration) -> tuple[Finding, ...]:
    """Everything in a file that a gate is about, waived or not. What the file itself has created, it may change at will from there on."""
    created: set[str] = set()
    found: list[Finding] = []
    for statement in migration.statements:
        found += _findings(migration.file, statement, created)
        if match := CREATED.search(statement.shape):
            created.add(plain(match[1]))
    return tuple(found)


def _findings(file: str, statement: Statement, created: set[str]) -> Iterator[Finding]:
    if TRANSACTION.search(statement.shape):
        advice = "The runner opens and ends them; -- nextai:no-transaction runs a file without one."
        yield Finding(file, statement.line, "controls transactions", advice, waivable=False)
    if re.match(r"DO\b", statement.shape, re.IGNORECASE):
        yield from _inside(file, statement, created)
        return
    targets = _targets(statement.shape)
    if targets and targets <= created:
        if DROPPED.search(statement.shape):  # of that name there may be another: a temporary table lies before one that stays
            created -= targets
        return
    for rule in RULES:
        if not re.match(rule.statement, statement.shape, re.IGNORECASE):
            continue
        if any(re.search(rule.action, action, re.IGNORECASE) for action in actions(statement.shape)):
            yield Finding(file, statement.line, rule.what, rule.advice)


def _targets(shape: str) -> set[str]:
    """The tables that a statement changes, empties or drops."""
    found: set[str] = set()
    match = TARGET.search(shape)
    while match:
        found.add(plain(match[1]))
        match = MORE.match(shape, match.end())
    return found


def _inside(file: str, block: Statement, created: set[str]) -> Iterator[Finding]:
    """The statements inside DO $$ … $$: SQL that hides in a string is SQL all the same."""
    for body in block.bodies:
        for inner in statements(body, block.line):
            shape = inner.shape
            while (rest := LEAD.sub("", shape)) != shape:
                shape = rest
            if re.match(r"EXECUTE\b", shape, re.IGNORECASE):
                yield Finding(
                    file, block.line, "runs SQL that is put together as it runs", "No gate can read it: write the statements out."
                )
            elif not TRANSACTION.search(shape):
                yield from _findings(file, Statement(inner.text, block.line, shape), created)


def actions(shape: str) -> list[str]:
    """The actions of an ALTER TABLE, cut at the commas outside parentheses; any other statement is one action.

    Quoted names come out as `"name"`: a column may be called "type" or "default".
    """
    head = ACTION_HEAD.match(shape)
    rest = re.sub(r'"(?:[^"]|"")*"', '"name"', shape[head.end() :] if head else shape)
    if head is None:
        return [rest]
    found, depth = [""], 0
    for part in rest:
        depth += {"(": 1, ")": -1}.get(part, 0)
        if part == "," and not depth:
            found.append("")
        else:
            found[-1] += part
    return [action.strip() for action in found]
