"""What a deploy takes from this checkout. It is asked while the cluster is being reached: neither needs the other."""

from collections.abc import Mapping
from concurrent.futures import Future
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from ops.background import begin
from ops.catalog import Catalog
from ops.cluster.record import Migration
from ops.cluster.schema import migrations_of
from ops.cluster.target import Target
from ops.command import Command, run
from ops.console import say
from ops.errors import Refused
from ops.manifests.render import build

if TYPE_CHECKING:
    from ops.images.model import BuildPlan, Engine
    from ops.release.facts import Tagged

CHANGED = "+"


@dataclass(frozen=True, slots=True)
class State:
    """What git says of a checkout: the commit, and what has changed that no commit holds (`git status`)."""

    head: str
    changes: str

    @property
    def commit(self) -> str:
        """The commit that is deployed; with + where there are changes."""
        return self.head + (CHANGED if self.changes else "")


@dataclass(frozen=True, slots=True)
class Checkout:
    """Answers that may still be on their way: what kustomize makes of the overlay, what git says, the migrations, the release whose
    images are deployed or else which images are there.

    `overlay` is None where kustomize must first be built: that takes minutes, and a cluster that does not answer is told at once.
    """

    overlay: "Future[str] | None"
    state: "Future[State]"
    migrations: "Future[tuple[Migration, ...]]"
    images: "Future[Tagged | tuple[Engine, BuildPlan]]"


def ask(catalog: Catalog, target: Target) -> Checkout:
    """Begin to ask. Nothing is built or written; an error is raised where its answer is taken."""
    from ops.tools.find import here

    overlay = begin(partial(build, catalog.root / str(target.environment.overlay))) if here("kustomize") else None
    state = begin(partial(_state, catalog))
    # Here, and not in a thread: the client of the cluster imports requests too, and two threads that import modules which
    # import each other can see half of one.
    import docker  # noqa: F401

    from ops.release import facts  # noqa: F401
    from ops.verbs import build as images  # noqa: F401

    return Checkout(overlay, state, begin(partial(migrations_of, catalog)), begin(partial(_images, catalog, target, state)))


def published(catalog: Catalog, checkout: Checkout) -> tuple[Mapping[str, str], str]:
    """The digest of each image, and the version of the release that they are of. What is no release is built first, where it must be.

    Raises `Refused` where the checkout has another commit, or other changed files, when they are built than when it was asked.
    """
    from ops.verbs import build as images

    found = checkout.images.result()
    if isinstance(found, tuple):
        digests = images.publish(*found)
        if found[1].missing:  # that took its time
            check_unmoved(catalog, checkout.state.result())
        return digests, ""
    say(f"This checkout is {found.tag}: its images, by digest.")
    return {name: found.digests[catalog.repository(name)] for name in catalog.images}, found.version


def check_unmoved(catalog: Catalog, before: State) -> None:
    """What was asked first is that of the beginning: what else is deployed must not be another commit's. Raises `Refused` where it is."""
    now = _state(catalog)
    if now != before:
        was, is_now = (f"{state.head[:7]}{' with changes' if state.changes else ''}" for state in (before, now))
        cause = f"the checkout was changed while things were built: it was at {was}, and is at {is_now}"
        raise Refused("taking what is deployed from the checkout", cause, "Run it again: what was built is kept.")


def _images(catalog: Catalog, target: Target, state: "Future[State]") -> "Tagged | tuple[Engine, BuildPlan]":
    """The release that this checkout is, whose images the registry has; else what its files make.

    A release must run what was checked under its tag, and its files might make another digest today: base images move.
    Raises `Refused` where the registry has not got them. A testbed need not have them: there they are built.
    """
    from ops.release.facts import tagged
    from ops.verbs import build as images

    release = tagged(catalog.root)
    changed = bool(state.result().changes)
    if release and changed and target.environment.protected and not target.rehearsal:
        cause = f"the checkout has changes that {release.tag} has not (`git status`), so other images would be built and deployed"
        raise Refused(f"taking the images of {release.tag}", cause, "Commit them and release, or deploy from a clean checkout.")
    if release and not changed:
        lacking = _lacking(catalog, images.engine_of(catalog, testbed=target.rehearsal), release)
        if not lacking:
            return release
        if not target.rehearsal:
            remedy = "`invoke build --push` here makes the same digests while the base images are the same; else release again."
            raise Refused(f"taking the images of {release.tag}", "\n".join(lacking), remedy)
    return images.planned(catalog, list(catalog.images), testbed=target.rehearsal)


def _lacking(catalog: Catalog, engine: "Engine", release: "Tagged") -> list[str]:
    """Why an image of the release cannot be deployed, a line each."""
    from ops.images.facts import present

    digests = {name: release.digests.get(catalog.repository(name)) for name in catalog.images}
    references = {name: f"{engine.registry}/{catalog.prefix}/{name}@{digest}" for name, digest in digests.items() if digest}
    there = present(list(references.values()), engine, push=True)
    unnamed = [f"the tag names no digest for {name}" for name, digest in digests.items() if not digest]
    return [*unnamed, *(f"the registry has not got {reference}" for reference in references.values() if not there[reference])]


def _state(catalog: Catalog) -> State:
    # `git describe --dirty` would not see files that git does not track, and they go into images.
    asked = (("git", "rev-parse", "HEAD"), ("git", "status", "--porcelain", "--untracked-files=normal"))
    head, changes = (run(Command(argv, "asking git for the commit", cwd=catalog.root)).stdout.strip() for argv in asked)
    return State(head, changes)
