"""What a deploy takes from this checkout: its commit, overlay, migrations and images.

All of it is read in the background while the connection to the cluster is opened: neither depends on the other.
"""

from collections.abc import Mapping
from concurrent.futures import Future
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from ops.background import begin
from ops.catalog import Catalog
from ops.cluster.record import RecordedMigration
from ops.cluster.schema import migrations_of
from ops.cluster.target import Target
from ops.command import Command, run
from ops.console import say
from ops.errors import Refused
from ops.manifests.render import build

if TYPE_CHECKING:
    from ops.images.model import BuildEngine, BuildPlan
    from ops.release.facts import Tagged

CHANGED = "+"


@dataclass(frozen=True, slots=True)
class CheckoutState:
    """What git says about a checkout: the commit, and the changes that are not committed (`git status`)."""

    head: str
    changes: str

    @property
    def commit(self) -> str:
        """The commit that is deployed, with + at its end where there are uncommitted changes."""
        return self.head + (CHANGED if self.changes else "")


@dataclass(frozen=True, slots=True)
class Checkout:
    """What a deploy needs of the checkout, each part computed in the background.

    `images` is the release whose images are deployed, or else the engine and the plan of what must be built.
    `overlay` is what kustomize renders. It is None where kustomize itself must be built first: that takes minutes, so it waits
    until the cluster has answered.
    """

    overlay: "Future[str] | None"
    state: "Future[CheckoutState]"
    migrations: "Future[tuple[RecordedMigration, ...]]"
    images: "Future[Tagged | tuple[BuildEngine, BuildPlan]]"


def begin_reading(catalog: Catalog, target: Target) -> Checkout:
    """Read the checkout in the background. Nothing is built or written; an error is raised by `result()` of the part that has it."""
    from ops.tools.find import here

    overlay = begin(partial(build, catalog.root / str(target.environment.overlay))) if here("kustomize") else None
    state = begin(partial(_state, catalog))
    # Imported here, and not in a thread: the cluster's client imports requests too. Two threads that import modules which import
    # each other can get one that is only half initialised.
    import docker  # noqa: F401

    from ops.release import facts  # noqa: F401
    from ops.verbs import build as images  # noqa: F401

    return Checkout(overlay, state, begin(partial(migrations_of, catalog)), begin(partial(_images, catalog, target, state)))


def published(catalog: Catalog, checkout: Checkout) -> tuple[Mapping[str, str], str]:
    """The digest of each image, and the version of the release that they belong to (empty where the checkout is no release).

    A checkout that is no release has its missing images built and pushed first. Raises `Refused` where its commit or its changed
    files are others after the build than before.
    """
    from ops.verbs import build as images

    found = checkout.images.result()
    if isinstance(found, tuple):
        digests = images.publish(*found)
        if found[1].missing:  # building takes minutes, in which files may change
            check_unmoved(catalog, checkout.state.result())
        return digests, ""
    say(f"This checkout is release {found.tag}: the images that its tag names are deployed, and none is built.")
    return {name: found.digests[catalog.repository(name)] for name in catalog.images}, found.version


def check_unmoved(catalog: Catalog, before: CheckoutState) -> None:
    """Raise `Refused` where the checkout has changed since `before`: everything that is deployed must come from one commit."""
    now = _state(catalog)
    if now != before:
        was, is_now = (f"{state.head[:7]}{' with changes' if state.changes else ''}" for state in (before, now))
        cause = f"the checkout was changed while images were built: it was at {was}, and is at {is_now}"
        raise Refused("reading the checkout", cause, "Run it again: the images that were built are kept.")


def _images(catalog: Catalog, target: Target, state: "Future[CheckoutState]") -> "Tagged | tuple[BuildEngine, BuildPlan]":
    """The release that this checkout is, when the registry has its images; else the engine and the plan of what must be built.

    A release must run the images that were checked under its tag. Building its files again might give another digest, since the
    tags of base images move. Raises `Refused` where the registry lacks one of them; for a testbed they are built instead.
    """
    from ops.release.facts import tagged
    from ops.verbs import build as images

    release = tagged(catalog.root)
    changed = bool(state.result().changes)
    if release and changed and target.environment.protected and not target.rehearsal:
        cause = f"the checkout has changes that {release.tag} does not have (`git status`), so other images would be built and deployed"
        raise Refused(f"choosing the images of {release.tag}", cause, "Commit them and release, or deploy from a clean checkout.")
    if release and not changed:
        lacking = _lacking(catalog, images.engine_of(catalog, testbed=target.rehearsal), release)
        if not lacking:
            return release
        if not target.rehearsal:
            remedy = "Run `invoke build --push` here, which gives the same digests while the base images are the same; else release again."
            raise Refused(f"choosing the images of {release.tag}", "\n".join(lacking), remedy)
    return images.planned(catalog, list(catalog.images), testbed=target.rehearsal)


def _lacking(catalog: Catalog, engine: "BuildEngine", release: "Tagged") -> list[str]:
    """Why an image of the release cannot be deployed, a line each."""
    from ops.images.facts import present

    digests = {name: release.digests.get(catalog.repository(name)) for name in catalog.images}
    references = {name: f"{engine.registry}/{catalog.prefix}/{name}@{digest}" for name, digest in digests.items() if digest}
    there = present(list(references.values()), engine, push=True)
    unnamed = [f"the tag names no digest for {name}" for name, digest in digests.items() if not digest]
    return [*unnamed, *(f"the registry does not have {reference}" for reference in references.values() if not there[reference])]


def _state(catalog: Catalog) -> CheckoutState:
    # `git describe --dirty` would not see files that git does not track, and they go into images.
    asked = (("git", "rev-parse", "HEAD"), ("git", "status", "--porcelain", "--untracked-files=normal"))
    head, changes = (run(Command(argv, "asking git for the commit", cwd=catalog.root)).stdout.strip() for argv in asked)
    return CheckoutState(head, changes)
