"""The way to an environment's database from this machine: its connection string, and a forwarded port where it lies in a cluster."""

import socket
import subprocess
import tempfile
import time
from base64 import b64decode
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from ops.catalog import Catalog, Store
from ops.errors import Failure
from ops.secret import Secret

if TYPE_CHECKING:
    from ops.cluster.target import Target

VARIABLE = "DATABASE_URL"
READY_SECONDS = 15.0


@contextmanager
def reached(catalog: Catalog, env: str, *, testbed: bool = False) -> Iterator[Secret]:
    """A connection string that works on this machine as long as the block runs.

    For `local`: the platform that runs here. Else the Secret of the migration job, through the store's Service.
    """
    known = catalog.environments.get(env)
    if known is not None and known.kind == "local":
        yield _local(catalog)
        return
    target = _target(catalog, env, testbed=testbed)
    inside = _secret(catalog, target)
    with _forwarded(target, catalog.stores[catalog.database.store]) as port:
        yield _moved(inside, port)


def _local(catalog: Catalog) -> Secret:
    from ops.config import local
    from ops.local import state

    home = state.opened(state.of(catalog.root))
    setting = local.Setting(
        local.on_this_machine(catalog), local.kept_secrets(catalog, home.secrets), local.overrides(catalog), "127.0.0.1"
    )
    return local.environment(catalog, catalog.database.job, setting)[VARIABLE]


def _target(catalog: Catalog, env: str, *, testbed: bool) -> "Target":
    from ops.cluster.target import resolve_target

    if not testbed:
        return resolve_target(catalog, env)
    from ops import testbed as beds

    bed = beds.running()
    if bed is None:
        raise Failure("looking for the testbed", "it does not run", "Run `invoke testbed.up`, then this again.")
    return resolve_target(catalog, env, bed)


def _secret(catalog: Catalog, target: "Target") -> Secret:
    from ops.cluster.connect import connect

    job = catalog.jobs[catalog.database.job]
    name = f"{job.name}-secrets"
    with connect(target) as client:
        resource = client.resource("v1", "Secret")
        found = client.get(resource, job.namespace, name) if resource else None
    data = (found or {}).get("data")
    value = data.get(VARIABLE) if isinstance(data, dict) else None
    if not isinstance(value, str):
        cause = f"{target.context} has no {VARIABLE} in Secret {name} of namespace {job.namespace}"
        raise Failure(f"reading the database's address of {target.environment.name}", cause, f"Deploy {target.environment.name} first.")
    return Secret(b64decode(value).decode())


@contextmanager
def _forwarded(target: "Target", store: Store) -> Iterator[int]:
    """A port of this machine that leads to the store in the cluster, by kubectl, which ends with the block."""
    port = _free_port()
    argv = [*_kubectl(target), "--context", target.context, "--namespace", store.namespace]
    argv += ["port-forward", "--address", "127.0.0.1", f"service/{store.name}", f"{port}:{store.port}"]
    with tempfile.TemporaryFile("w+") as said:
        child = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=said, stderr=said)
        try:
            _await(child, port, f"forwarding a port to {store.name} in {target.context}", said.fileno())
            yield port
        finally:
            child.terminate()
            child.wait()


def _kubectl(target: "Target") -> list[str]:
    from ops import tools

    program = [str(target.kubectl)] if target.kubectl else list(tools.find("kubectl").argv)
    return [*program, "--kubeconfig", str(target.kubeconfig)] if target.kubeconfig else program


def _await(child: "subprocess.Popen[bytes]", port: int, doing: str, said: int) -> None:
    deadline = time.monotonic() + READY_SECONDS
    while True:
        if child.poll() is not None or time.monotonic() > deadline:
            text = _text(said) or f"no answer within {READY_SECONDS:g} s"
            raise Failure(doing, text, "Look at the store's pod: `invoke status` shows it.")
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            time.sleep(0.05)
        else:
            return


def _text(descriptor: int) -> str:
    import os

    return os.pread(descriptor, 4096, 0).decode(errors="replace").strip()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _moved(dsn: Secret, port: int) -> Secret:
    """The same database, reached on a port of this machine."""
    from psycopg.conninfo import make_conninfo

    return Secret(make_conninfo(dsn.reveal(), host="127.0.0.1", port=port))
