"""How this machine connects to an environment's database: its connection string, and a forwarded port where it is in a cluster."""

from base64 import b64decode
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from ops.catalog import Catalog
from ops.database.connect import moved
from ops.errors import Failure
from ops.secret import Secret
from ops.verbs.target import resolved

if TYPE_CHECKING:
    from ops.cluster.target import Target

VARIABLE = "DATABASE_URL"


@contextmanager
def database_address(catalog: Catalog, env: str, *, testbed: bool = False) -> Iterator[Secret]:
    """A connection string that works on this machine as long as the block runs.

    For `local`: the platform that runs here. Else the Secret of the migration job, through the store's Service.
    """
    from ops.kube.kubectl import forward

    known = catalog.environments.get(env)
    if known is not None and known.kind == "local" and not testbed:
        yield _local(catalog)
        return
    _, target = resolved(env, testbed, catalog)
    inside = _secret(catalog, target)
    store = catalog.stores[catalog.database.store]
    with forward(target, store.namespace, f"service/{store.name}", store.port) as port:
        yield moved(inside, "127.0.0.1", port)


def _local(catalog: Catalog) -> Secret:
    from ops.config import local
    from ops.local import state

    home = state.opened(state.of(catalog.root))
    setting = local.Setting(
        local.on_this_machine(catalog), local.kept_secrets(catalog, home.secrets), local.overrides(catalog), "127.0.0.1"
    )
    return local.environment(catalog, catalog.database.job, setting)[VARIABLE]


def _secret(catalog: Catalog, target: "Target") -> Secret:
    from ops.config.local import secret_name
    from ops.kube.connect import connect

    job = catalog.jobs[catalog.database.job]
    name = secret_name(job.name)
    with connect(target) as client:
        resource = client.resource("v1", "Secret")
        found = client.get(resource, job.namespace, name) if resource else None
    data = (found or {}).get("data")
    value = data.get(VARIABLE) if isinstance(data, dict) else None
    if not isinstance(value, str):
        cause = f"{target.context} has no {VARIABLE} in Secret {name} of namespace {job.namespace}"
        raise Failure(f"reading the database's address of {target.environment.name}", cause, f"Deploy {target.environment.name} first.")
    try:
        return Secret(b64decode(value, validate=True).decode())
    except ValueError:  # its message would show what could not be decoded
        cause = f"{VARIABLE} in Secret {name} of namespace {job.namespace} is not text in base64"
        raise Failure(f"reading the database's address of {target.environment.name}", cause, "Correct the Secret.") from None
