"""Connections to the database: passing faults are waited out, a pooler is refused, and no message shows a password."""

import os
import re
import socket
import time
from collections.abc import Callable
from typing import TYPE_CHECKING
from urllib.parse import quote, unquote

from ops.errors import Failure, Refused, UsageError
from ops.say import Say
from ops.secret import Secret

if TYPE_CHECKING:
    import psycopg

    Connection = psycopg.Connection[tuple[object, ...]]

CONNECT_SECONDS = 10
# A silent connection is looked after by both ends: the runner's lock lives in it, and a load balancer forgets what is silent.
KEEPALIVES = {"keepalives": 1, "keepalives_idle": 30, "keepalives_interval": 10, "keepalives_count": 3}

# Why a server takes no connection now and soon may, in libpq's and the server's words, and how many seconds that is waited for.
# A server that starts after a crash replays its log, so it gets longer than an address where nobody listens.
PASSING = (
    (re.compile(r"the database system is|terminating connection|too many (?:clients|connections)|connection slots are reserved"), 60.0),
    (re.compile(r"server closed the connection|reset by peer|broken pipe|timeout|timed out|SSL SYSCALL", re.IGNORECASE), 30.0),
    (re.compile(r"connection refused|could not translate host name|temporary failure|no route to host", re.IGNORECASE), 5.0),
)
PAUSE_SECONDS = 0.1, 2.0  # the first and the longest pause between attempts

URI = re.compile(r"^postgres(?:ql)?://(?P<rest>.*)$", re.DOTALL)
FORM = "It begins with postgresql://, then come USER, a colon, the password, @, HOST:PORT and /DATABASE."
ENCODE = "Percent-encode the password's special characters: @ is %40, / is %2F, : is %3A, % is %25, # is %23, ? is %3F."


def secret(dsn: Secret | str) -> Secret:
    """The connection string in its wrapper."""
    return dsn if isinstance(dsn, Secret) else Secret(dsn)


def describe(dsn: Secret) -> str:
    """Host, port and database of a connection string, for people. Raises `UsageError` when it is not one."""
    found = parts(dsn)
    host = found.get("host") or found.get("hostaddr") or "localhost"
    return f"{host}:{found.get('port') or 5432}/{found.get('dbname') or found.get('user') or ''}"


def moved(dsn: Secret, host: str, port: int) -> Secret:
    """The same database, reached at another address. Raises `UsageError` when the string is none."""
    from psycopg.conninfo import make_conninfo

    parts(dsn)
    return Secret(make_conninfo(dsn.reveal(), host=host, port=port))


def connect(dsn: Secret, purpose: str, say: Say | None = None) -> "Connection":
    """A connection in autocommit mode. `purpose` is what pg_stat_activity shows of it; `say` is told of the first attempt that failed.

    Raises `Failure` when the database does not answer, `UsageError` when the string is none.
    """
    where = describe(dsn)

    def failure(said: str) -> Failure:
        remedy = "Check that the database runs (`invoke up` starts the one of this machine) and that DATABASE_URL is right."
        return Failure(f"connecting to the database {where}", said, remedy)

    return opened(lambda: _connected(dsn, purpose), dsn, failure, say)


def opened(attempt: "Callable[[], Connection]", dsn: Secret, failure: Callable[[str], Failure], say: Say | None = None) -> "Connection":
    """What `attempt` returns: it is called again while the server says something that passes. Raises what `failure` makes of its words."""
    import psycopg

    begun, tried = time.monotonic(), 1
    while True:
        try:
            return attempt()
        except psycopg.Error as error:
            said, bound = scrubbed(str(error).strip(), dsn), _bound(str(error))
        waited = time.monotonic() - begun
        pause = min(PAUSE_SECONDS[0] * 2 ** (tried - 1), PAUSE_SECONDS[1])
        if waited + pause > bound:
            raise failure(said + (f" (attempt {tried}, after {waited:.0f} s)" if tried > 1 else ""))
        if say and tried == 1:
            say(f"the database {describe(dsn)} takes no connection yet, trying again for {bound:.0f} s: {said.splitlines()[0]}")
        time.sleep(pause)
        tried += 1


def _bound(said: str) -> float:
    """For how many seconds a refused connection is tried again; 0 where the answer is final, as a wrong password is."""
    return next((seconds for pattern, seconds in PASSING if pattern.search(said)), 0.0)


def _connected(dsn: Secret, purpose: str) -> "Connection":
    import psycopg
    from psycopg.conninfo import make_conninfo

    given = parts(dsn)
    return psycopg.connect(
        make_conninfo(dsn.reveal(), **{name: value for name, value in KEEPALIVES.items() if name not in given}),
        autocommit=True,
        prepare_threshold=None,  # the session is put back to its beginning between files, prepared statements and all
        application_name=f"nextai-migrate {purpose} {socket.gethostname()}:{os.getpid()}"[:63],
        client_encoding="utf8",
        connect_timeout=CONNECT_SECONDS,
    )


def check_direct(connection: "Connection", dsn: Secret) -> None:
    """Raise `Refused` when a pooler stands between: the lock and the settings of a session need one that is ours alone.

    PostgreSQL says at the start of a connection which process serves it; a pooler makes a number up, since its answer may come from
    any of its server connections (PgBouncer: client_proto.c, `BackendKeyData`).
    """
    row = connection.execute("SELECT pg_backend_pid()").fetchone()
    if row is None or row[0] != connection.info.backend_pid:
        raise Refused(
            f"opening a session on {describe(dsn)}",
            "a connection pooler (such as PgBouncer) stands between: it may give the session, and the migration lock with it, to others",
            "Name the database's own address in DATABASE_URL for the migrations, not the pooler's.",
        )


def settings(connection: "Connection") -> bytes:
    """SQL that gives a session what a migration run needs: no time limit but for locks, and an end when the runner has died."""
    version = connection.info.server_version
    wanted = {"statement_timeout": "0", "idle_in_transaction_session_timeout": "0"}
    if version >= 140000:
        wanted["idle_session_timeout"] = "0"
    if version >= 170000:
        wanted["transaction_timeout"] = "0"
    found = "".join(f"SET {name} = '{value}';" for name, value in wanted.items())
    # Not on every system: a runner that dies in the middle of a long statement takes the statement with it.
    optional = ("tcp_keepalives_idle = 30", "tcp_keepalives_interval = 10", "client_connection_check_interval = '1s'")
    joined = "".join(f"SET {setting};" for setting in optional)
    found += joined if _accepts(connection, joined) else "".join(f"SET {one};" for one in optional if _accepts(connection, f"SET {one}"))
    return found.encode()


def _accepts(connection: "Connection", query: str) -> bool:
    import psycopg

    try:
        connection.execute(query.encode())
    except psycopg.Error:
        return False
    return True


def scrubbed(text: str, dsn: Secret) -> str:
    """A message without the connection string and its password, as it is and as it is written."""
    whole = dsn.reveal()
    password = str(parts(dsn).get("password") or "")
    uri = URI.match(whole)
    written = uri["rest"].rpartition("@")[0].partition(":")[2] if uri else ""
    for hidden in sorted({whole, password, written, unquote(written), quote(password, safe="")}, key=len, reverse=True):
        text = text.replace(hidden, "***") if hidden else text
    return text


def parts(dsn: Secret) -> dict[str, object]:
    """The parts of a connection string. Raises `UsageError`, which shows nothing of it, when it is none."""
    import psycopg
    from psycopg.conninfo import conninfo_to_dict

    doing, whole = "reading DATABASE_URL", dsn.reveal()
    uri = URI.match(whole)
    # libpq ends the password at the first @, and the address at the first /: what is left of it would be shown as host or database.
    if uri and re.search("[@/]", uri["rest"].rpartition("@")[0]):
        raise UsageError(doing, "there is an @ or a / before its last @, so that its password cannot be told from its address", ENCODE)
    try:
        return dict(conninfo_to_dict(whole))
    except psycopg.Error as error:
        # libpq's message repeats the string, password and all: of it only a parameter's name is told, where it stands behind the address.
        wrong = re.search(r'invalid URI query parameter: "(\w{1,40})"', str(error))
        if uri and wrong and re.search(rf"[?&]{wrong[1]}=", uri["rest"].rpartition("@")[2]):
            cause = f"its parameter {wrong[1]} is none that PostgreSQL knows"
            raise UsageError(
                doing, cause, f"Take `{wrong[1]}=…` out of it: some libraries read such parameters, the server does not."
            ) from None
        raise UsageError(doing, "it is not a PostgreSQL connection string", f"{FORM} {ENCODE}") from None
