"""The process that owns every other one of the embedded engine: `python -m ops.local.supervisor`, started by `invoke up`.

It reads what to run as one JSON document from standard input (it holds secrets, so it is nowhere else), starts each process
when what it needs is ready, writes an event a line to standard output, keeps the record, and ends everything on SIGTERM.
"""

import contextlib
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Mapping
from pathlib import Path
from queue import SimpleQueue
from typing import Literal

from ops.local import ready, state
from ops.local.process import Ending, Identity, Process, end, found_in, from_document, identify, last_lines, start
from ops.local.state import Entry, RunRecord, State

SECONDS_TO_READY = 90.0
Life = Literal["waiting", "starting", "ready", "done", "ended"]
_FIT = ("ready", "done")  # what may be built upon
AFTER_LOSS = "What it could read is kept: run it again to go on with that, or put a copy of the data back first."


class Supervisor:
    """Guards what runs. Children are started by the main thread alone: on Linux they end with the thread that started them."""

    def __init__(self, home: State, address: str, processes: list[Process]) -> None:
        self.home = home
        self.address = address
        self.processes = {process.name: process for process in processes}
        self.life: dict[str, Life] = dict.fromkeys(self.processes, "waiting")
        self.children: dict[str, subprocess.Popen[bytes]] = {}
        self.identities: dict[str, Identity] = {}
        self.began: dict[str, float] = {}
        self.up = False
        self.stopping = False
        # What threads and signals tell the main thread: (what happened, name, detail).
        self.news: SimpleQueue[tuple[str, str, str]] = SimpleQueue()

    def run(self) -> int:
        """Start everything, stay until told to end, and return the exit code."""
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: self.news.put(("stop", "", "")))
        signal.signal(signal.SIGHUP, signal.SIG_IGN)
        self._record()
        self._start_what_can()
        while True:
            what, name, detail = self.news.get()
            if what == "stop":
                self._end("stopped")
                return 0
            if what == "lost":
                return self._failed(name, f"could not read all of its data: {detail}\n{AFTER_LOSS}")
            if what == "ready" and self.life[name] == "starting":
                self._ready(name)
            elif what == "stuck":
                return self._failed(name, detail)
            elif what == "late" and self.life[name] == "starting":
                return self._failed(name, f"is not ready after {SECONDS_TO_READY:g} s: {detail}")
            elif what == "ended" and (code := self._ended(name, int(detail))):
                return code

    def _start_what_can(self) -> None:
        for name, process in self.processes.items():
            if self.life[name] == "waiting" and not self._unmet(process):
                self._start(process)
        if not self.up and all(life in _FIT for life in self.life.values()):
            if lost := self._lost():
                self.news.put(("lost", *lost))
                return
            self.up = True
            self._record()
            tell("up", address=self.address)
        elif not self.up and "starting" not in self.life.values():
            # The catalogue's checks refuse loops; whatever they do not see must not wait here for ever.
            stuck = {name: self._unmet(process) for name, process in self.processes.items() if self.life[name] == "waiting"}
            who = "; ".join(f"{name} waits for {', '.join(needs)}" for name, needs in stuck.items())
            self.news.put(("stuck", next(iter(stuck)), f"can never start: {who} (`needs` in platform.yaml)"))

    def _lost(self) -> tuple[str, str] | None:
        """A store whose log says that data is lost, and what it says. Asked when its users are ready: a store reads what they ask for."""
        for name, process in self.processes.items():
            if process.lost and (said := found_in(self.home.log(name), process.lost)):
                return name, said
        return None

    def _unmet(self, process: Process) -> list[str]:
        return [need for need in process.needs if self.life.get(need, "ready") not in _FIT]

    def _start(self, process: Process) -> None:
        name, log = process.name, self.home.log(process.name)
        self.life[name], self.began[name] = "starting", time.monotonic()
        if log.exists():
            log.replace(log.with_suffix(".log.1"))
        child = start(process, log)
        self.children[name], self.identities[name] = child, identify(child.pid)
        self._record()
        tell("starting", name=name, pid=child.pid)
        threading.Thread(target=self._watch_end, args=(name, child), daemon=True).start()
        if process.probe.how != "exit":
            threading.Thread(target=self._watch_ready, args=(process, child), daemon=True).start()

    def _watch_end(self, name: str, child: subprocess.Popen[bytes]) -> None:
        self.news.put(("ended", name, str(child.wait())))

    def _watch_ready(self, process: Process, child: subprocess.Popen[bytes]) -> None:
        gone = child.poll
        trouble = ready.wait(process.probe, process.env, lambda: gone() is not None, SECONDS_TO_READY)
        self.news.put(("late" if trouble else "ready", process.name, trouble))

    def _ready(self, name: str, life: Life = "ready") -> None:
        self.life[name] = life
        self._record()
        tell(life, name=name, seconds=round(time.monotonic() - self.began[name], 2))
        self._start_what_can()

    def _ended(self, name: str, code: int) -> int:
        """What the end of a process means: a job's 0 is its success; before all was up it is everyone's end; later it is news."""
        if self.processes[name].kind == "job" and code == 0:
            self._ready(name, "done")
            return 0
        if not self.up:
            return self._failed(name, _exit(code))
        self.life[name] = "ended"
        self._record()
        tell("ended", name=name, cause=_exit(code), lines=last_lines(self.home.log(name)))
        return 0

    def _failed(self, name: str, cause: str) -> int:
        lines = last_lines(self.home.log(name)) if name in self.children else []  # else they are of an earlier run
        self._end("ended")
        tell("failed", name=name, cause=cause, lines=lines)
        return 1

    def _end(self, life: str) -> None:
        """End the services, then the stores that they write to."""
        tell("stopping")
        self.stopping = True
        with contextlib.suppress(OSError):  # a full disk must not keep anything running
            self._record()
        left: list[Identity] = []
        for kinds in (("service", "job"), ("store",)):
            names = [name for name in self.children if self.processes[name].kind in kinds]
            left += end(Ending(self.identities[name], self.processes[name].stop, self.processes[name].grace) for name in names)
        tell(life, left=[identity.pid for identity in left])
        if not left:
            self.home.record.unlink(missing_ok=True)

    def _record(self) -> None:
        entries: Mapping[str, Entry] = {
            name: Entry(self.identities[name], process.stop, self.life[name], process.port, process.grace)
            for name, process in self.processes.items()
            if name in self.children
        }
        own = identify(os.getpid())
        state.write(self.home, RunRecord("embedded", own, self.address if self.up else "", entries, own if self.stopping else None))


def _exit(code: int) -> str:
    if code >= 0:
        return f"ended with exit code {code}"
    with contextlib.suppress(ValueError):
        return f"was killed by {signal.Signals(-code).name}"
    return f"was killed by signal {-code}"


def tell(event: str, **details: object) -> None:
    """One event for `invoke up`, if it still listens."""
    with contextlib.suppress(BrokenPipeError, OSError):
        sys.stdout.write(json.dumps({"event": event, **details}) + "\n")
        sys.stdout.flush()


def main() -> int:
    """Read the document and run what it says."""
    document = json.load(sys.stdin)
    home = State(Path(document["state"]))
    return Supervisor(home, document["address"], [from_document(process) for process in document["processes"]]).run()


if __name__ == "__main__":
    sys.exit(main())
