"""What `--env` and `--testbed` mean: the one place that resolves them."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from ops.catalog import Catalog, load
from ops.errors import Failure

if TYPE_CHECKING:  # at run time each verb imports only what it needs: imports are most of its start-up time
    from ops.cluster.target import Target
    from ops.kube.client import Client
    from ops.testbed.model import Testbed


def running_testbed(flag: bool) -> "Testbed | None":
    """The running testbed where `--testbed` was given, else None. Raises `Failure` where it was given and none runs.

    One that the environment names is not asked here: the verb asks it at once, tries again what may pass, and says who does not answer.
    """
    if not flag:
        return None
    from ops import testbed
    from ops.testbed import existing

    found = existing.value() if existing.named(os.environ) else testbed.running()
    if found is None:
        raise Failure("looking for the testbed", "no testbed runs on this machine", "Start it: `invoke testbed.up`.")
    return found


def is_here(catalog: Catalog, env: str, testbed: bool) -> bool:
    """Whether the environment is this machine. Raises `UsageError` for one that there is not."""
    if env not in catalog.environments:
        from ops.cluster.target import no_environment

        raise no_environment(env, catalog.environments)
    return not testbed and catalog.environments[env].kind == "local"


def resolved(env: str, testbed: bool, catalog: Catalog | None = None) -> "tuple[Catalog, Target]":
    """The catalogue, and the cluster that an environment means: its own, or the testbed in its place."""
    from ops.cluster.target import resolve_target

    catalog = catalog or load()
    return catalog, resolve_target(catalog, env, running_testbed(testbed))


@contextmanager
def connected(env: str, testbed: bool, catalog: Catalog | None = None) -> "Iterator[tuple[Catalog, Client, Target]]":
    """The catalogue, and an open connection to the environment's cluster."""
    from ops.kube.connect import connect

    catalog, target = resolved(env, testbed, catalog)
    with connect(target) as client:
        yield catalog, client, target
