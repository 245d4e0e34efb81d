"""What a deploy takes from this checkout. It is asked while the cluster is being reached: neither needs the other."""

from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial

from ops.catalog import Catalog
from ops.cluster.render import build
from ops.cluster.target import Target
from ops.command import Command, run
from ops.images.model import BuildPlan, Engine


@dataclass(frozen=True, slots=True)
class Checkout:
    """Answers that may still be on their way: what kustomize makes of the overlay, the commit, which images are there."""

    overlay: "Future[str]"
    commit: "Future[str]"
    images: "Future[tuple[Engine, BuildPlan]]"


@contextmanager
def asked(catalog: Catalog, target: Target) -> Iterator[Checkout]:
    """Begin to ask. Nothing is built or written; an error is raised where its answer is taken."""
    pool = ThreadPoolExecutor(3, thread_name_prefix="checkout")
    try:
        overlay = pool.submit(build, catalog.root / str(target.environment.overlay))
        commit = pool.submit(_commit, catalog)
        # Here, and not in the thread: the client of the cluster imports requests too, and two threads that import modules
        # which import each other can see half of one.
        import docker  # noqa: F401

        from ops.images import verb as images

        yield Checkout(overlay, commit, pool.submit(partial(images.planned, catalog, list(catalog.images), testbed=target.rehearsal)))
    finally:
        pool.shutdown(wait=False, cancel_futures=True)


def _commit(catalog: Catalog) -> str:
    """The commit that is deployed; with + where the checkout has changes that no commit holds."""
    argv = ("git", "describe", "--always", "--abbrev=40", "--dirty=+", "--exclude=*")
    return run(Command(argv, "asking git for the commit", cwd=catalog.root)).stdout.strip()
