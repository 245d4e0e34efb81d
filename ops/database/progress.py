"""How far a file came that cannot run in one transaction: a table beside Drizzle's, empty when no file is half done."""

from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import TYPE_CHECKING

from ops.database.sql import Statement

if TYPE_CHECKING:
    from ops.database.connect import Connection

CREATE = """
CREATE TABLE IF NOT EXISTS drizzle.__nextai_progress (
    created_at bigint NOT NULL, statement text NOT NULL, done boolean NOT NULL, PRIMARY KEY (created_at, statement))
"""


@dataclass(frozen=True, slots=True)
class Progress:
    """The progress of one file, by the journal's `when`, and of its statements, by what they say.

    By what they say and not by place or the file's hash, since a file that failed half way may be corrected.
    """

    connection: "Connection"
    when: int
    keys: tuple[str, ...]

    def done(self, position: int) -> bool:
        """Whether a statement has run to its end."""
        return self._state(position) is True

    def begun(self, position: int) -> bool:
        """Whether a statement was begun by a run that did not see its end."""
        return self._state(position) is False

    def note(self, position: int, *, done: bool) -> None:
        """Write down that a statement begins, or has run."""
        self.connection.execute(
            "INSERT INTO drizzle.__nextai_progress VALUES (%s, %s, %s) "
            "ON CONFLICT (created_at, statement) DO UPDATE SET done = EXCLUDED.done",
            (self.when, self.keys[position], done),
        )

    def forget(self) -> None:
        """The file is applied: nothing to go on with."""
        self.connection.execute("DELETE FROM drizzle.__nextai_progress WHERE created_at = %s", (self.when,))

    def _state(self, position: int) -> bool | None:
        query = "SELECT done FROM drizzle.__nextai_progress WHERE created_at = %s AND statement = %s"
        row = self.connection.execute(query, (self.when, self.keys[position])).fetchone()
        return None if row is None else row[0] is True


def progress(connection: "Connection", when: int, statements: Sequence[Statement]) -> Progress:
    """The progress of a file; makes the table where it is not there."""
    connection.execute(CREATE)
    texts = [statement.text for statement in statements]
    # The same text may stand in a file twice: count it.
    keys = (f"{sha256(text.encode()).hexdigest()}-{texts[:place].count(text)}" for place, text in enumerate(texts))
    return Progress(connection, when, tuple(keys))
