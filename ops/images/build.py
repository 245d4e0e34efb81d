"""Carry out a build plan: what is missing is built in one go, and nothing else is done."""

import json
import os
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

from ops.command import Command
from ops.errors import Failure
from ops.exclusive import exclusive
from ops.folders import cache
from ops.images.facts import present
from ops.images.model import BuildEngine, BuildPlan, Planned
from ops.images.record import remember

if TYPE_CHECKING:  # most builds find nothing to do, and need no builder
    from ops.images.bake import Metadata

DOING = "building the images"


def _to_stderr(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


def build(plan: BuildPlan, engine: BuildEngine, push: bool, *, report: Callable[[str], None] = _to_stderr) -> dict[str, str]:
    """Build what the plan says is missing; return every image's digest by name.

    `push` as in the plan. Each step that the builder ends is reported in a line. Raises `Failure` when a step fails, `Refused`
    when a file changed after the plan was made. Whatever happens, an image is under its key whole or not at all.
    """
    if push != plan.push:
        raise ValueError("the plan was made for another place")
    digests = {image.name: image.digest for image in plan.images if image.digest}
    if plan.missing:
        with _alone(plan.missing, report):
            # What another build made while this one waited is not made again.
            there = present([image.reference for image in plan.missing], engine, push=push)
            missing = [image for image in plan.missing if not there[image.reference]]
            digests |= {image.name: digest for image in plan.missing if (digest := there[image.reference])}
            if missing:
                digests |= _bake(plan, missing, engine, report)
    for image in plan.images:
        remember(plan.root, image)
    return {image.name: digests[image.name] for image in plan.images}


def _bake(plan: BuildPlan, missing: list[Planned], engine: BuildEngine, report: Callable[[str], None]) -> dict[str, str]:
    """Build the images without a version, and then again, from the builder's cache, with the version that follows from what they are."""
    from ops.images import bake, context

    with _workshop() as workshop:
        folders = {workshop / image.name: image for image in missing}
        for folder, image in folders.items():
            folder.mkdir()
            context.write(plan.root, image.inputs, folder)
        bare = bake.run(*_command(missing, engine, workshop, bake.bakefile(folders, push=False)), report)
        try:
            versions = bake.versions_of(bare, [image.name for image in missing])
            built = bake.run(*_command(missing, engine, workshop, bake.bakefile(folders, push=plan.push, versions=versions)), report)
        finally:
            _forget(engine, bare)
    there = present([image.reference for image in missing], engine, push=plan.push)
    digests = {name: str(values.get(bake.DIGEST)) for name, values in built.items()}
    return {image.name: _checked(image, digests.get(image.name), there[image.reference], push=plan.push) for image in missing}


def _command(missing: list[Planned], engine: BuildEngine, workshop: Path, document: object) -> tuple[Command, Path]:
    """The bake of a document, and the file where the builder writes down what it made."""
    metadata = workshop / "metadata.json"
    builder, env = _builder(engine)
    # buildx would put a repository's commit into labels; what the cache folder lies in is no matter of the images.
    own = {"BUILDX_GIT_LABELS": "false", "BUILDX_GIT_INFO": "false"}
    command = Command(
        (*builder, "bake", "--file=-", "--progress=rawjson", f"--metadata-file={metadata}", f"--allow=fs.read={workshop}"),
        f"{DOING} for {missing[0].inputs.platform}",
        env={**env, **engine.environment, **own},
        cwd=workshop,
        stdin=json.dumps(document),
    )
    return command, metadata


def _forget(engine: BuildEngine, built: "Metadata") -> None:
    """Remove the images without a version from the engine. A builder outside the engine keeps none, so a failure here is no error."""
    from ops.images.bake import DIGEST
    from ops.images.engine import connect

    with suppress(Failure):
        client = connect(engine)
        for values in built.values():
            with suppress(Failure):
                client.remove_image(str(values.get(DIGEST)))


def _builder(engine: BuildEngine) -> tuple[tuple[str, ...], Mapping[str, str]]:
    """buildx: the one that the engine's own client folder brings, which runs by itself; else this machine's."""
    own = engine.docker_config / "cli-plugins" / "docker-buildx" if engine.docker_config else None
    if own is not None and own.exists():
        return (str(own),), {}
    from ops.tools import find

    found = find("buildx")
    return found.argv, found.env


def _checked(image: Planned, built: str | None, found: str | None, *, push: bool) -> str:
    """The digest under the image's name. An engine without the containerd store knows no digests, but ids of its own."""
    if found and (found == built or not push):
        return found
    cause = f"{image.reference}: built as {built}, but found as {found}"
    raise Failure("checking what was built", cause, "Run it again; if it stays, see whether something else writes to that place.")


@contextmanager
def _workshop() -> Iterator[Path]:
    """An empty folder of this build's own, gone afterwards."""
    home = cache() / "images" / "work"
    home.mkdir(parents=True, exist_ok=True)
    for leftover in home.iterdir():  # of a build that was killed
        with suppress(ValueError):
            if not _alive(int(leftover.name.partition("-")[0])):
                shutil.rmtree(leftover, ignore_errors=True)
    folder = Path(tempfile.mkdtemp(prefix=f"{os.getpid()}-", dir=home))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


@contextmanager
def _alone(images: tuple[Planned, ...], report: Callable[[str], None]) -> Iterator[None]:
    """No two builds of one key at once on this machine."""
    folder = cache() / "images" / "locks"
    folder.mkdir(parents=True, exist_ok=True)
    with ExitStack() as stack:
        names = {image.key: image.name for image in images}  # a service and a job of the same files have one key
        for key in sorted(names):  # in one order everywhere, so that two builds cannot wait for each other
            waiting = f"{names[key]} is being built by another process: waiting for it"
            stack.enter_context(exclusive(folder / key[:32], waiting, report))
        yield
