"""The testbed's daemons: started in sessions of their own, known by pid and start time, found again after a crash."""

import contextlib
import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from ops.errors import Failure
from ops.testbed import cgroups
from ops.testbed.keep import write
from ops.testbed.layout import Layout

# All of them are written in Go, and there is more memory than processor time on a machine that rehearses: they look for garbage
# less often. https://go.dev/doc/gc-guide
GARBAGE = {"GOGC": "400", "GOMEMLIMIT": "1GiB"}


@dataclass(frozen=True, slots=True)
class Daemon:
    """A program that keeps running. `ready` asks it; it may raise OSError or ValueError, which mean no."""

    name: str
    argv: tuple[str, ...]
    ready: Callable[[], bool]
    env: Mapping[str, str] = field(default_factory=dict)
    timeout: float = 60


@dataclass(frozen=True, slots=True)
class RunningProcess:
    """What /proc says of a process."""

    parent: int
    executable: str
    argv: tuple[str, ...]


def start_time(pid: int) -> str | None:
    """The kernel's start time of a process, which with the pid names it for ever; None if it has ended (a zombie has)."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return None
    return None if fields[0] == "Z" else fields[19]


def pid_of(layout: Layout, name: str) -> int | None:
    """The pid of a daemon that was started here and still runs."""
    try:
        pid, started = (layout.pids / name).read_text().split()
    except (OSError, ValueError):
        return None
    return int(pid) if start_time(int(pid)) == started else None


def recorded(layout: Layout) -> dict[str, int | None]:
    """Every daemon that was started and not stopped, with its pid, or None if it ended by itself."""
    if not layout.pids.is_dir():
        return {}
    return {path.name: pid_of(layout, path.name) for path in layout.pids.iterdir()}


def environment(layout: Layout) -> dict[str, str]:
    """What the daemons and their clients get over this process's own environment."""
    return {
        "PATH": f"{layout.bin}:{os.environ.get('PATH', os.defpath)}",
        "KUBECONFIG": str(layout.kubeconfig),
        "DOCKER_HOST": f"unix://{layout.docker_socket}",
        "DOCKER_CONFIG": str(layout.docker_config),
    }


def start(layout: Layout, daemons: Iterable[Daemon]) -> None:
    """Start those that do not run, all at once, and wait until each says that it is ready."""
    wave = list(daemons)
    for daemon in wave:
        if pid_of(layout, daemon.name) is None:
            _spawn(layout, daemon)
    for daemon in wave:
        _await(layout, daemon)


def answers(daemon: Daemon) -> bool:
    """Whether the daemon says that it is ready."""
    try:
        return daemon.ready()
    except (OSError, ValueError):
        return False


def _spawn(layout: Layout, daemon: Daemon) -> None:
    layout.logs.mkdir(parents=True, exist_ok=True)
    with (layout.logs / f"{daemon.name}.log").open("wb") as log:
        process = subprocess.Popen(
            daemon.argv,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
            cwd=layout.state,
            env={**os.environ, **environment(layout), **GARBAGE, **daemon.env},
        )
    write(layout.pids / daemon.name, f"{process.pid} {start_time(process.pid)}\n")


def _await(layout: Layout, daemon: Daemon) -> None:
    end = time.monotonic() + daemon.timeout
    while True:
        ready = answers(daemon)
        if pid_of(layout, daemon.name) is None:
            cause = f"{daemon.name} ended" + (", and another program answers in its place" if ready else "")
        elif ready:
            return
        elif time.monotonic() > end:
            cause = f"{daemon.name} is not ready after {daemon.timeout:g} s"
        else:
            time.sleep(0.05)
            continue
        log = layout.logs / f"{daemon.name}.log"
        words = "\n".join(log.read_text(errors="replace").splitlines()[-15:])
        raise Failure("starting the testbed", f"{cause}; the end of its log:\n{words}", f"Read {log}; `invoke testbed.down` clears up.")


def table() -> dict[int, RunningProcess]:
    """Every process of the machine."""
    found = {}
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        with contextlib.suppress(OSError, IndexError):  # it may end while it is read
            parent = int((entry / "stat").read_text().rpartition(")")[2].split()[1])
            argv = (entry / "cmdline").read_bytes().decode(errors="replace").split("\0")
            executable = str((entry / "exe").readlink()) if argv[0] else ""
            found[int(entry.name)] = RunningProcess(parent, executable, tuple(argv))
    return found


def ours(layout: Layout, processes: Mapping[int, RunningProcess], roots: Iterable[int], spared: Iterable[int]) -> set[int]:
    """The pids that belong to the testbed.

    `roots` are known to; so is a program out of our cache that names our state folder, and whatever descends from one of
    them. `spared` never are: this very process and those that started it.
    """
    own = set(roots)
    for pid, process in processes.items():
        if process.executable.startswith(f"{layout.cache}/") and any(str(layout.state) in word for word in process.argv):
            own.add(pid)
    while True:
        more = {pid for pid, process in processes.items() if process.parent in own} - own
        if not more:
            return own - set(spared) - {0, 1}
        own |= more


def own_pids(layout: Layout) -> set[int]:
    """The pids of everything of the testbed that runs now, pods and containers included."""
    processes = table()
    roots = {pid for pid in recorded(layout).values() if pid} | cgroups.members()
    return ours(layout, processes, roots, _ancestors(processes, os.getpid()))


def stop(pids: Iterable[int], number: signal.Signals, seconds: float) -> None:
    """Send a signal and wait until all have ended, no longer than `seconds`."""
    targets = {pid: start_time(pid) for pid in pids}
    for pid in targets:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, number)
    end = time.monotonic() + seconds
    while time.monotonic() < end and any(started and start_time(pid) == started for pid, started in targets.items()):
        time.sleep(0.02)


def _ancestors(processes: Mapping[int, RunningProcess], pid: int) -> set[int]:
    line = {pid}
    while (process := processes.get(pid)) and process.parent not in line:
        pid = process.parent
        line.add(pid)
    return line
