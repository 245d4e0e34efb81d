"""Connections to the database, and errors that never show its password."""

import os
import socket
from contextlib import suppress
from typing import TYPE_CHECKING

from ops.errors import Failure, UsageError
from ops.secret import Secret

if TYPE_CHECKING:
    import psycopg

    Connection = psycopg.Connection[tuple[object, ...]]

CONNECT_SECONDS = 10


def secret(dsn: Secret | str) -> Secret:
    """The connection string in its wrapper."""
    return dsn if isinstance(dsn, Secret) else Secret(dsn)


def describe(dsn: Secret) -> str:
    """Host, port and database of a connection string, for people. Raises `UsageError` when it is not one."""
    parts = _parts(dsn)
    host = parts.get("host") or parts.get("hostaddr") or "localhost"
    return f"{host}:{parts.get('port') or 5432}/{parts.get('dbname') or parts.get('user') or ''}"


def connect(dsn: Secret, purpose: str) -> "Connection":
    """A connection in autocommit mode. `purpose` is what pg_stat_activity shows of it.

    Raises `Failure` when the database does not answer, `UsageError` when the string is none.
    """
    import psycopg

    where = describe(dsn)
    name = f"nextai-migrate {purpose} {socket.gethostname()}:{os.getpid()}"[:63]
    try:
        connection: Connection = psycopg.connect(
            dsn.reveal(),
            autocommit=True,
            application_name=name,
            client_encoding="utf8",
            connect_timeout=CONNECT_SECONDS,
        )
    except psycopg.Error as error:
        remedy = "Check that the database runs (`invoke up` starts the one of this machine) and that DATABASE_URL is right."
        raise Failure(f"connecting to the database {where}", scrubbed(str(error).strip(), dsn), remedy) from None
    with suppress(psycopg.Error):
        # A runner that dies in the middle of a long statement takes the statement with it.
        connection.execute("SET client_connection_check_interval = '1s'")
    return connection


def scrubbed(text: str, dsn: Secret) -> str:
    """A message without the connection string and its password."""
    password = str(_parts(dsn).get("password") or "")
    for hidden in (dsn.reveal(), password):
        text = text.replace(hidden, "***") if hidden else text
    return text


def _parts(dsn: Secret) -> dict[str, object]:
    import psycopg
    from psycopg.conninfo import conninfo_to_dict

    try:
        return dict(conninfo_to_dict(dsn.reveal()))
    except psycopg.Error:
        # libpq's message repeats the string, password and all.
        remedy = "It has the form postgresql://USER:PASSWORD@HOST:PORT/DATABASE."
        raise UsageError("reading DATABASE_URL", "it is not a PostgreSQL connection string", remedy) from None
