"""The steps of a plan, done."""

import json
import os
import platform
import shutil
import tempfile
from collections.abc import Callable, Iterable, Mapping
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from ops.command import Command, lines, run
from ops.errors import Failure
from ops.say import Say
from ops.testbed import engine, images
from ops.testbed.container import commands, facts
from ops.testbed.container.facts import OuterEngine
from ops.testbed.container.place import ContainerPlace
from ops.testbed.container.plan import Step
from ops.testbed.keep import key_of, write
from ops.testbed.layout import SOURCES
from ops.testbed.model import Part

ROOT = SOURCES.parents[1]
RECIPE = SOURCES / "container" / "Dockerfile"
LOCKED = (ROOT / "pyproject.toml", ROOT / "uv.lock")
# What runs inside: this package as far as it goes without the catalogue, and what the native testbed is made from.
CODE = (
    *(f"ops/{name}.py" for name in ("__init__", "command", "errors", "exclusive", "folders", "gitwords", "retry", "say", "secret")),
    *("ops/tools", "ops/testbed", "infra/testbed"),
)


@dataclass(frozen=True, slots=True)
class InnerTestbed:
    """What the testbed inside said when it was ready. `programs`: the folder inside with the programs of its Kubernetes."""

    parts: tuple[Part, ...]
    kubeconfig: str
    certificates: Mapping[str, str]
    programs: str


def image_tag() -> str:
    """The name of the container's image, by what it is made from."""
    return f"nextai-testbed:{key_of(*(path.read_text() for path in (RECIPE, *LOCKED)))}"


def settings_key(place: ContainerPlace) -> str:
    """A key of everything that the container is made with."""
    return key_of(*_create(place, "").argv)


def work(place: ContainerPlace, parts: Iterable[Part], say: Say) -> InnerTestbed:
    """Start what is missing of `parts` inside, tell what it says, and return its answer. Raises the `Failure` that it raised."""
    from ops import catalog  # this module is imported inside as well, where there is none

    request = {"parts": list(parts), "product": catalog.load().registry, "server": place.api}
    command = commands.work(place, request)
    with closing(lines(command)) as told:
        for line in told:
            match json.loads(line):
                case {"say": str(text)}:
                    say(text)
                case {"doing": str(doing), "cause": str(cause), "remedy": str(remedy)}:
                    raise Failure(doing, cause, f"{remedy} (Paths are those inside: `docker exec -it {place.name} bash`.)")
                case {"parts": list(done), "kubeconfig": str(text), "certificates": dict(pems), "programs": str(programs)}:
                    return InnerTestbed(tuple(done), text, pems, programs)
    raise Failure(command.doing, "the testbed inside the container ended without an answer", command.remedy)


def stop(place: ContainerPlace, say: Say) -> None:
    """End the testbed inside in order, and the container. One that has ended, or was not made yet, is stopped already."""
    run(commands.stop(place), check=False)


def bring_kubectl(place: ContainerPlace, found: OuterEngine, programs: str) -> None:
    """The cluster's own kubectl, where it can run on this machine."""
    if not runs_here(found):
        return
    program = place.tools / Path(programs).name
    if not program.exists():
        place.tools.mkdir(parents=True, exist_ok=True)
        draft = program.with_suffix(f".{os.getpid()}")
        run(commands.copy_out(place, f"{programs}/kube", draft))
        draft.rename(program)
    write(place.tools / "kubectl", f'#!/bin/sh\nexec "{program}" kubectl "$@"\n', 0o755)


def runs_here(found: OuterEngine) -> bool:
    """Whether this machine runs the programs of the engine's."""
    return platform.system() == "Linux" and platform.machine() == found.machine


def _build(place: ContainerPlace, say: Say) -> None:
    if facts.has_image(place, image_tag()):
        return
    say("building the image of the testbed's container (once) …")
    with tempfile.TemporaryDirectory(prefix="nextai-testbed-") as folder:
        for path in (RECIPE, *LOCKED):  # exactly what its name is made from
            shutil.copy(path, folder)
        run(commands.build(place, image_tag(), Path(folder), _package_sources()))


def _create(place: ContainerPlace, key: str) -> Command:
    modules = platform.system() != "Linux" or Path("/lib/modules").is_dir()
    proxies = {name: value for name in engine.PROXIES.values() if (value := os.environ.get(name)) and "@" not in value}
    return commands.create(place, image_tag(), key, {**proxies, **_package_sources()}, modules=modules)


def _package_sources() -> dict[str, str]:
    """Where this machine is told to fetch packages from; what holds a password is left out, since `docker inspect` shows it."""
    return {name: value for name, value in images.settings(os.environ).items() if name in images.SETTINGS}


def _make(place: ContainerPlace, say: Say) -> None:
    for name in place.volumes:
        run(commands.volume(place, name))
    run(_create(place, settings_key(place)))


def _copy(place: ContainerPlace, say: Say) -> None:
    with tempfile.TemporaryDirectory(prefix="nextai-testbed-") as folder:
        for name in CODE:
            target = Path(folder, name)
            target.parent.mkdir(parents=True, exist_ok=True)
            if (ROOT / name).is_dir():
                shutil.copytree(ROOT / name, target, ignore=shutil.ignore_patterns("__pycache__", "node_modules"))
            else:
                shutil.copy(ROOT / name, target)
        Path(folder, images.LISTED.name).write_text(images.listing(), "utf-8")
        Path(folder).chmod(0o755)
        run(commands.copy_in(place, Path(folder)))


def _start(place: ContainerPlace, say: Say) -> None:
    run(commands.start(place))


def _remove(place: ContainerPlace, say: Say) -> None:
    run(commands.remove(place))


def _remove_volumes(place: ContainerPlace, say: Say) -> None:
    run(commands.remove_volumes(place))


def _remove_images(place: ContainerPlace, say: Say) -> None:
    for name in facts.look(place).images:
        run(commands.remove_image(place, name), check=False)  # another testbed may run from it


STEPS: Mapping[Step, Callable[[ContainerPlace, Say], None]] = {
    "build": _build,
    "stop": stop,
    "remove": _remove,
    "create": _make,
    "copy": _copy,
    "start": _start,
    "remove volumes": _remove_volumes,
    "remove images": _remove_images,
}
