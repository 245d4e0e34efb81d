"""Node: a package of the pnpm workspace, bundled by its `build` script and started as its `start` script says."""

import json
import shlex
from pathlib import Path

import yaml

from ops.command import Command, run
from ops.errors import Failure
from ops.stacks.model import BuildPlace, Built, Recipe, StackKind
from ops.tools import find

LOCK = Path("pnpm-lock.yaml")  # the one of the workspace


def recipe(place: BuildPlace) -> Recipe:
    node, pnpm = find("node"), find("pnpm")
    arguments = start_arguments(place.folder / "package.json")
    environment = {**pnpm.env, "CI": "true", "NEXT_TELEMETRY_DISABLED": "1"}
    argv = (*pnpm.argv, "--filter", f"./{place.service.path}", "run", "build")
    command = Command(argv, f"building {place.service.name}", environment, place.root, remedy=f"Correct the code in {place.service.path}.")
    built = Built((*node.argv, *arguments), place.folder, {"NODE_ENV": "production", "NEXT_TELEMETRY_DISABLED": "1"})
    return Recipe((command,), built, place.folder / arguments[0], (node, pnpm), workspace=True)


def start_arguments(package: Path) -> tuple[str, ...]:
    """What node is given by the package's `start` script: it is run without pnpm and a shell between, which would swallow signals."""
    try:
        script = shlex.split(str(json.loads(package.read_text("utf-8"))["scripts"]["start"]))
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise Failure("reading how to start a service", f'{package} has no "start" script', 'Give it one: "start": "node FILE".') from error
    if len(script) < 2 or script[0] != "node" or script[1].startswith("-"):
        raise Failure(
            "reading how to start a service", f'{package}: "start" is not `node FILE …`', "Let it be one program, without a shell."
        )
    return tuple(script[1:])


def lock(place: BuildPlace) -> None:
    """Write the packages of a new member into the workspace's lock file; the registry is asked for what this machine does not know."""
    pnpm, remedy = find("pnpm"), "Check that the npm registry is reachable."
    argv = (*pnpm.argv, "install", "--lockfile-only", "--no-frozen-lockfile", "--prefer-offline", "--reporter=append-only")
    run(Command(argv, f"locking {place.service.name}", {**pnpm.env, "CI": "true"}, place.root, remedy=remedy))


def taken(root: Path, name: str) -> str | None:
    """A member of the workspace may not have the name of a package that others install."""
    importers = yaml.load((root / LOCK).read_text("utf-8"), yaml.CSafeLoader)["importers"].values()
    kinds = ("dependencies", "devDependencies", "optionalDependencies")
    return "a package from the npm registry" if any(name in importer.get(kind, {}) for importer in importers for kind in kinds) else None


STACK = StackKind(recipe, health=("node", "dist/healthcheck.js"), lock=lock, shared_lock=LOCK, taken=taken)
