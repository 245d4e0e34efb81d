"""The stores of the embedded engine, as processes of this machine. What differs between them is in each kind's file (ops/stores)."""

import contextlib
import os
import subprocess
import sys
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from ops import launch
from ops.catalog import load
from ops.config.local import store_variables
from ops.errors import Failure
from ops.local import ready
from ops.local.ports import free_ports
from ops.local.process import Ending, Process, end, identify, last_lines, start
from ops.local.ready import Probe
from ops.local.state import State, opened
from ops.stores import kind_of
from ops.stores.model import Ping, Place, Wanted
from ops.stores.programs import program

# What a store's program may need from this shell; nothing else of it reaches one.
_KEPT = ("PATH", "HOME", "TMPDIR", "LANG", "TZ", "USER")


def process(state: State, wanted: Wanted) -> Process:
    """The process of a store, its data folder prepared. Raises `Failure` for a store that has no embedded server."""
    kind = wanted.kind or wanted.name
    embedded = kind_of(kind).embedded
    if embedded is None:
        remedy = "Use `--engine compose`, which runs the catalogue's image."
        raise Failure(f"preparing {wanted.name}", f"there is no embedded server for {kind}", remedy)
    server = embedded.server(program(kind), wanted, Place(state.data, state.run, free_ports))
    return Process(
        wanted.name,
        server.argv,
        str(server.data),
        {**_environment(), **server.env},
        probe(server.ping, wanted.port),
        kind="store",
        stop=server.stop,
        user=launch.unprivileged() if server.unprivileged else "",
        port=wanted.port,
        lost=server.lost,
        grace=kind_of(kind).grace,
    )


def probe(ping: Ping, port: int) -> Probe:
    """A store's own way to be asked, as a probe."""
    return Probe("command" if ping.argv else "tcp", port, argv=ping.argv, sends=ping.sends, expects=ping.expects)


def _environment() -> dict[str, str]:
    kept = {name: os.environ[name] for name in _KEPT if name in os.environ}
    return {**kept, "LC_ALL": "C.UTF-8" if sys.platform == "linux" else "C"}


@contextlib.contextmanager
def stores(state: Path, ports: Mapping[str, int] | None = None, names: Iterable[str] | None = None) -> Iterator[dict[str, str]]:
    """Real stores for tests, as long as the context is open; their data goes into the folder `state`.

    Without `names`, all of the catalogue's. Yields the variables that say where each is, as services read them (DATABASE_URL,
    NAME_URL, NAME_HOST, NAME_PORT). Ports that are not given are free ones.
    Raises `Failure` with a store's last log lines when it does not start.
    """
    catalog, home = load(), opened(State(state.absolute()))
    wanted = _wanted(list(catalog.stores if names is None else names), ports or {}, catalog.database.store)
    running: list[Ending] = []
    started: list[tuple[Process, subprocess.Popen[bytes]]] = []
    try:
        for one in wanted:
            store = process(home, one)
            child = start(store, home.log(one.name))
            running.append(Ending(identify(child.pid), store.stop, store.grace))
            started.append((store, child))
        for store, child in started:
            trouble = ready.wait(store.probe, store.env, lambda c=child: c.poll() is not None, 60)  # type: ignore[misc]
            if trouble:
                said = "\n".join([trouble, *last_lines(home.log(store.name))])
                raise Failure(f"starting {store.name}", said, f"Read {home.log(store.name)}.")
        yield {name: value for one in wanted for name, value in store_variables(catalog, one.name, one.access).items()}
    finally:
        end(running)
        for _, child in started:
            child.wait()


def _wanted(names: list[str], ports: Mapping[str, int], database: str) -> list[Wanted]:
    """Of the stores only the database has a password."""
    free = dict(zip(names, free_ports(len(names)), strict=True))
    return [Wanted(name, ports.get(name) or free[name], "test" * (name == database), "test", "test", durable=False) for name in names]
