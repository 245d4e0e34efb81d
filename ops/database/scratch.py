"""A throw-away PostgreSQL server on which pending migrations are tried before the real database sees them.

On this machine it is the embedded PostgreSQL, started for the time of the block on a data folder of its own. Elsewhere it is the
server that SCRATCH_DATABASE_URL names, such as the sidecar of the migration Job: a superuser's connection string, for a server that
holds nothing else. Each use has a database and a role of its own there. The role is no superuser, so that a migration can neither
read files, start programs nor reach another database; both are dropped afterwards, and what a killed run left is dropped by the next.
"""

import fcntl
import json
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from secrets import token_hex
from typing import TYPE_CHECKING, BinaryIO
from uuid import uuid4

from ops.config.sidecar import ADMIN, SETTINGS, VARIABLE
from ops.errors import Failure
from ops.secret import Secret

if TYPE_CHECKING:
    from ops.database.connect import Connection

KEY_FILE = "nextai-password"  # a file in the data folder, which nobody else can read
PREFIX = "nextai_scratch_"
SETUP = 3  # how a data folder is made: another number makes the kept one anew
# template1 and template0 in a data folder (PostgreSQL's pg_database.dat): nobody connects to them, and CREATE DATABASE reads one.
_READ_ONLY = ("base/1", "base/4")
START_SECONDS = 30.0
STATEMENT_SECONDS = 20
LEFT_SECONDS = 900  # what an unlocked database of another run is old before it counts as left behind
DOING = "starting the scratch database"


class ScratchUnavailable(Failure):
    """There is no scratch server here: it says why, and what to do."""


@dataclass(frozen=True, slots=True)
class ScratchServer:
    """A running scratch server. `version` is PostgreSQL's server_version_num."""

    admin: Secret
    version: int

    @property
    def major(self) -> int:
        """PostgreSQL's major version."""
        return self.version // 10000


@dataclass(frozen=True, slots=True)
class Scratch:
    """One database of the server. `owner` is whom the migrations run as, `observer` a superuser's session in the same database."""

    owner: "Connection"
    observer: "Connection"
    version: int


@contextmanager
def server() -> Iterator[ScratchServer]:
    """A scratch server for the time of the block. Raises `ScratchUnavailable` where none can be had."""
    if address := os.environ.get(VARIABLE):
        yield _known(Secret(address))
        return
    with _embedded() as found:
        yield found


def _known(admin: Secret) -> ScratchServer:
    with session(admin) as connection:
        return ScratchServer(admin, connection.info.server_version)


@contextmanager
def database(server: ScratchServer, role: str) -> Iterator[Scratch]:
    """A new database, owned by a role of this name which has no rights beyond it. Both are gone after the block."""
    import psycopg
    from psycopg.conninfo import make_conninfo

    name = f"{PREFIX}{int(time.time())}_{uuid4().hex[:8]}"
    role = role if role and role != ADMIN else "nextai"
    with session(server.admin) as admin:
        password = _prepared(admin, server, role)
        try:
            admin.execute(f"CREATE DATABASE {name} OWNER {quoted(role)} TEMPLATE template0".encode())
            owner_dsn = Secret(make_conninfo(server.admin.reveal(), dbname=name, user=role, password=password))
            with ExitStack() as stack:
                observer = stack.enter_context(session(Secret(make_conninfo(server.admin.reveal(), dbname=name))))
                owner = stack.enter_context(session(owner_dsn))
                yield Scratch(owner, observer, server.version)
        finally:
            with suppress(psycopg.Error):
                admin.execute(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)".encode())


def _prepared(admin: "Connection", server: ScratchServer, role: str) -> str:
    """Remove what others have left, and see that the role is there; returns its password, the same for all who use the server."""
    password = sha256(f"{server.admin.reveal()} {role}".encode()).hexdigest()
    rights = f"LOGIN CREATEROLE NOSUPERUSER NOBYPASSRLS PASSWORD '{password}'"
    with admin.transaction():
        admin.execute("SELECT pg_advisory_xact_lock(hashtext('nextai scratch'))")
        there = admin.execute("SELECT 1 FROM pg_roles WHERE rolname = %s", (role,)).fetchone()
        admin.execute(f"{'ALTER' if there else 'CREATE'} ROLE {quoted(role)} {rights}".encode())
    _sweep(admin)
    return password


def _sweep(admin: "Connection") -> None:
    """Drop what runs have left that were killed: their databases have the time of their making in the name."""
    rows = admin.execute("SELECT datname FROM pg_database WHERE datname LIKE %s", (PREFIX.replace("_", r"\_") + "%",)).fetchall()
    for (name,) in rows:
        made = str(name).removeprefix(PREFIX).partition("_")[0]
        if made.isdigit() and time.time() - int(made) > LEFT_SECONDS:
            admin.execute(f"DROP DATABASE IF EXISTS {quoted(str(name))} WITH (FORCE)".encode())


@contextmanager
def session(dsn: Secret) -> Iterator["Connection"]:
    """A connection to the scratch server, with a limit for each statement. Raises `ScratchUnavailable` where it cannot be had."""
    import psycopg

    from ops.database.connect import describe, opened

    def attempt() -> "Connection":
        return psycopg.connect(dsn.reveal(), autocommit=True, application_name="nextai-scratch", connect_timeout=10, client_encoding="utf8")

    def failure(said: str) -> Failure:
        remedy = f"Check the server that {VARIABLE} names."
        return ScratchUnavailable("connecting to the scratch database", f"{describe(dsn)}: {said}", remedy)

    connection = opened(attempt, dsn, failure)
    connection.prepare_threshold = None  # DISCARD ALL between files would drop what is prepared
    try:
        connection.execute(f"SET statement_timeout = '{STATEMENT_SECONDS}s'".encode())
        yield connection
    finally:
        with suppress(psycopg.Error):
            connection.close()


def quoted(name: str) -> str:
    """A name as SQL has it."""
    return '"' + name.replace('"', '""') + '"'


# ---------------------------------------------------------------- the embedded server


@contextmanager
def _embedded() -> Iterator[ScratchServer]:
    binaries = programs()
    home = _home()
    _remove_left(home)
    with _folder(home) as folder:
        data = folder / "data"
        _copy(_template(home, binaries), data)
        with _running(binaries, data) as admin:
            yield _known(admin)


def programs() -> Path:
    """The folder with initdb and postgres of the embedded engine."""
    try:
        from ops.stores.programs import program
    except ImportError as error:  # the image of the migration Job
        raise ScratchUnavailable(DOING, f"there is no PostgreSQL here to start, and {VARIABLE} is not set", f"Set {VARIABLE}.") from error
    return program("postgres").parent


def _home() -> Path:
    from ops.folders import cache

    home = cache() / "scratch"
    home.mkdir(mode=0o755, exist_ok=True)
    return home


def _remove_left(home: Path) -> None:
    """Remove the folders of runs that ended without doing so; a folder in use is locked."""
    for folder in home.glob("run-*"):
        try:
            with (folder / "lock").open("rb") as lock:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                _end_left(folder / "data")
                shutil.rmtree(folder, ignore_errors=True)
        except FileNotFoundError:
            # Between mkdir and the lock, or between two removals: old ones have nobody who would come back to them.
            with suppress(OSError):
                if time.time() - folder.stat().st_mtime > LEFT_SECONDS:
                    shutil.rmtree(folder, ignore_errors=True)
        except OSError:
            continue


def _end_left(data: Path) -> None:
    """End the server of a folder whose owner was killed, where the system has not done so. Its own file says which process it is."""
    with suppress(OSError, ValueError, IndexError):
        lines = (data / "postmaster.pid").read_text().splitlines()
        if Path(lines[1]) == data:
            os.kill(int(lines[0]), signal.SIGQUIT)


@contextmanager
def _folder(home: Path) -> Iterator[Path]:
    folder = home / f"run-{os.getpid()}-{uuid4().hex[:8]}"
    folder.mkdir(mode=0o755)
    try:
        with (folder / "lock").open("wb") as lock:
            _locked(lock)
            yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _locked(lock: BinaryIO) -> None:
    fcntl.flock(lock, fcntl.LOCK_EX)
    os.set_inheritable(lock.fileno(), False)  # else the server would hold it after this process


def _template(home: Path, programs: Path) -> Path:
    """A data folder as initdb makes it, made once for each version of the programs."""
    stat = (programs / "postgres").stat()
    key = sha256(json.dumps([str(programs), stat.st_size, stat.st_mtime_ns, SETUP]).encode()).hexdigest()[:16]
    template = home / f"template-{key}"
    if template.exists():
        return template
    draft = home / f"draft-{key}-{uuid4().hex[:8]}"
    draft.mkdir(mode=0o700)
    try:
        _give(draft)
        locale = ("--locale-provider=builtin", "--builtin-locale=C.UTF-8", "--locale=C", "--encoding=UTF8")
        argv = (str(programs / "initdb"), "-D", str(draft), "-U", ADMIN, "-A", "scram-sha-256", "--pwfile=/dev/stdin", "--no-sync", *locale)
        password = token_hex(16)
        _once(argv, f"{password}\n")
        _give(_write_private(draft / KEY_FILE, password))
        with suppress(OSError):  # another run was faster
            draft.rename(template)
    finally:
        shutil.rmtree(draft, ignore_errors=True)
    return template


def _write_private(file: Path, text: str) -> Path:
    with os.fdopen(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as out:
        out.write(text)
    return file


def _copy(template: Path, data: Path) -> None:
    """A data folder of one's own. Two thirds of its files are only read, and so are links."""
    read_only = {str(template / folder) for folder in _READ_ONLY}

    def file(source: str, target: str) -> None:
        if os.path.dirname(source) in read_only:  # noqa: PTH120 (a thousand of them)
            with suppress(OSError):  # a file system without hard links
                os.link(source, target)
                return
        shutil.copy(source, target)
        _give(Path(target))

    shutil.copytree(template, data, symlinks=True, copy_function=file)
    data.chmod(0o700)
    for folder, _, _ in os.walk(data):
        _give(Path(folder))


def _give(path: Path) -> None:
    if os.geteuid() == 0:
        shutil.chown(path, "nobody")


def _launch(argv: tuple[str, ...]) -> tuple[str, ...]:
    """The command that ends with this process, and does not run as root: PostgreSQL refuses that."""
    from ops import launch

    return (*launch.command(signal.SIGKILL, launch.unprivileged()), *argv)


def _once(argv: tuple[str, ...], stdin: str) -> None:
    done = subprocess.run(_launch(argv), input=stdin, capture_output=True, text=True, check=False, env=_environment(), cwd="/", timeout=120)
    if done.returncode:
        raise ScratchUnavailable(
            DOING, f"initdb: {(done.stderr or done.stdout).strip()}", "Where PostgreSQL may not run as root, run this as an ordinary user."
        )


def _environment() -> dict[str, str]:
    return {"PATH": os.environ.get("PATH", ""), "LC_ALL": "C", "TZ": "UTC"}


@contextmanager
def _running(programs: Path, data: Path) -> Iterator[Secret]:
    import socket

    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    options = [part for name, value in SETTINGS.items() for part in ("-c", f"{name}={value}")]
    log = data.parent / "log"
    with log.open("wb") as out:
        argv = _launch((str(programs / "postgres"), "-D", str(data), "-p", str(port), *options))
        process = subprocess.Popen(
            argv, stdin=subprocess.DEVNULL, stdout=out, stderr=out, env=_environment(), cwd="/", start_new_session=True
        )
    password = (data / KEY_FILE).read_text()
    admin = Secret(f"host=127.0.0.1 port={port} user={ADMIN} password={password} dbname=postgres")
    try:
        _await(process, admin, log)
        yield admin
    finally:
        process.send_signal(signal.SIGQUIT)  # "immediate": nothing of it is kept
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _await(process: "subprocess.Popen[bytes]", admin: Secret, log: Path) -> None:
    import psycopg

    deadline = time.monotonic() + START_SECONDS
    while True:
        try:
            psycopg.connect(admin.reveal(), connect_timeout=2).close()
            return
        except psycopg.Error as error:
            if process.poll() is not None or time.monotonic() > deadline:
                said = log.read_text(errors="replace").strip()[-500:]
                raise ScratchUnavailable(DOING, said or str(error).strip(), "Run it again; if it stays so, run `invoke doctor`.") from error
        time.sleep(0.02)
