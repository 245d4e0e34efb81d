"""`up` and `down` of the platform on this machine: which engine, then its story."""

import contextlib
import shutil
import signal
from collections.abc import Callable, Iterator
from functools import partial
from types import FrameType

from ops.catalog import Catalog
from ops.config import local as config
from ops.console import confirm, counted, emit_json, machine_readable, say
from ops.errors import Exit, Failure
from ops.exclusive import exclusive
from ops.local import embedded, facts, state
from ops.local.interrupt import handled, uninterrupted
from ops.local.state import RunRecord, State
from ops.verbs.local import LOGS, current, rows_of, trouble_of


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
            with exclusive(home.lock, "another `up` or `down` is at work; waiting for it", say), _remaining_named(home):
                started = _started(catalog, home, engine)
                if isinstance(started, RunRecord):
                    return _runs_already(started)
                choice, attend = started
                _announce(catalog, choice)
            if detach:
                say("It runs in the background; `invoke down` stops it.")
                say(LOGS)
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
        if not (trouble := trouble_of(rows_of(catalog, home))):
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
    from ops.local import compose, composecontainers

    record = state.read(home)
    if (
        (record and record.engine == "compose")
        or (not record and composecontainers.runs(catalog, home))
        or (volumes and composecontainers.leaves(catalog, home))
    ):
        embedded_too = record if record and record.engine == "embedded" else None
        count = compose.stop(catalog, home, volumes=volumes, forget=embedded_too is None)
        return "" if embedded_too else _some(count, "container")
    return ""


def _some(count: int, *noun: str) -> str:
    return counted(count, *noun) if count else ""


def _remove(catalog: Catalog, home: State) -> str:
    """Remove what the state folder holds. What an `up` has started since, while it had the lock, is stopped before."""
    with exclusive(home.lock, "another `up` is at work; waiting for it", say):
        stopped = _stop(catalog, home, volumes=True)
        for part in (home.data, home.logs, home.run):
            shutil.rmtree(part, ignore_errors=True)
        with state.building(home):
            shutil.rmtree(home.build, ignore_errors=True)
        for file in (home.secrets, home.password, home.checkout):
            file.unlink(missing_ok=True)
    return stopped


def _refuse_another(record: RunRecord, engine: str | None) -> None:
    if engine and engine != record.engine:
        raise Failure("starting the platform", f"it runs already, on the {record.engine} engine", "Run `invoke down` first.")


def _runs_already(record: RunRecord) -> int:
    say(f"runs already on the {record.engine} engine: {record.address}")
    say("To run changed code: `invoke down`, then `invoke up`.")
    say(LOGS)
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
