"""`up`, `down`, `status` and `logs` of the platform on this machine: which engine, then its story."""

import contextlib
import shutil
import signal
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from types import FrameType

from ops.catalog import Catalog
from ops.config import local as config
from ops.console import confirm, counted, emit_json, emit_line, has_reader, machine_readable, say, table
from ops.errors import Exit, Failure, UsageError
from ops.guess import did_you_mean
from ops.local import embedded, facts, state
from ops.local.follow import lines as followed
from ops.local.interrupt import handled, uninterrupted
from ops.local.state import RunRecord, State

_LAST = 15  # lines of what has ended
_LOGS = "Logs: `invoke logs NAME --env local`"


@dataclass(frozen=True, slots=True)
class ProcessRow:
    """One process or container of the platform."""

    name: str
    state: str
    pid: int
    port: int

    @property
    def trouble(self) -> str:
        """What is wrong with it, in words; the empty string where nothing is."""
        if self.state.startswith("ended"):
            return f"{self.name} has {self.state}"
        return f"{self.name} is {self.state}" if self.state == "unhealthy" else ""


def up(catalog: Catalog, engine: str | None = None, detach: bool = False) -> int:
    """Start the platform, print the page's address, and show its logs until Ctrl-C stops it; with `detach`, return instead.

    Where all of it runs already, that is success. Where a part has ended, everything is started again, on the same engine.
    Raises `UsageError` for an unknown engine, and `Failure` when it does not start; then everything is stopped again.
    """
    facts.check(engine)
    home = state.opened(state.of(catalog.root))
    attend: Callable[[list[int]], None] | None = None
    with _ctrl_c_on_terminate() as pressed:
        try:
            with state.alone(home.lock, "another `up` or `down` is at work; waiting for it"), _remaining_named(home):
                started = _started(catalog, home, engine)
                if isinstance(started, RunRecord):
                    return _runs_already(started)
                choice, attend = started
                _announce(catalog, choice)
            if detach:
                say("It runs in the background; `invoke down` stops it.")
                say(_LOGS)
                return Exit.DONE
            say("Logs follow; Ctrl-C stops everything.")
        except KeyboardInterrupt:
            if attend is None:
                raise
            pressed.append(signal.SIGINT)  # Ctrl-C came when everything ran: `attend` stops it
        with _remaining_named(home):
            attend(pressed)
    return Exit.DONE


def _started(catalog: Catalog, home: State, engine: str | None) -> RunRecord | tuple[str, Callable[[list[int]], None]]:
    """Start everything, and return the engine and the function that shows its logs until Ctrl-C. Where all runs already: its record."""
    state.opened(home)  # again: a `down --volumes` may have had the lock
    state.keep_checkout(home, catalog.root)
    record = current(catalog, home)
    if record:
        _refuse_another(record, engine)
        if not (trouble := _trouble(rows_of(catalog, home))):
            return record
        say(f"{trouble}: starting everything again; the data stays")
        _stop(catalog, home, volumes=False)
    choice = facts.choose(record.engine if record else engine)
    say(f"engine: {choice.engine} ({'as before' if record else choice.why})")
    if choice.engine == "compose":
        from ops.local import compose

        compose.start(catalog, home)
        return choice.engine, partial(compose.attend, catalog, home)
    return choice.engine, partial(embedded.attend, catalog, home, embedded.start(catalog, home))


def down(catalog: Catalog, volumes: bool = False, yes: bool = False) -> int:
    """Stop the platform. With `volumes` ask, then remove its data, its secrets and the built files too. Nothing running is success."""
    home = state.of(catalog.root)
    if volumes:
        confirm(f"Remove all data of the platform on this machine ({home.folder})?", yes=yes)
    stopped = _stop(catalog, home, volumes)
    if volumes and home.folder.exists():
        stopped = _remove(catalog, home) or stopped
    say(f"stopped {stopped}" if stopped else "nothing runs")
    if volumes:
        say("removed the data")
    if machine_readable():
        emit_json({"stopped": stopped or None, "volumesRemoved": volumes})
    return Exit.DONE


def _stop(catalog: Catalog, home: State, volumes: bool) -> str:
    """Stop what runs on either engine, and return how much that was, in words. Ctrl-C takes effect when everything is stopped."""
    with uninterrupted() as pressed:
        stopped = _stop_containers(catalog, home, volumes) or _some(embedded.stop(home), "process", "processes")
    if pressed:
        raise KeyboardInterrupt(f"interrupted; {f'stopped {stopped}' if stopped else 'nothing runs'}")
    return stopped


def _stop_containers(catalog: Catalog, home: State, volumes: bool) -> str:
    """Stop the compose engine's containers, also when their record is lost. With `volumes` also when only their data is there."""
    from ops.local import compose, containers

    record = state.read(home)
    if (
        (record and record.engine == "compose")
        or (not record and containers.runs(catalog, home))
        or (volumes and containers.leaves(catalog, home))
    ):
        embedded_too = record if record and record.engine == "embedded" else None
        count = compose.stop(catalog, home, volumes=volumes, forget=embedded_too is None)
        return "" if embedded_too else _some(count, "container")
    return ""


def _some(count: int, *noun: str) -> str:
    return counted(count, *noun) if count else ""


def _remove(catalog: Catalog, home: State) -> str:
    """Remove what the state folder holds. What an `up` has started since, while it had the lock, is stopped before."""
    with state.alone(home.lock, "another `up` is at work; waiting for it"):
        stopped = _stop(catalog, home, volumes=True)
        for part in (home.data, home.logs, home.run):
            shutil.rmtree(part, ignore_errors=True)
        with state.building(home):
            shutil.rmtree(home.build, ignore_errors=True)
        for file in (home.secrets, home.password, home.checkout):
            file.unlink(missing_ok=True)
    return stopped


def status(catalog: Catalog) -> int:
    """Show a row for each store, job and service, and the last lines of those that have ended. Exit 1 where one has.

    Where all of them have ended without a `down`, that is said too. While they are being started or stopped, nothing counts as ended.
    """
    home = state.of(catalog.root)
    known, record, rows = _seen(catalog, home)
    doing = known.doing if known else ""
    trouble = "" if doing else _trouble(rows) if record else _lost(known)
    last = {row.name: list(_lines(catalog, home, row.name, _LAST)) if trouble and row.trouble else [] for row in rows}
    if machine_readable():
        found = [{"name": r.name, "state": r.state, "pid": r.pid, "port": r.port, "log": last[r.name]} for r in rows]
        emit_json(
            {
                "environment": "local",
                "engine": record.engine if record else None,
                "address": record.address if record else None,
                "doing": doing or None,
                "trouble": trouble or None,
                "processes": found,
            }
        )
    elif record is None and doing:
        say(f"the platform is {doing}")
    elif record is None:
        gone = f"the platform has ended without being stopped: {trouble}; `invoke up` starts it again"
        say(gone if trouble else "nothing runs on this machine; `invoke up` starts it")
    else:
        say(f"engine: {record.engine}, address: {record.address or 'not ready yet'}")
        table(("name", "state", "pid", "port"), [(r.name, r.state, str(r.pid or ""), str(r.port or "")) for r in rows])
        for name, lines in last.items():
            for line in lines:
                say(f"{name} | {line}")
        if doing:
            say(f"the platform is {doing}")
        if trouble:
            say(f"{trouble}: `invoke up` starts everything again; the data stays.")
        say(_LOGS)
    return Exit.FAILED if trouble else Exit.DONE


def _seen(catalog: Catalog, home: State) -> tuple[RunRecord | None, RunRecord | None, list[ProcessRow]]:
    """The record on disk, the record where its platform runs, and the rows: all of one moment. Read again where the record changed."""
    while True:
        known = state.read(home)
        record, rows = current(catalog, home), rows_of(catalog, home)
        if state.read(home) == known:
            return known, record, rows


def _lost(record: RunRecord | None) -> str:
    """Why nothing runs although no `down` has stopped it; the empty string without a record, as after a `down`."""
    if record is None:
        return ""
    if record.engine == "compose":
        return facts.docker().trouble or "none of its containers runs"
    left = ", ".join(name for name, entry in record.processes.items() if entry.identity.alive)
    return f"its supervisor, process {record.supervisor.pid}, has ended{f'; still running: {left}' if left else ''}"


def rows_of(catalog: Catalog, home: State) -> list[ProcessRow]:
    """What runs, as values."""
    record = current(catalog, home)
    if record is None:
        return []
    if record.engine == "compose":
        from ops.local import containers

        return [ProcessRow(name, what, 0, port) for name, what, port in containers.rows(catalog, home)]
    states = {name: entry.state if entry.identity.alive or entry.state == "done" else "ended" for name, entry in record.processes.items()}
    return [ProcessRow(name, states[name], entry.identity.pid, entry.port) for name, entry in record.processes.items()]


def logs(catalog: Catalog, name: str, *, follow: bool, tail: int) -> int:
    """Show the last lines of a store, job or service, and with `follow` new ones until it ends.

    Raises `UsageError` for an unknown name, `Failure` for one that has never run here.
    """
    known = [*catalog.stores, *catalog.jobs, *catalog.services]
    if name not in known:
        cause = f"no service, job or store has that name{did_you_mean(name, known)}"
        raise UsageError(f"looking for the logs of {name}", cause, f"One of: {', '.join(known)}.")
    for line in _lines(catalog, state.of(catalog.root), name, tail, follow=follow):
        if machine_readable():
            emit_line({"name": name, "text": line})
        else:
            say(f"{name} | {line}")
        if not has_reader():
            break
    return Exit.DONE


def _lines(catalog: Catalog, home: State, name: str, tail: int, *, follow: bool = False) -> Iterator[str]:
    """The lines of the engine that ran it last, also of what has ended."""
    record = state.read(home)
    if record and record.engine == "compose":
        from ops.local import containers

        return containers.lines(catalog, home, name, tail, follow)
    if not home.log(name).exists():
        raise Failure(f"reading the logs of {name}", "it has not run on this machine", "`invoke up` starts it.")
    return followed(home.log(name), tail, lambda: follow and has_reader() and writes(home, name))


def writes(home: State, name: str) -> bool:
    """Whether a process of the embedded engine runs, and may still write."""
    record = embedded.running(home)
    return record is not None and name in record.processes and record.processes[name].identity.alive


def current(catalog: Catalog, home: State) -> RunRecord | None:
    """The record of what runs: a live supervisor, or containers."""
    record = state.read(home)
    if record is None:
        return None
    if record.engine == "compose":
        from ops.local import containers

        return record if containers.runs(catalog, home) else None
    return record if record.supervisor.alive else None


def _refuse_another(record: RunRecord, engine: str | None) -> None:
    if engine and engine != record.engine:
        raise Failure("starting the platform", f"it runs already, on the {record.engine} engine", "Run `invoke down` first.")


def _trouble(rows: list[ProcessRow]) -> str:
    return ", ".join(row.trouble for row in rows if row.trouble)


def _runs_already(record: RunRecord) -> int:
    say(f"runs already on the {record.engine} engine: {record.address}")
    say("To run changed code: `invoke down`, then `invoke up`.")
    say(_LOGS)
    if machine_readable():
        emit_json({"engine": record.engine, "address": record.address, "started": False})
    return Exit.DONE


def _announce(catalog: Catalog, engine: str) -> None:
    address = config.page(catalog)
    say(f"\n  {address}\n", "bold green")
    if machine_readable():
        emit_json({"engine": engine, "address": address, "started": True})


@contextlib.contextmanager
def _ctrl_c_on_terminate() -> Iterator[list[int]]:
    """A closed terminal (SIGHUP) or `kill` (SIGTERM) stops the platform as Ctrl-C does.

    The list keeps the signals that came: Python drops an exception that is raised while an object is being freed.
    """
    pressed: list[int] = []

    def interrupt(number: int, _frame: FrameType | None) -> None:
        pressed.append(number)
        raise KeyboardInterrupt

    try:
        with handled(interrupt, signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            yield pressed
    except KeyboardInterrupt as interrupted:
        raise KeyboardInterrupt(str(interrupted) or "interrupted; nothing that this command started was left running") from None


@contextlib.contextmanager
def _remaining_named(home: State) -> Iterator[None]:
    """Where Ctrl-C interrupts the stopping, processes may remain, and so does their record: then say which verb ends them."""
    try:
        yield
    except KeyboardInterrupt:
        if home.record.exists():
            raise KeyboardInterrupt("interrupted; something may still run: `invoke down` ends it") from None
        raise
