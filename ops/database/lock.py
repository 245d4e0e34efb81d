"""One migration run at a time, by a lock that lives in the very session that does the work.

Whoever loses the session loses the work with it: the server takes back what was not committed. A lock on a connection of its own could
end (a time limit, a load balancer, an operator) while the work goes on.

A session that waits in pg_advisory_lock() holds a snapshot, and CREATE INDEX CONCURRENTLY waits for every snapshot: the
two wait for each other for ever. So the lock is asked for by pg_try_advisory_lock, again and again, outside a transaction.
"""

import random
import time
from collections.abc import Callable
from hashlib import sha256
from typing import TYPE_CHECKING

from ops.errors import Failure, Refused

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


def take(connection: "Connection", where: str, *, wait: float, say: Callable[[str], None]) -> None:
    """Take the migration lock of a database; it ends with the connection.

    `wait` is in seconds. Raises `Refused`, naming the holder, when the lock is not free by then.
    """
    deadline, told = time.monotonic() + wait, False
    while not _try(connection):
        if time.monotonic() >= deadline:
            remedy = "Wait until it ends and run it again. If it hangs, end that session: SELECT pg_terminate_backend(PID)."
            raise Refused(f"waiting {wait:g} s for the migration lock of {where}", f"it is held by {holder(connection)}", remedy)
        if not told:
            say(f"waiting for the migration lock of {where}, held by {holder(connection)}")
            told = True
        time.sleep(POLL_SECONDS * random.uniform(0.5, 1.5))  # noqa: S311 (spreads the pollers, keeps no secret)


def check(connection: "Connection") -> None:
    """Raise `Failure` when the session holds the lock no more, as after a file's own DISCARD ALL."""
    row = connection.execute(HOLDER.encode(), (KEY,)).fetchone()
    if row is None or row[0] != connection.info.backend_pid:
        raise _lost(connection)


def hold_in_transaction(connection: "Connection", count: str = "SELECT 0", *, before: bytes = b"") -> int:
    """Hold the lock up to the end of this transaction as well, whatever its statements let go; then count, and return the number.

    The query is a statement of its own, whose snapshot is taken after the lock. `before` is SQL without rows that goes ahead of it in the
    same message. Raises `Failure` when another session has the lock.
    """
    cursor = connection.execute(before + f"SELECT pg_catalog.pg_try_advisory_xact_lock({KEY}); {count}".encode())
    found: list[object] = []
    while True:
        if cursor.description:
            found += cursor.fetchone() or ()
        if not cursor.nextset():
            break
    if found[0] is not True:
        raise _lost(connection)
    return int(str(found[1]))


def _lost(connection: "Connection") -> Failure:
    cause = f"this session has lost the migration lock; it is held by {holder(connection)}"
    return Failure("running the migrations", cause, "Run it again: what is done stays done.")


def _try(connection: "Connection") -> bool:
    row = connection.execute(f"SELECT pg_try_advisory_lock({KEY})".encode()).fetchone()
    return row is not None and row[0] is True


def holder(connection: "Connection") -> str:
    """Who holds the lock, in words."""
    row = connection.execute(HOLDER, (KEY,)).fetchone()
    if row is None:
        return "no session at the moment"
    pid, program, user, address, seconds = row
    return f"{program} (session {pid}, user {user}, from {address}, since {seconds} s)"
