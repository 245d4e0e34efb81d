"""How far a file came that cannot run in one transaction: a table beside Drizzle's, empty when no file is half done."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from typing import TYPE_CHECKING

from ops.database.sql import Statement

if TYPE_CHECKING:
    from ops.database.connect import Connection

CREATE = """
CREATE TABLE IF NOT EXISTS drizzle.__nextai_progress (
    created_at bigint NOT NULL, statement text NOT NULL, done boolean NOT NULL, PRIMARY KEY (created_at, statement));
ALTER TABLE drizzle.__nextai_progress ADD COLUMN IF NOT EXISTS indexes text NOT NULL DEFAULT ''
"""
NOTE = """
INSERT INTO drizzle.__nextai_progress (created_at, statement, done, indexes) VALUES (%s, %s, %s, %s)
ON CONFLICT (created_at, statement) DO UPDATE SET done = EXCLUDED.done
"""


@dataclass(frozen=True, slots=True)
class Begun:
    """What is known of a statement: whether it came to its end, and which indexes there were before it (the table's own is one)."""

    done: bool
    indexes: frozenset[int] = frozenset()


@dataclass(frozen=True, slots=True)
class MigrationProgress:
    """The progress of one file, by the journal's `when`, and of its statements, by what they say.

    By what they say and not by place, layout or the file's hash, since a file that failed half way may be corrected.
    """

    connection: "Connection"
    when: int
    keys: tuple[str, ...]
    known: dict[str, Begun] = field(default_factory=dict)

    def done(self, position: int) -> bool:
        """Whether a statement has run to its end."""
        begun = self.begun(position)
        return begun is not None and begun.done

    def begun(self, position: int) -> Begun | None:
        """What an earlier attempt wrote down about a statement; None where none has begun it."""
        return self.known.get(self.keys[position])

    def note(self, position: int, *, done: bool, indexes: frozenset[int] = frozenset()) -> None:
        """Write down that a statement begins, or has run."""
        key = self.keys[position]
        self.connection.execute(NOTE, (self.when, key, done, ",".join(map(str, sorted(indexes)))))
        before = self.known.get(key)
        self.known[key] = Begun(done, before.indexes if before else indexes)

    def forget(self) -> None:
        """The file is applied: nothing to go on with."""
        self.connection.execute("DELETE FROM drizzle.__nextai_progress WHERE created_at = %s", (self.when,))


def progress(connection: "Connection", when: int, statements: Sequence[Statement]) -> MigrationProgress:
    """The progress of a file; makes the table where it is not there."""
    connection.execute(CREATE.encode())
    rows = connection.execute("SELECT statement, done, indexes FROM drizzle.__nextai_progress WHERE created_at = %s", (when,)).fetchall()
    stored = {str(key): Begun(done is True, frozenset(map(int, filter(None, str(indexes).split(","))))) for key, done, indexes in rows}
    keys = _keys([statement.identity for statement in statements])
    # Before layout was left out of the key, it was the hash of the statement's text: a file that is half done may be noted by that.
    older = dict(zip(keys, _keys([statement.text for statement in statements]), strict=True))
    known = {key: stored[name] for key in keys for name in (older[key], key) if name in stored}
    return MigrationProgress(connection, when, keys, known)


def _keys(texts: Sequence[str]) -> tuple[str, ...]:
    """A key for each text. The same text may stand in a file twice: it is counted."""
    seen: Counter[str] = Counter()
    keys = []
    for text in texts:
        keys.append(f"{sha256(text.encode()).hexdigest()}-{seen[text]}")
        seen[text] += 1
    return tuple(keys)
