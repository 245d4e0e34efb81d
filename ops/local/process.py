"""A process of the embedded engine as a value, and how one is started, recognised and ended."""

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Literal

from ops import launch
from ops.local.ready import Probe


@dataclass(frozen=True, slots=True)
class Process:
    """What is run: a store or service (`serves`), or a job that must end with 0 before what needs it starts.

    `env` is the whole environment; it may hold secrets, so a Process is never printed. `user` is who it runs as under root. `lost` are
    the words by which a store says in its log that it could not read all of its data.
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
        """Whether this very process runs (an ended one that nobody has waited for yet does not)."""
        return bool(self.started) and _started(self.pid) == self.started


def identify(pid: int) -> Identity:
    """The identity of a running process; of one that is gone, an identity that is not alive."""
    return Identity(pid, _started(pid))


def _started(pid: int) -> str:
    if sys.platform == "linux":
        try:
            # proc(5): the name in brackets may hold anything, so count from the last bracket; then state is 0, starttime is 19.
            fields = Path(f"/proc/{pid}/stat").read_text("utf-8", "replace").rpartition(")")[2].split()
        except OSError:
            return ""
        return "" if fields[0] in "ZX" else fields[19]
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


def end(identities: Iterable[tuple[Identity, int]], timeout: float = 12) -> list[Identity]:
    """Send each process its signal, wait `timeout` seconds, kill what is left with its group, and return what still runs then."""
    asked = [identity for identity, number in identities if identity.alive and _signal(identity, number)]
    left = _wait(asked, timeout)
    for identity in left:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(identity.pid, signal.SIGKILL)
    return _wait(left, 5)


def _signal(identity: Identity, number: int) -> bool:
    with contextlib.suppress(ProcessLookupError):
        os.kill(identity.pid, number)
        return True
    return False


def _wait(identities: list[Identity], seconds: float) -> list[Identity]:
    deadline = time.monotonic() + seconds
    while left := [identity for identity in identities if identity.alive]:
        if time.monotonic() > deadline:
            break
        time.sleep(0.02)  # not our children, perhaps: their end can only be looked at
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
