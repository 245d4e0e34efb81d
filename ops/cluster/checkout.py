"""What a deploy takes from this checkout. It is asked while the cluster is being reached: neither needs the other."""

import threading
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, TypeVar

from ops.catalog import Catalog
from ops.cluster.render import build
from ops.cluster.target import Target
from ops.command import Command, run

if TYPE_CHECKING:
    from ops.images.model import BuildPlan, Engine

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Checkout:
    """Answers that may still be on their way: what kustomize makes of the overlay, the commit, which images are there."""

    overlay: "Future[str]"
    commit: "Future[str]"
    images: "Future[tuple[Engine, BuildPlan]]"


def ask(catalog: Catalog, target: Target) -> Checkout:
    """Begin to ask. Nothing is built or written; an error is raised where its answer is taken."""
    overlay = _begin(partial(build, catalog.root / str(target.environment.overlay)))
    commit = _begin(partial(_commit, catalog))
    # Here, and not in the thread: the client of the cluster imports requests too, and two threads that import modules which
    # import each other can see half of one.
    import docker  # noqa: F401

    from ops.images import verb as images

    return Checkout(overlay, commit, _begin(partial(images.planned, catalog, list(catalog.images), testbed=target.rehearsal)))


def _begin(work: Callable[[], T]) -> "Future[T]":
    """Do it in a thread that nobody waits for at the end: where the cluster does not answer, that is said and all is over."""
    future: Future[T] = Future()

    def work_it() -> None:
        try:
            future.set_result(work())
        except BaseException as error:  # whoever takes the answer gets it
            future.set_exception(error)

    threading.Thread(target=work_it, daemon=True).start()
    return future


def _commit(catalog: Catalog) -> str:
    """The commit that is deployed; with + where the checkout has changes that no commit holds."""
    argv = ("git", "describe", "--always", "--abbrev=40", "--dirty=+", "--exclude=*")
    return run(Command(argv, "asking git for the commit", cwd=catalog.root)).stdout.strip()
