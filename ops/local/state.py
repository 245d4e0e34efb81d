"""The folder with everything that the platform on this machine keeps: data, secrets, logs, what was built, what runs."""

import contextlib
import json
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from ops.console import say
from ops.errors import Failure
from ops.exclusive import exclusive
from ops.folders import remedy, short, state_folder_of, write_private
from ops.local.process import GRACE, Ending, Identity, identify


@dataclass(frozen=True, slots=True)
class State:
    """Places in the state folder. Nothing is made by asking for one, except by `opened`."""

    folder: Path

    @property
    def data(self) -> Path:
        """The stores' data."""
        return self.folder / "data"

    @property
    def logs(self) -> Path:
        """A log file for each process."""
        return self.folder / "logs"

    @property
    def build(self) -> Path:
        """What was built of the services."""
        return self.folder / "build"

    @property
    def run(self) -> Path:
        """What runs, and files that it was started with."""
        return self.folder / "run"

    @property
    def secrets(self) -> Path:
        """The secrets of this machine, made once, readable by their owner alone."""
        return self.folder / "secrets.json"

    @property
    def password(self) -> Path:
        """The hash of the password that the compose engine's database was made with: its volume lies in the engine."""
        return self.folder / "volume-password.sha256"

    @property
    def key(self) -> str:
        """What names containers and volumes that belong to this folder and lie outside of it."""
        return short(self.folder)

    @property
    def record(self) -> Path:
        """What the supervisor runs."""
        return self.run / "record.json"

    @property
    def checkout(self) -> Path:
        """The path of the checkout whose platform this is: the folder's own name is only a hash of it."""
        return self.folder / "checkout.json"

    @property
    def lock(self) -> Path:
        """Held by the one `up` or `down --volumes` that is at work."""
        return self.folder / "lock"

    @property
    def build_lock(self) -> Path:
        """Held by who builds, or removes what was built: other state folders may have a link to the same `build`."""
        return self.build.resolve().with_name("build.lock")

    def log(self, name: str) -> Path:
        """The log file of a process."""
        return self.logs / f"{name}.log"


def of(root: Path) -> State:
    """The state of a checkout. Raises `Failure` where there is no folder for it."""
    return State(state_folder_of(root))


def state_folder() -> Path:
    """The state folder of this checkout, made if need be. Raises `Failure` when it cannot be written."""
    return opened(of(Path(__file__).resolve().parents[2])).folder


def opened(state: State) -> State:
    """The same, with its folders made, closed to others. Raises `Failure` when they cannot be made or written."""
    try:
        for folder in (state.folder, state.data, state.logs, state.build, state.run):
            folder.mkdir(parents=True, exist_ok=True)
            folder.chmod(0o700)
        probe = state.folder / f".probe-{os.getpid()}"
        probe.touch()
        probe.unlink(missing_ok=True)  # threads of this process may ask at the same time
    except OSError as error:
        cause = f"{error.filename or state.folder}: {error.strerror}"
        raise Failure("opening the state folder", cause, remedy("NEXTAI_STATE")) from error
    return state


@dataclass(frozen=True, slots=True)
class Entry:
    """A process in the record: who it is, which signal ends it within how many seconds, what it does (starting, ready, done, ended)."""

    identity: Identity
    stop: int
    state: str
    port: int = 0
    grace: float = GRACE

    @property
    def ending(self) -> Ending:
        """How it is ended."""
        return Ending(self.identity, self.stop, self.grace)


@dataclass(frozen=True, slots=True)
class RunRecord:
    """What the supervisor runs, with compose the `up` that starts it. `address` is empty until all is ready; `stopping` is who stops it."""

    engine: str
    supervisor: Identity
    address: str
    processes: Mapping[str, Entry]
    stopping: Identity | None = None

    @property
    def doing(self) -> str:
        """Whether the platform is being started or stopped, and by which process; the empty string where neither."""
        if self.stopping and self.stopping.alive:
            return f"being stopped by process {self.stopping.pid}"
        starting = self.supervisor.alive and not self.address
        return f"being started by process {self.supervisor.pid}" if starting else ""


def write(state: State, record: RunRecord) -> None:
    """Keep the record for the next `up`, `down` and `status`."""
    processes = {
        name: {
            "pid": e.identity.pid,
            "started": e.identity.started,
            "stop": e.stop,
            "state": e.state,
            "port": e.port,
            "grace": e.grace,
        }
        for name, e in record.processes.items()
    }
    document = {
        "version": 1,
        "engine": record.engine,
        "supervisor": asdict(record.supervisor),
        "stopping": asdict(record.stopping) if record.stopping else None,
        "address": record.address,
        "processes": processes,
    }
    write_private(state.record, json.dumps(document, indent=1))


def read(state: State) -> RunRecord | None:
    """The last record, or None. Whether what it names still runs must be asked of each identity."""
    try:
        document = json.loads(state.record.read_text("utf-8"))
        supervisor = Identity(document["supervisor"]["pid"], document["supervisor"]["started"])
        processes = {
            name: Entry(Identity(e["pid"], e["started"]), e["stop"], e["state"], e["port"], e.get("grace", GRACE))
            for name, e in document["processes"].items()
        }
        stopping = Identity(**document["stopping"]) if document.get("stopping") else None
        return RunRecord(document["engine"], supervisor, document["address"], processes, stopping)
    except (OSError, ValueError, KeyError, TypeError):
        return None


def keep_stopping(state: State) -> None:
    """Let `status` know that this process is stopping what the record names."""
    with contextlib.suppress(OSError):  # a full disk must not keep anybody from stopping
        if record := read(state):
            write(state, replace(record, stopping=identify(os.getpid())))


def building(state: State) -> contextlib.AbstractContextManager[None]:
    """Hold the lock of the build folder: one process at a time builds there, or removes what was built."""
    return exclusive(state.build_lock, "another build of this checkout is at work; waiting for it", say)


def keep_checkout(state: State, root: Path) -> None:
    """Let other checkouts find out whose platform this is."""
    write_private(state.checkout, json.dumps(str(root)))


def owner(home: State, pid: int, port: int) -> str:
    """The checkout whose platform has this port, by the records in the state folders beside `home`; nothing where none has.

    A process is known by its pid. A container's port is held by the Docker Engine, or by nobody that this user may see: `pid` is 0 then,
    and the record of that port tells.
    """
    with contextlib.suppress(OSError):  # the folder above may be closed to this user
        for folder in home.folder.parent.iterdir():
            record = read(State(folder)) if folder != home.folder else None
            if record and _holds(record, pid, port):
                return _checkout(State(folder))
    return ""


def _holds(record: RunRecord, pid: int, port: int) -> bool:
    if pid:
        return any(who.pid == pid and who.alive for who in (record.supervisor, *(entry.identity for entry in record.processes.values())))
    return record.engine == "compose" and any(entry.port == port for entry in record.processes.values())


def _checkout(state: State) -> str:
    with contextlib.suppress(OSError, ValueError):
        return str(json.loads(state.checkout.read_text("utf-8")))
    return f"the checkout whose state is in {state.folder}"
