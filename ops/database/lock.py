"""One migration run at a time, on a lock that cannot stand in the way of CREATE INDEX CONCURRENTLY.

A session that waits in pg_advisory_lock() holds a snapshot, and CREATE INDEX CONCURRENTLY waits for every snapshot: the
two wait for each other for ever. So the lock is asked for by pg_try_advisory_lock, again and again, on a connection of
its own that has no transaction open. It ends with the connection, however the process ends.
"""

import random
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from hashlib import sha256
from typing import TYPE_CHECKING

from ops.database.connect import connect, describe
from ops.errors import Failure, Refused
from ops.secret import Secret

if TYPE_CHECKING:
    from ops.database.connect import Connection

KEY = int.from_bytes(sha256(b"nextai-agent: database migrations").digest()[:8], signed=True)
POLL_SECONDS = 0.2

HOLDER = """
SELECT a.pid, coalesce(nullif(a.application_name, ''), 'a nameless program'), a.usename,
       coalesce(host(a.client_addr), 'the server itself'), extract(epoch FROM now() - a.backend_start)::int
FROM pg_locks l JOIN pg_stat_activity a USING (pid)
WHERE l.locktype = 'advisory' AND l.granted AND l.objsubid = 1
  AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())
  -- The key in two unsigned halves; put together they wrap to the signed key.
  AND (l.classid::bigint << 32) + l.objid::bigint = %s
"""


@dataclass(frozen=True, slots=True)
class Lock:
    """The lock while it is held."""

    connection: "Connection"

    def check(self) -> None:
        """Raises `Failure` when the connection that holds the lock is gone, and with it the lock."""
        import psycopg

        try:
            self.connection.execute("SELECT 1")
        except psycopg.Error as error:
            cause = "the connection that holds the lock is gone, so another run may have begun"
            raise Failure("running the migrations", cause, "Run it again: what is done stays done.") from error


@contextmanager
def held(dsn: Secret, *, wait: float, say: Callable[[str], None]) -> Iterator[Lock]:
    """Hold the migration lock of a database for the time of the block.

    `wait` is in seconds. Raises `Refused`, naming the holder, when the lock is not free by then.
    """
    with connect(dsn, "lock") as connection:
        _take(connection, describe(dsn), wait, say)
        yield Lock(connection)


def _take(connection: "Connection", where: str, wait: float, say: Callable[[str], None]) -> None:
    deadline, told = time.monotonic() + wait, False
    while not _try(connection):
        if time.monotonic() >= deadline:
            remedy = "Wait until it ends and run it again. If it hangs, end that session: SELECT pg_terminate_backend(PID)."
            raise Refused(f"waiting {wait:g} s for the migration lock of {where}", f"it is held by {holder(connection)}", remedy)
        if not told:
            say(f"waiting for the migration lock of {where}, held by {holder(connection)}")
            told = True
        time.sleep(POLL_SECONDS * random.uniform(0.5, 1.5))  # noqa: S311 (spreads the pollers, keeps no secret)


def _try(connection: "Connection") -> bool:
    row = connection.execute("SELECT pg_try_advisory_lock(%s)", (KEY,)).fetchone()
    return row is not None and row[0] is True


def holder(connection: "Connection") -> str:
    """Who holds the lock, in words."""
    row = connection.execute(HOLDER, (KEY,)).fetchone()
    if row is None:
        return "a session that has just ended"
    pid, program, user, address, seconds = row
    return f"{program} (session {pid}, user {user}, from {address}, since {seconds} s)"
