"""The embedded engine: stores and services as processes of this machine, owned by one supervisor."""

import json
import queue
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from ops.catalog import Catalog, Job
from ops.config import local as config
from ops.console import Progress, counted, say
from ops.errors import Failure
from ops.local import builds, plan, servers, state
from ops.local.follow import follow
from ops.local.interrupt import uninterrupted
from ops.local.ports import require_free
from ops.local.process import GRACE, Ending, Process, end, identify
from ops.local.process import start as start_process
from ops.local.state import RunRecord, State
from ops.stores import programs

Event = dict[str, object]


@dataclass(slots=True)
class Platform:
    """A platform that this process started: its supervisor, the events that it still sends, and whether it was told to end."""

    supervisor: subprocess.Popen[str]
    events: "queue.SimpleQueue[Event]"
    told: bool = False


def running(home: State) -> RunRecord | None:
    """The record of a platform whose supervisor runs."""
    record = state.read(home)
    return record if record and record.engine == "embedded" and record.supervisor.alive else None


def leftovers(home: State) -> dict[str, Ending]:
    """Processes that a supervisor left behind when it was killed."""
    record = state.read(home)
    if record is None or record.supervisor.alive:
        return {}
    return _alive(record)


def _alive(record: RunRecord) -> dict[str, Ending]:
    return {name: entry.ending for name, entry in record.processes.items() if entry.identity.alive}


def clear(home: State) -> int:
    """End what a killed supervisor left, and return how many processes that were. Raises `Failure` when one does not end."""
    found = leftovers(home)
    if left := end(found.values(), lambda: _say_slow(home)):
        pids = ", ".join(str(identity.pid) for identity in left)
        raise Failure("ending what an earlier run left", f"processes {pids} do not end", f"kill -9 {pids.replace(',', '')}")
    if state.read(home) and not running(home):
        home.record.unlink(missing_ok=True)
    return len(found)


def start(catalog: Catalog, home: State) -> Platform:
    """Build what has changed, start everything, and return when all is ready.

    Raises `Failure` with the last log lines when something does not come up; then nothing runs.
    """
    if count := clear(home):
        say(f"ended {counted(count, 'process', 'processes')} that an earlier run had left behind")
    programs.require(dict.fromkeys(store.kind for store in catalog.stores.values()))  # before anything is built
    require_free(plan.ports(catalog), home)
    setting = setting_of(catalog, home)
    with Progress() as progress:
        built = builds.build(catalog, home, lambda name, what, done: progress.update(name, what, done=done))
        stores: dict[str, Process] = {}
        for wanted in plan.wanted_stores(catalog, setting):
            stores[wanted.name] = servers.process(home, wanted)
        platform = _supervise(home, config.page(catalog), plan.processes(catalog, stores, built, setting))
        _await(platform, home, progress)
    return platform


def setting_of(catalog: Catalog, home: State) -> config.Setting:
    """What the services' variables are derived from, with everything on this machine's loopback."""
    secrets = config.kept_secrets(catalog, home.secrets)
    return config.Setting(config.on_this_machine(catalog), secrets, config.overrides(catalog), "127.0.0.1")


def run_job(catalog: Catalog, home: State, job: Job) -> int:
    """Build a job, run it to its end beside the platform that runs, its lines shown and kept as its log, and return its exit code.

    Ctrl-C ends it.
    """
    with Progress() as progress:
        built = builds.build(catalog, home, lambda name, what, done: progress.update(name, what, done=done), [job])
    process, log = plan.job(catalog, job, built[job.name], setting_of(catalog, home)), home.log(job.name)
    if log.exists():
        log.replace(log.with_suffix(".log.1"))
    child = start_process(process, log)
    try:
        follow({job.name: log}, lambda: child.poll() is None)
        return child.wait()
    finally:
        with uninterrupted():
            end([Ending(identify(child.pid), process.stop)])  # where it runs still


def _supervise(home: State, address: str, processes: list[Process]) -> Platform:
    document = {"state": str(home.folder), "address": address, "processes": [process.document() for process in processes]}
    root = Path(__file__).resolve().parents[2]
    with home.log("supervisor").open("wb") as log:
        supervisor = subprocess.Popen(
            (sys.executable, "-m", "ops.local.supervisor"),
            cwd=root,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
            start_new_session=True,  # Ctrl-C here must not reach the stores before the services
        )
    assert supervisor.stdin
    supervisor.stdin.write(json.dumps(document))
    supervisor.stdin.close()
    events: queue.SimpleQueue[Event] = queue.SimpleQueue()
    threading.Thread(target=_read_events, args=(supervisor, events), daemon=True).start()
    return Platform(supervisor, events)


def _read_events(supervisor: subprocess.Popen[str], events: "queue.SimpleQueue[Event]") -> None:
    assert supervisor.stdout
    for line in supervisor.stdout:
        events.put(json.loads(line))
    events.put({"event": "gone"})


def _await(platform: Platform, home: State, progress: Progress) -> None:
    try:
        for event in _each(platform):
            name = str(event.get("name", ""))
            match event["event"]:
                case "starting":
                    progress.update(name, "starting")
                case "ready" | "done":
                    progress.update(name, f"{event['event']} after {event['seconds']} s", done=True)
                case "up":
                    return
                case "failed":
                    raise Failure(f"starting {name}", _cause(event), f"Its whole log: {home.log(name)}. Everything was stopped again.")
                case "stopped" | "gone":
                    said = "\n".join(["it was stopped before all was ready", *_tail(home)])
                    raise Failure("starting the platform", said, "Run `invoke up` again.")
    except KeyboardInterrupt:
        with uninterrupted():
            platform.supervisor.terminate()  # it may have had no time yet to write its record
            stop(home)
            platform.supervisor.wait()
        raise


def _each(platform: Platform) -> Iterator[Event]:
    while True:
        yield platform.events.get()


def _cause(event: Event) -> str:
    lines = event.get("lines")
    said = [str(line) for line in lines] if isinstance(lines, list) else []
    return "\n".join(
        [f"{event['name']} {event['cause']}; its last lines:" if said else f"{event['name']} {event['cause']}; it wrote nothing", *said]
    )


def _tail(home: State) -> list[str]:
    from ops.local.process import last_lines

    return last_lines(home.log("supervisor"))


def attend(catalog: Catalog, home: State, platform: Platform, pressed: list[int]) -> None:
    """Show the logs until the supervisor ends, or Ctrl-C (it may be `pressed` already): then everything is stopped.

    Raises `Failure` where it ended without being told to.
    """

    def going() -> bool:
        if pressed:
            raise KeyboardInterrupt
        return _still(platform)

    names = [*catalog.stores, catalog.database.job, *catalog.services]
    try:
        follow({name: home.log(name) for name in names}, going, from_end=True)
        if not platform.told:
            cause = f"its supervisor, process {platform.supervisor.pid}, has ended without being told to"
            raise Failure("running the platform", cause, "`invoke up` starts everything again; the data stays.")
        say("the platform was stopped from elsewhere")
    except KeyboardInterrupt:
        with uninterrupted():
            say("stopping …")
            stop(home)


def _still(platform: Platform) -> bool:
    while not platform.events.empty():
        event = platform.events.get()
        if event["event"] == "ended":
            say(_ended(event), "bold red")
        elif event["event"] == "stopping":
            platform.told = True
        elif event["event"] == "gone":
            return False
    return True


def _ended(event: Event) -> str:
    """The last lines with their name, and the name again at the end: the others' lines go on below, and above."""
    name = event["name"]
    first, *lines = _cause(event).splitlines()
    last = f"{name} has ended; the others go on: Ctrl-C and `invoke up` start everything again."
    return "\n".join([first, *(f"{name} | {line}" for line in lines), last])


def _say_slow(home: State) -> None:
    if (record := state.read(home)) and (left := _alive(record)):
        seconds = max(ending.grace for ending in left.values())
        say(f"waiting for {', '.join(left)} to end, for at most {seconds:g} s: a slow disk takes time to write to")


def stop(home: State) -> int:
    """End everything, and return how many processes there were. Raises `Failure` when one does not end."""
    record = state.read(home)
    if record is None:
        return 0
    everyone = _alive(record)
    count = len(everyone) + record.supervisor.alive
    # The supervisor ends services before stores. It takes as long as the slowest of both: then what is left is ended from here.
    seconds = GRACE + max((ending.grace for ending in everyone.values()), default=0) + 15
    left = end([Ending(record.supervisor, grace=seconds, whole=False)], lambda: _say_slow(home))
    left += end(everyone.values(), lambda: _say_slow(home))
    if left:
        pids = " ".join(str(identity.pid) for identity in left)
        raise Failure("stopping the platform", f"processes {pids} do not end", f"kill -9 {pids}")
    home.record.unlink(missing_ok=True)
    return count
