"""Building every service that runs as a process of this machine, where its files have changed."""

import os
from collections.abc import Callable, Collection
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from pathlib import Path

from ops.catalog import Catalog, Image
from ops.command import Command
from ops.errors import Failure
from ops.local.inputs import key
from ops.local.interrupt import Children, uninterrupted
from ops.local.state import State, building
from ops.stacks import BuildPlace, Built, Recipe, kind_of
from ops.tools import find

SayState = Callable[[str, str, bool], None]  # (service, what it is doing, whether that is its end)


def build(catalog: Catalog, state: State, say: SayState, images: Collection[Image] | None = None) -> dict[str, Built]:
    """Build every service (or `images`, which may be jobs) whose files have changed since the last time, as many at once as cores.

    One at a time in a build folder, whoever else has a link to it. Ctrl-C ends the builds.
    Raises `Failure` with the first failed build's last lines, or naming the missing tool, when all running builds have ended.
    """
    with building(state):
        state.build.resolve().mkdir(mode=0o700, parents=True, exist_ok=True)  # a `down --volumes` may have had the lock
        return _build_all(catalog, state, say, catalog.services.values() if images is None else images)


def _build_all(catalog: Catalog, state: State, say: SayState, images: Collection[Image]) -> dict[str, Built]:
    recipes = {image.name: recipe(catalog, state, image) for image in images}
    children = Children()
    with ThreadPoolExecutor(max_workers=max(2, os.cpu_count() or 2)) as pool:
        try:
            # First in the queue, so that the builds that wait for it can never keep it from running.
            packages = pool.submit(_packages, catalog, state, children, say) if any(r.workspace for r in recipes.values()) else None
            builds = []
            for image in images:
                made = recipes[image.name]
                work = partial(_build, catalog, state, image, made, children=children, say=say)
                builds.append(pool.submit(_after, packages if made.workspace else None, work))
            for future in builds:
                future.result()
        except BaseException as error:
            with uninterrupted():
                pool.shutdown(wait=False, cancel_futures=True)  # leaving the pool would first start what waits in its queue
                if isinstance(error, KeyboardInterrupt):
                    children.end()
            raise
    return {name: made.built for name, made in recipes.items()}


def recipe(catalog: Catalog, state: State, service: Image) -> Recipe:
    """How this service or job is built and started. Raises `UsageError` for a stack that has no file."""
    return kind_of(service.stack.name).recipe(BuildPlace(catalog.root, state.build, service))


def _packages(catalog: Catalog, state: State, children: Children, say: SayState) -> None:
    """Install the packages of the pnpm workspace as its lock file says, unless they are."""
    pnpm = find("pnpm")
    wanted = key(catalog.root, ("pnpm-lock.yaml", "pnpm-workspace.yaml", "package.json", ":(glob)**/package.json"), pnpm.version)
    mark = state.build / "node_modules.key"
    if (catalog.root / "node_modules" / ".modules.yaml").exists() and _is(mark, wanted):
        return
    say("packages", "installing the workspace's packages", False)
    mark.unlink(missing_ok=True)
    remedy = "Check that the npm registry is reachable; if the lock file is out of date, run `pnpm install` and commit it."
    argv = (*pnpm.argv, "install", "--frozen-lockfile", "--reporter=append-only")
    children.run(Command(argv, "installing the workspace's packages", {**pnpm.env, "CI": "true"}, catalog.root, remedy=remedy))
    mark.write_text(wanted)
    say("packages", "installed", True)


def _after(before: Future[None] | None, work: Callable[[], None]) -> None:
    if before is not None:
        before.result()
    work()


def _build(catalog: Catalog, state: State, service: Image, made: Recipe, *, children: Children, say: SayState) -> None:
    versions = [f"{tool.name} {tool.version}" for tool in made.tools]
    wanted = key(catalog.root, (service.path, *service.packages, *service.stack.shared), *versions)
    mark = state.build / f"{service.name}.key"
    if made.artifact.exists() and _is(mark, wanted):
        return
    say(service.name, "building", False)
    mark.unlink(missing_ok=True)
    for command in made.commands:
        children.run(command)
    if not made.artifact.exists():
        raise Failure(f"building {service.name}", f"the build left no {made.artifact}", "Correct the build or the start script.")
    mark.write_text(wanted)
    say(service.name, "built", True)


def _is(mark: Path, wanted: str) -> bool:
    return mark.exists() and mark.read_text() == wanted
