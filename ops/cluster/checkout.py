"""What a deploy takes from this checkout. It is asked while the cluster is being reached: neither needs the other."""

from concurrent.futures import Future
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from ops.background import begin
from ops.catalog import Catalog
from ops.cluster.render import build
from ops.cluster.target import Target
from ops.command import Command, run

if TYPE_CHECKING:
    from ops.images.model import BuildPlan, Engine


@dataclass(frozen=True, slots=True)
class Checkout:
    """Answers that may still be on their way: what kustomize makes of the overlay, the commit, which images are there.

    `overlay` is None where kustomize must first be built: that takes minutes, and a cluster that does not answer is told at once.
    """

    overlay: "Future[str] | None"
    commit: "Future[str]"
    images: "Future[tuple[Engine, BuildPlan]]"


def ask(catalog: Catalog, target: Target) -> Checkout:
    """Begin to ask. Nothing is built or written; an error is raised where its answer is taken."""
    from ops.tools.find import here

    overlay = begin(partial(build, catalog.root / str(target.environment.overlay))) if here("kustomize") else None
    commit = begin(partial(_commit, catalog))
    # Here, and not in the thread: the client of the cluster imports requests too, and two threads that import modules which
    # import each other can see half of one.
    import docker  # noqa: F401

    from ops.images import verb as images

    return Checkout(overlay, commit, begin(partial(images.planned, catalog, list(catalog.images), testbed=target.rehearsal)))


def _commit(catalog: Catalog) -> str:
    """The commit that is deployed; with + where the checkout has changes that no commit holds."""
    argv = ("git", "describe", "--always", "--abbrev=40", "--dirty=+", "--exclude=*")
    return run(Command(argv, "asking git for the commit", cwd=catalog.root)).stdout.strip()
