"""`connect`, `psql`: a store's own client program, with standard input and output joined to it."""

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Mapping

from ops import stores
from ops.catalog import Catalog, Store
from ops.errors import Failure, UsageError
from ops.guess import did_you_mean
from ops.kube.cluster import ClusterAccess
from ops.kube.kubectl import QUESTION_TIMEOUT, join, kubectl
from ops.stores.model import Access, ClientProgram
from ops.verbs.target import is_here, resolved


def connect(catalog: Catalog, name: str, env: str, *, testbed: bool) -> int:
    """Run the client program of a store: in its container, or beside its process on this machine. Returns the program's exit code."""
    store = catalog.stores.get(name)
    if store is None:
        remedy = f"One of: {', '.join(catalog.stores)}{did_you_mean(name, catalog.stores)}."
        raise UsageError(f"connecting to {name}", f"platform.yaml has no store {name!r}", remedy)
    known = stores.of(store)
    if known.client is None:
        cause = f"{known.title} has no client program for a terminal"
        raise UsageError(f"connecting to {name}", cause, f"Its users connect to port {store.port}: see ops/stores/{name}.py.")
    if is_here(catalog, env, testbed):
        return _here(catalog, store, known.client)
    _, target = resolved(env, testbed, catalog)
    return join(target, in_pod(catalog, store, known.client, target, terminal=sys.stdin.isatty()), f"connecting to {name}")


def in_pod(catalog: Catalog, store: Store, client: ClientProgram, cluster: ClusterAccess, *, terminal: bool) -> tuple[str, ...]:
    """kubectl's argv: the client program in the store's pod, which has the password among its own variables."""
    inside = Access(f"{store.name}.{store.namespace}", store.port, catalog.database.user, catalog.database.name)
    streams = ("--stdin", "--tty") if terminal else ("--stdin",)
    where = (f"--namespace={store.namespace}", f"statefulset/{store.name}", f"--container={store.name}")
    return (*kubectl(cluster), "exec", QUESTION_TIMEOUT, "--quiet", *streams, *where, "--", *client.inside(inside))


def _here(catalog: Catalog, store: Store, client: ClientProgram) -> int:
    from ops.config.local import access
    from ops.local import compose, embedded, state
    from ops.stores.programs import program
    from ops.verbs.local import current

    home = state.of(catalog.root)
    record = current(catalog, home)
    if record is None:
        raise Failure(f"connecting to {store.name}", "the platform does not run on this machine", "Run `invoke up` first.")
    if record.engine == "compose":
        inside = access(catalog, store.name, compose.setting_of(catalog, home))
        command = compose.inside(catalog, home, store.name, client.inside(inside), terminal=sys.stdin.isatty())
        return _joined(command.argv, command.env)
    argv, own = client.here(program(store.kind), access(catalog, store.name, embedded.setting_of(catalog, home)))
    if shutil.which(argv[0]) is None:
        remedy = "Install it, so that it is on PATH; or run the platform with `invoke up --engine compose`, whose container has it."
        raise Failure(f"connecting to {store.name}", f"there is no {argv[0]} on this machine", remedy)
    return _joined(argv, own)


def _joined(argv: tuple[str, ...], own: Mapping[str, str]) -> int:
    """Run a program that has the terminal, Ctrl-C too: it ends a query there, and not this process."""
    before = signal.signal(signal.SIGINT, lambda *_: None)
    try:
        return subprocess.run(argv, env={**os.environ, **own}, check=False).returncode
    finally:
        signal.signal(signal.SIGINT, before)
