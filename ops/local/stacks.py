"""How a service of each stack is built and started as a process of this machine."""

import json
import os
import shlex
from collections.abc import Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from ops.catalog import Catalog, Service
from ops.command import Command
from ops.errors import Failure
from ops.local.inputs import key
from ops.local.interrupt import Children, uninterrupted
from ops.local.state import State, building
from ops.tools import Tool, find

Say = Callable[[str, str, bool], None]  # (service, what it is doing, whether that is its end)


@dataclass(frozen=True, slots=True)
class Built:
    """A service that is ready to start: argument vector, folder, and what its stack needs in the environment."""

    argv: tuple[str, ...]
    cwd: Path
    env: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Recipe:
    """What makes a service of one stack: commands, the files they come from, and the file that must be there afterwards."""

    commands: tuple[Command, ...]
    built: Built
    artifact: Path
    tools: tuple[Tool, ...]
    workspace: bool = False  # needs the packages of the pnpm workspace first


def build(catalog: Catalog, state: State, say: Say) -> dict[str, Built]:
    """Build every service whose files have changed since the last time, as many at once as there are cores.

    One at a time in a build folder, whoever else has a link to it. Ctrl-C ends the builds.
    Raises `Failure` with the first failed build's last lines, or naming the missing tool, when all running builds have ended.
    """
    with building(state):
        state.build.resolve().mkdir(mode=0o700, parents=True, exist_ok=True)  # a `down --volumes` may have had the lock
        return _build_all(catalog, state, say)


def _build_all(catalog: Catalog, state: State, say: Say) -> dict[str, Built]:
    recipes = {service.name: recipe(catalog, state, service) for service in catalog.services.values()}
    children = Children()
    with ThreadPoolExecutor(max_workers=max(2, os.cpu_count() or 2)) as pool:
        try:
            # First in the queue, so that the builds that wait for it can never keep it from running.
            packages = pool.submit(_packages, catalog, state, children, say) if any(r.workspace for r in recipes.values()) else None
            builds = []
            for service in catalog.services.values():
                made = recipes[service.name]
                work = partial(_build, catalog, state, service, made, children=children, say=say)
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


def recipe(catalog: Catalog, state: State, service: Service) -> Recipe:
    """How this service is built and started. Raises `Failure` for a stack that this engine does not know."""
    make = _RECIPES.get(service.stack.name)
    if make is None:
        cause = f"the stack {service.stack.name} cannot be run without Docker (only {', '.join(_RECIPES)} can)"
        raise Failure(f"preparing {service.name}", cause, "Use `--engine compose`, or add the stack to ops/local/stacks.py.")
    return make(catalog, state, service)


def _go(catalog: Catalog, state: State, service: Service) -> Recipe:
    go, program = find("go"), state.build / service.name / "server"  # go makes the folder
    folder = catalog.root / service.path
    argv = (*go.argv, "build", "-o", str(program), "./cmd/server")
    remedy = "Correct the code, or check that the Go module proxy is reachable."
    command = Command(argv, f"building {service.name}", {**go.env, "CGO_ENABLED": "0"}, folder, remedy=remedy)
    return Recipe((command,), Built((str(program),), folder), program, (go,))


def _python(catalog: Catalog, state: State, service: Service) -> Recipe:
    uv, home = find("uv"), state.build / service.name / "venv"
    folder = catalog.root / service.path
    # An environment of our own: the tests' one in the service's folder has other packages.
    environment = {"UV_PROJECT_ENVIRONMENT": str(home), "VIRTUAL_ENV": "", "UV_PYTHON_DOWNLOADS": "never"}
    argv = (*uv.argv, "sync", "--locked", "--no-dev", "--quiet")
    remedy = "Correct its pyproject.toml and uv.lock, or check that PyPI is reachable."
    command = Command(argv, f"installing {service.name}", environment, folder, remedy=remedy)
    start = (str(home / "bin" / "python"), "-m", service.name.replace("-", "_"))
    return Recipe((command,), Built(start, folder, {"PYTHONUNBUFFERED": "1"}), home / "bin" / "python", (uv,))


def _node(catalog: Catalog, state: State, service: Service) -> Recipe:
    node, pnpm = find("node"), find("pnpm")
    folder = catalog.root / service.path
    arguments = start_arguments(folder / "package.json")
    environment = {**pnpm.env, "CI": "true", "NEXT_TELEMETRY_DISABLED": "1"}
    argv = (*pnpm.argv, "--filter", f"./{service.path}", "run", "build")
    command = Command(argv, f"building {service.name}", environment, catalog.root, remedy=f"Correct the code in {service.path}.")
    built = Built((*node.argv, *arguments), folder, {"NODE_ENV": "production", "NEXT_TELEMETRY_DISABLED": "1"})
    return Recipe((command,), built, folder / arguments[0], (node, pnpm), workspace=True)


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


_RECIPES: Mapping[str, Callable[[Catalog, State, Service], Recipe]] = {"go": _go, "python": _python, "node": _node, "nextjs": _node}


def _packages(catalog: Catalog, state: State, children: Children, say: Say) -> None:
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


def _build(catalog: Catalog, state: State, service: Service, made: Recipe, *, children: Children, say: Say) -> None:
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
