"""The environment's own schema on the scratch database, without its rows, so that what was made there by hand is there as well.

pg_dump belongs to the server's programs, so the scratch server runs it: it has the major version, and lies where the migrations run from.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING
from uuid import uuid4

from ops.database.connect import connect, describe, parts, scrubbed
from ops.database.facts import applied
from ops.database.scratch import STATEMENT_SECONDS, Scratch, ScratchServer, ScratchUnavailable, quoted, session
from ops.errors import Failure
from ops.secret import Secret

if TYPE_CHECKING:
    from ops.database.connect import Connection

NEARBY = {"127.0.0.1", "localhost", "::1"}
DUMP_SECONDS = 60
OPTIONS = (
    *(
        "--schema-only",
        "--encoding=UTF8",
        "--no-comments",
        "--no-security-labels",
        "--no-subscriptions",
        "--no-publications",
        "--no-tablespaces",
    ),
    "--lock-wait-timeout=3000",  # whoever holds a table's lock is not waited for
)
ROLES = "SELECT rolname, pg_has_role(current_user, oid, 'MEMBER') FROM pg_roles WHERE rolname !~ '^pg_' AND rolname <> current_user"
HALF_DONE = "SELECT to_regclass('drizzle.__nextai_progress') IS NOT NULL"
DOING = "copying the environment's schema"
REMEDY = "Correct what is said above; until then the files that have run make the schema."


@dataclass(frozen=True, slots=True)
class Schema:
    """What pg_dump writes of a database without its rows. `roles`: those it may name, and whether the migrations' user is a member."""

    sql: str
    roles: tuple[tuple[str, bool], ...] = ()


def taken(server: ScratchServer, source: Secret, *, ran: int) -> Schema:
    """The schema of a database in which `ran` files have run.

    Raises `ScratchUnavailable` where it cannot be had, or is not what the next file will meet.
    """
    import psycopg

    if str(parts(server.admin).get("host") or "") not in NEARBY:
        # Its programs need not reach the environment, and its password is no business of theirs.
        raise ScratchUnavailable(DOING, "the scratch server is another machine's", REMEDY)
    with connect(source, "schema") as connection:
        roles = tuple((str(name), member is True) for name, member in connection.execute(ROLES).fetchall())
        if _half_done(connection):
            raise ScratchUnavailable(DOING, "a file has been run in part there", REMEDY)
        if len(applied(connection)) < ran:
            raise ScratchUnavailable(DOING, "files that are history have not run there yet", REMEDY)
    try:
        with session(server.admin) as admin:
            return Schema(_dumped(admin, source), roles)
    except psycopg.Error as error:
        raise ScratchUnavailable(DOING, f"{describe(source)}: {scrubbed(str(error).strip(), source)}", REMEDY) from error


def restore(scratch: Scratch, schema: Schema) -> None:
    """Make the schema on the scratch database, with the roles that it names. Raises `Failure` when it cannot be made there."""
    import psycopg

    observer = scratch.observer
    _make_roles(scratch, (role for role in schema.roles if role[0] in schema.sql))
    # \restrict and \unrestrict are psql's, and stand in lines of their own at the beginning and the end.
    sql = re.sub(r"^\\(?:un)?restrict .*$", "", schema.sql, flags=re.MULTILINE)
    try:
        observer.execute(sql.encode())
    except psycopg.Error as error:
        raise ScratchUnavailable(
            DOING, f"it cannot be made on the scratch server: {error.diag.message_primary or error}", REMEDY
        ) from error
    observer.execute("DISCARD ALL")  # a dump has settings of its own
    observer.execute(f"SET statement_timeout = '{STATEMENT_SECONDS}s'".encode())


def _half_done(connection: "Connection") -> bool:
    there = connection.execute(HALF_DONE).fetchone()
    return bool(there and there[0]) and bool(connection.execute("SELECT FROM drizzle.__nextai_progress LIMIT 1").fetchall())


def _make_roles(scratch: Scratch, roles: Iterable[tuple[str, bool]]) -> None:
    user = scratch.owner.info.user
    there = {str(name) for (name,) in scratch.observer.execute("SELECT rolname FROM pg_roles").fetchall()}
    for name, member in roles:
        if name not in there:
            scratch.observer.execute(f"CREATE ROLE {quoted(name)} NOLOGIN".encode())
        if member and name not in {user, scratch.observer.info.user}:
            scratch.observer.execute(f"GRANT {quoted(name)} TO {quoted(user)}".encode())


def _dumped(admin: "Connection", source: Secret) -> str:
    import psycopg

    row = admin.execute("SELECT setting FROM pg_config WHERE name = 'BINDIR'").fetchone()
    program = f"{row[0] if row else ''}/pg_dump".replace("'", "'\\''")
    # A file says where the database is, and not the command line, which every user of a machine may read.
    where, out, log = (f"nextai_{uuid4().hex}.{end}" for end in ("conf", "sql", "log"))
    command = f"PGSERVICEFILE={where} PGSERVICE=environment '{program}' {' '.join(OPTIONS)} > {out} 2> {log}"
    admin.execute(f"SET statement_timeout = '{DUMP_SECONDS}s'".encode())
    _write(admin, where, _service(source))
    try:
        admin.execute(f"COPY (SELECT) TO PROGRAM {_literal(command)}".encode())
        return _read(admin, out)
    except psycopg.errors.ExternalRoutineException as error:
        said = scrubbed(_read(admin, log).strip(), source)
        raise ScratchUnavailable(DOING, f"{describe(source)}: {said or 'pg_dump failed'}", REMEDY) from error
    finally:
        admin.execute(f"COPY (SELECT) TO PROGRAM 'rm -f {where} {out} {log}'".encode())


def _service(source: Secret) -> bytes:
    """The address as a service file has it (postgresql.org/docs/18/libpq-pgservice.html): a parameter a line."""
    values = {name: str(value) for name, value in parts(source).items() if value is not None}
    text = "\n".join(("[environment]", *(f"{name}={value}" for name, value in values.items()), ""))
    if any({"\n", "\r"} & set(value) for value in values.values()):
        raise Failure(DOING, "the connection string has a line break", REMEDY)
    return text.encode()


def _write(admin: "Connection", file: str, content: bytes) -> None:
    """Write a file into the server's data folder, which nobody else may enter: bytes as they are, by way of a large object."""
    made = admin.execute("SELECT lo_from_bytea(0, %s)", (content,)).fetchone()
    admin.execute("SELECT lo_export(%s, %s)", (made[0] if made else 0, file))
    admin.execute("SELECT lo_unlink(%s)", (made[0] if made else 0,))


def _read(admin: "Connection", file: str) -> str:
    row = admin.execute("SELECT pg_read_file(%s)", (file,)).fetchone()
    return str(row[0]) if row else ""


def _literal(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"
