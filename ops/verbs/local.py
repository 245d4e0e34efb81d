"""What runs of the platform on this machine, on either engine: its processes, `status` and `logs`."""

from collections.abc import Iterator
from dataclasses import dataclass

from ops.catalog import Catalog
from ops.console import emit_json, emit_line, has_reader, machine_readable, say, table
from ops.errors import Exit, Failure, UsageError
from ops.guess import did_you_mean
from ops.local import embedded, facts, state
from ops.local.follow import lines as followed
from ops.local.state import RunRecord, State

_LAST = 15  # lines of what has ended
LOGS = "Logs: `invoke logs NAME --env local`"


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


def status(catalog: Catalog) -> int:
    """Show a row for each store, job and service, and the last lines of those that have ended. Exit 1 where one has.

    Where all of them have ended without a `down`, that is said too. While they are being started or stopped, nothing counts as ended.
    """
    home = state.of(catalog.root)
    known, record, rows = _seen(catalog, home)
    doing = known.doing if known else ""
    trouble = "" if doing else trouble_of(rows) if record else _lost(known)
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
        say(LOGS)
    return Exit.FAILED if trouble else Exit.DONE


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


def rows_of(catalog: Catalog, home: State) -> list[ProcessRow]:
    """What runs, as values."""
    record = current(catalog, home)
    if record is None:
        return []
    if record.engine == "compose":
        from ops.local import composecontainers

        return [ProcessRow(name, what, 0, port) for name, what, port in composecontainers.rows(catalog, home)]
    states = {name: entry.state if entry.identity.alive or entry.state == "done" else "ended" for name, entry in record.processes.items()}
    return [ProcessRow(name, states[name], entry.identity.pid, entry.port) for name, entry in record.processes.items()]


def current(catalog: Catalog, home: State) -> RunRecord | None:
    """The record of what runs: a live supervisor, or containers."""
    record = state.read(home)
    if record is None:
        return None
    if record.engine == "compose":
        from ops.local import composecontainers

        return record if composecontainers.runs(catalog, home) else None
    return record if record.supervisor.alive else None


def trouble_of(rows: list[ProcessRow]) -> str:
    """What is wrong with all of them, in words; the empty string where nothing is."""
    return ", ".join(row.trouble for row in rows if row.trouble)


def writes(home: State, name: str) -> bool:
    """Whether a process of the embedded engine runs, and may still write."""
    record = embedded.running(home)
    return record is not None and name in record.processes and record.processes[name].identity.alive


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


def _lines(catalog: Catalog, home: State, name: str, tail: int, *, follow: bool = False) -> Iterator[str]:
    """The lines of the engine that ran it last, also of what has ended."""
    record = state.read(home)
    if record and record.engine == "compose":
        from ops.local import composecontainers

        return composecontainers.lines(catalog, home, name, tail, follow)
    if not home.log(name).exists():
        raise Failure(f"reading the logs of {name}", "it has not run on this machine", "`invoke up` starts it.")
    return followed(home.log(name), tail, lambda: follow and has_reader() and writes(home, name))
