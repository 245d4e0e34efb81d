"""The stores of the embedded engine: PostgreSQL, Redis and Milvus Lite, as processes of this machine."""

import contextlib
import hashlib
import os
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from ops.command import Command, run
from ops.errors import Failure
from ops.folders import write_private
from ops.local import ready
from ops.local.process import Identity, Process, end, identify, last_lines, start
from ops.local.ready import Probe
from ops.local.state import State, opened
from ops.tools import stores as store_programs

_LAUNCH = Path(__file__).with_name("launch.py")
_MILVUS_SERVER = Path(__file__).resolve().parents[2] / "infra" / "embedded" / "milvus" / "server.py"


@dataclass(frozen=True, slots=True)
class Wanted:
    """One store to run. `database` and `user` matter to PostgreSQL; `durable` = data must survive a crash of the machine."""

    name: str
    port: int
    password: str = ""
    database: str = ""
    user: str = ""
    durable: bool = True

    def __repr__(self) -> str:
        return f"Wanted({self.name}, {self.port})"


def process(state: State, wanted: Wanted) -> Process:
    """The process of a store, its data folder prepared. Raises `Failure` for a store that has no embedded server."""
    make = _SERVERS.get(wanted.name)
    if make is None:
        cause = f"there is no embedded server for {wanted.name} (only for {', '.join(_SERVERS)})"
        raise Failure(f"preparing {wanted.name}", cause, "Use `--engine compose`, which runs the catalogue's image.")
    return make(state, wanted)


def _environment() -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if name in ("PATH", "HOME", "TMPDIR", "LANG", "TZ", "USER")}
    return {**kept, "LC_ALL": "C.UTF-8" if sys.platform == "linux" else "C"}


def _postgres(state: State, wanted: Wanted) -> Process:
    programs = store_programs.program("postgres").parent
    data = _cluster(state, programs, wanted)
    settings = {
        "listen_addresses": "127.0.0.1",
        "unix_socket_directories": "",  # a path of more than 107 bytes cannot be a socket
        "log_min_messages": "warning",
        "log_checkpoints": "off",
        "shared_buffers": "64MB",
        **({} if wanted.durable else {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"}),
    }
    options = [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]
    return Process(
        wanted.name,
        (str(programs / "postgres"), "-D", str(data), "-p", str(wanted.port), *options),
        str(data),
        _environment(),
        Probe("command", wanted.port, argv=(str(programs / "pg_isready"), "-q", "-h", "127.0.0.1", "-p", str(wanted.port), "-t", "2")),
        kind="store",
        stop=signal.SIGINT,  # "fast": open sessions are ended, the data is written
        user="nobody" if os.geteuid() == 0 else "",
        port=wanted.port,
    )


def _cluster(state: State, programs: Path, wanted: Wanted) -> Path:
    """The data folder, made whole or not at all; its name has the major version, since another one cannot read it."""
    version = run(Command((str(programs / "postgres"), "--version"), "asking PostgreSQL's version")).stdout.split()[-1]
    data = state.data / f"postgres-{version.partition('.')[0]}"
    if not data.exists():
        draft = data.with_suffix(".new")
        shutil.rmtree(draft, ignore_errors=True)
        draft.mkdir(mode=0o700)
        if os.geteuid() == 0:
            shutil.chown(draft, "nobody")
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
    user = "nobody" if os.geteuid() == 0 else ""
    launch = (sys.executable, "-I", "-S", str(_LAUNCH), str(os.getpid()), str(int(signal.SIGKILL)), user)
    remedy = "Read the output above. Where PostgreSQL may not run as root, run this as an ordinary user."
    run(Command((*launch, *argv), doing, {"LC_ALL": "C"}, Path("/"), stdin, remedy))


def _redis(state: State, wanted: Wanted) -> Process:
    data = state.data / "redis"
    data.mkdir(mode=0o700, exist_ok=True)
    lines = [
        "bind 127.0.0.1",
        f"port {wanted.port}",
        f"dir {quoted(str(data))}",
        'save ""' if not wanted.durable else "save 60 1",
        f"appendonly {'yes' if wanted.durable else 'no'}",
        f"requirepass {quoted(wanted.password)}" if wanted.password else "protected-mode yes",
    ]
    file = state.run / f"{wanted.name}-{wanted.port}.conf"  # a file, since an argv can be read by everyone
    write_private(file, "\n".join(lines) + "\n")
    argv = (str(store_programs.program("redis")), str(file))
    probe = Probe("redis", wanted.port, password=wanted.password)
    return Process(wanted.name, argv, str(data), _environment(), probe, kind="store", port=wanted.port)


def quoted(text: str) -> str:
    """A string of redis.conf that holds any character but a line's end."""
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def _milvus(state: State, wanted: Wanted) -> Process:
    data = state.data / "milvus"
    data.mkdir(mode=0o700, exist_ok=True)
    argv = (str(store_programs.program("milvus")), str(_MILVUS_SERVER), str(data), str(wanted.port))
    environment = {**_environment(), "OMP_NUM_THREADS": "2", "PYTHONUNBUFFERED": "1"}
    return Process(
        wanted.name,
        argv,
        str(data),
        environment,
        Probe("tcp", wanted.port),
        kind="store",
        port=wanted.port,
        lost="WAL recovery stopped",
    )


_SERVERS: Mapping[str, Callable[[State, Wanted], Process]] = {"postgres": _postgres, "redis": _redis, "milvus": _milvus}


def free_port() -> int:
    """A loopback port that nothing listens on just now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextlib.contextmanager
def stores(
    state: Path, ports: Mapping[str, int] | None = None, names: Iterable[str] = ("postgres", "redis", "milvus")
) -> Iterator[dict[str, str]]:
    """Real stores for tests, as long as the context is open; their data goes into the folder `state`.

    Yields DATABASE_URL, REDIS_URL, MILVUS_HOST, MILVUS_PORT of those named. Ports that are not given are free ones.
    Raises `Failure` with a store's last log lines when it does not start.
    """
    home = opened(State(state.absolute()))
    chosen = {name: (ports or {}).get(name) or free_port() for name in names}
    running: list[tuple[Identity, int]] = []
    started: list[tuple[Process, subprocess.Popen[bytes]]] = []
    try:
        for name, port in chosen.items():
            store = process(home, Wanted(name, port, "test" if name == "postgres" else "", "test", "test", durable=False))
            child = start(store, home.log(name))
            running.append((identify(child.pid), store.stop))
            started.append((store, child))
        for store, child in started:
            trouble = ready.wait(store.probe, store.env, lambda c=child: c.poll() is not None, 60)  # type: ignore[misc]
            if trouble:
                said = "\n".join([trouble, *last_lines(home.log(store.name))])
                raise Failure(f"starting {store.name}", said, f"Read {home.log(store.name)}.")
        yield _variables(chosen)
    finally:
        end(running)
        for _, child in started:
            child.wait()


def _variables(ports: Mapping[str, int]) -> dict[str, str]:
    known = {
        "postgres": lambda port: {"DATABASE_URL": f"postgresql://test:test@127.0.0.1:{port}/test"},
        "redis": lambda port: {"REDIS_URL": f"redis://127.0.0.1:{port}"},
        "milvus": lambda port: {"MILVUS_HOST": "127.0.0.1", "MILVUS_PORT": str(port)},
    }
    return {name: value for store, port in ports.items() for name, value in known[store](port).items()}
