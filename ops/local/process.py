"""A process of the embedded engine as a value, and how one is started, recognised and ended."""

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Literal

from ops import launch
from ops.local.ready import Probe

GRACE = 12.0  # seconds that a service or a job has to end; a store's own stand in its kind's file
_SECONDS_UNTIL_SLOW = 5.0


@dataclass(frozen=True, slots=True)
class Process:
    """What is run: a store or service (`serves`), or a job that must end with 0 before what needs it starts.

    `env` is the whole environment; it may hold secrets, so a Process is never printed. `user` is who it runs as under root. `lost` are
    the words by which a store says in its log that it could not read all of its data. `grace`: seconds that it has to end.
    """

    name: str
    argv: tuple[str, ...]
    cwd: str
    env: Mapping[str, str] = field(default_factory=dict, repr=False)
    probe: Probe = field(default_factory=Probe)
    needs: tuple[str, ...] = ()
    kind: Literal["store", "service", "job"] = "service"
    stop: int = signal.SIGTERM
    user: str = ""
    port: int = 0
    lost: str = ""
    grace: float = GRACE

    def document(self) -> dict[str, object]:
        """As JSON knows it, for the supervisor's standard input."""
        return asdict(self)


def from_document(document: Mapping[str, object]) -> Process:
    """The other way round."""
    probe = document["probe"]
    assert isinstance(probe, dict)
    values = {**document, "probe": Probe(**{**probe, "argv": tuple(probe["argv"])})}
    for name in ("argv", "needs"):
        items = document[name]
        assert isinstance(items, list)
        values[name] = tuple(items)
    return Process(**values)  # type: ignore[arg-type]


@dataclass(frozen=True, slots=True)
class Identity:
    """A process that cannot be mistaken for a later one with the same number: pid and the time that it was started."""

    pid: int
    started: str

    @property
    def alive(self) -> bool:
        """Whether this very process runs, or threads of it do (an ended one that nobody has waited for yet does not)."""
        return bool(self.started) and _started(self.pid) == self.started


def identify(pid: int) -> Identity:
    """The identity of a running process; of one that is gone, an identity that is not alive."""
    return Identity(pid, _started(pid))


def _started(pid: int) -> str:
    if sys.platform == "linux":
        try:
            # proc(5): the name in brackets may hold anything, so count from the last bracket; then state is 0, num_threads 17,
            # starttime 19. The first thread of a process may be a zombie while another still writes to a file.
            fields = Path(f"/proc/{pid}/stat").read_text("utf-8", "replace").rpartition(")")[2].split()
        except OSError:
            return ""
        return "" if fields[0] in "ZX" and int(fields[17]) < 2 else fields[19]
    # In one language and time zone: another shell must read the same start in it.
    environment = {**os.environ, "LC_ALL": "C", "TZ": "UTC"}
    argv = ("ps", "-o", "stat=,lstart=", "-p", str(pid))
    done = subprocess.run(argv, capture_output=True, text=True, check=False, env=environment)
    state, _, started = done.stdout.strip().partition(" ")
    return "" if state.startswith("Z") else started.strip()


def start(process: Process, log: Path) -> subprocess.Popen[bytes]:
    """Start it in a session of its own, its output going to `log`. On Linux it ends when the thread that called this ends."""
    with log.open("ab") as output:
        return subprocess.Popen(
            (*launch.command(process.stop, process.user), *process.argv),
            env=dict(process.env),
            cwd=process.cwd,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )


@dataclass(frozen=True, slots=True)
class Ending:
    """How a process is ended: the signal that asks it to end, and the seconds after which it is killed, with what it started if `whole`."""

    identity: Identity
    signal: int = signal.SIGTERM
    grace: float = GRACE
    whole: bool = True


def end(endings: Iterable[Ending], slow: Callable[[], None] | None = None) -> list[Identity]:
    """Ask each process to end, kill those that do not within their time, and return what still runs then.

    `slow` is called once where it takes more than a few seconds: a store may have much to write to a slow disk.
    """
    began = time.monotonic()
    left = [ending for ending in endings if ending.identity.alive and _signal(ending.identity, ending.signal)]
    killed: list[Identity] = []
    while left := [ending for ending in left if ending.identity.alive]:
        seconds = time.monotonic() - began
        if slow and seconds > _SECONDS_UNTIL_SLOW:
            slow()
            slow = None
        late = [ending for ending in left if seconds > ending.grace]
        for ending in late:
            killed += _kill(ending)
        left = [ending for ending in left if ending not in late]
        time.sleep(0.02)  # not our children, perhaps: their end can only be looked at
    return _wait(killed, 5)


def _signal(identity: Identity, number: int) -> bool:
    with contextlib.suppress(ProcessLookupError):
        os.kill(identity.pid, number)
        return True
    return False


def _kill(ending: Ending) -> list[Identity]:
    """Kill a process and its group, and what it started that has a group of its own, as PostgreSQL's processes have; return them all."""
    first = ending.identity
    everyone = [first, *(map(identify, _children(first.pid)) if ending.whole else ())]
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(first.pid, signal.SIGKILL)
    for one in everyone:
        if one.alive:
            _signal(one, signal.SIGKILL)
    return everyone


def _children(pid: int) -> list[int]:
    """The processes that a process started, and those that they started."""
    parents = list(_parents())
    found = [pid]
    for one in found:
        found += [child for child, parent in parents if parent == one]
    return found[1:]


def _parents() -> Iterator[tuple[int, int]]:
    """Each process of this machine, and who started it."""
    if sys.platform == "linux":
        for file in Path("/proc").glob("[0-9]*/stat"):
            with contextlib.suppress(OSError):  # it has ended meanwhile
                yield int(file.parent.name), int(file.read_text("utf-8", "replace").rpartition(")")[2].split()[1])
        return
    done = subprocess.run(("ps", "-A", "-o", "pid=,ppid="), capture_output=True, text=True, check=False)
    for line in done.stdout.splitlines():
        child, parent = line.split()
        yield int(child), int(parent)


def _wait(identities: list[Identity], seconds: float) -> list[Identity]:
    deadline = time.monotonic() + seconds
    while left := [identity for identity in identities if identity.alive]:
        if time.monotonic() > deadline:
            break
        time.sleep(0.02)
    return left


def last_lines(log: Path, count: int = 15) -> list[str]:
    """The last lines that a process wrote."""
    try:
        with log.open("rb") as file:
            file.seek(max(0, log.stat().st_size - 65536))
            return file.read().decode("utf-8", "replace").splitlines()[-count:]
    except OSError:
        return []


def found_in(log: Path, words: str) -> str:
    """The first line of a log that has these words; empty where none has them."""
    try:
        with log.open(encoding="utf-8", errors="replace") as file:
            return next((line.strip() for line in file if words in line), "")
    except OSError:
        return ""
