"""What the docker client is told: commands as values. Nothing is run here."""

import json
from collections.abc import Mapping
from pathlib import Path

from ops.command import Command
from ops.testbed.container.place import INSIDE_CACHE, LABEL, OWNER, ContainerPlace
from ops.testbed.layout import another_port

INSIDE_SOURCES = "/opt/testbed"
STOP_SECONDS = 60  # the testbed inside ends in order, which takes some four seconds; a build that is under way ends first
PYTHON = ("python", "-m", "ops.testbed.container.inside")


def docker(place: ContainerPlace, doing: str, *words: str, remedy: str = "") -> Command:
    """A command of the user's own engine."""
    remedy = remedy or "`docker info` and `docker logs` may say more."
    return Command(("docker", *words), doing, env=place.engine, remedy=remedy)


def info(place: ContainerPlace) -> Command:
    return docker(place, "asking the Docker engine", "info", "--format", "{{json .}}")


def inspect(place: ContainerPlace, kind: str, *names: str) -> Command:
    """`kind` is container, image or volume; for a name that is not there it exits 1 after telling of the others."""
    return docker(place, f"asking the engine for a {kind}", kind, "inspect", *names)


def build(place: ContainerPlace, tag: str, folder: Path, arguments: Mapping[str, str]) -> Command:
    words = [word for name, value in arguments.items() for word in ("--build-arg", f"{name}={value}")]
    remedy = "Check that the engine reaches an image registry, Debian's mirror and the Python package index."
    command = ("build", "--quiet", "--tag", tag, "--label", f"{LABEL}=image", *words, str(folder))
    return docker(place, "building the image of the testbed's container", *command, remedy=remedy)


def volume(place: ContainerPlace, name: str) -> Command:
    return docker(place, f"making the volume {name}", "volume", "create", *_labels(place, place.name), name)


def create(place: ContainerPlace, tag: str, key: str, environ: Mapping[str, str], *, modules: bool) -> Command:
    """The container, not started yet. `key` tells it from one that was made otherwise; `modules`: there are kernel modules to load."""
    settings = {
        **environ,
        "NEXTAI_CACHE": INSIDE_CACHE,
        "NEXTAI_TESTBED_PORT": str(place.port),
        "NEXTAI_TESTBED_NETWORK": place.network,
    }
    words = [
        *("--name", place.name),
        *_labels(place, key),
        # Mounts, bridges, control groups: what the native testbed does as root of a machine.
        *("--privileged", "--cgroupns=private"),
        # The engine's default network: there a container gets the machine's name servers, which pods can reach too.
        *("--network", "bridge"),
        *("--tmpfs", "/run"),
        *("--stop-timeout", str(STOP_SECONDS)),
        *(word for name, path in place.volumes.items() for word in ("--volume", f"{name}:{path}")),
        *(("--volume", "/lib/modules:/lib/modules:ro") if modules else ()),
        *(word for outer, inner in place.ports.items() for word in ("--publish", f"127.0.0.1:{outer}:{inner}")),
        *(word for name, value in settings.items() for word in ("--env", f"{name}={value}")),
    ]
    return docker(place, "making the testbed's container", "create", *words, tag)


def copy_in(place: ContainerPlace, folder: Path) -> Command:
    """The content of a folder to where the sources lie inside."""
    return docker(
        place, "copying the sources into the testbed's container", "cp", "--quiet", f"{folder}/.", f"{place.name}:{INSIDE_SOURCES}"
    )


def copy_out(place: ContainerPlace, inside: str, target: Path) -> Command:
    return docker(place, "copying kubectl out of the testbed's container", "cp", "--quiet", f"{place.name}:{inside}", str(target))


def start(place: ContainerPlace) -> Command:
    first, last = min(place.ports), max(place.ports)
    remedy = f"If one of the ports {first} to {last} is taken, choose others: NEXTAI_TESTBED_PORT={another_port(place.port)}."
    return docker(place, "starting the testbed's container", "start", place.name, remedy=remedy)


def work(place: ContainerPlace, request: Mapping[str, object]) -> Command:
    """Start what is asked for, inside; a line of JSON on standard output for all that there is to tell."""
    remedy = f"`docker logs {place.name}` may say more; `invoke testbed.down` clears up."
    return docker(place, "starting the testbed", "exec", place.name, *PYTHON, "up", json.dumps(request), remedy=remedy)


def stop(place: ContainerPlace) -> Command:
    return docker(place, "stopping the testbed's container", "stop", place.name)


def remove(place: ContainerPlace) -> Command:
    return docker(place, "removing the testbed's container", "rm", "--force", place.name)


def remove_volumes(place: ContainerPlace) -> Command:
    return docker(place, "removing the testbed's volumes", "volume", "rm", "--force", *place.volumes)


def images(place: ContainerPlace) -> Command:
    return docker(place, "asking the engine for the testbed's images", "image", "ls", "--quiet", "--filter", f"label={LABEL}=image")


def remove_image(place: ContainerPlace, name: str) -> Command:
    return docker(place, "removing the image of the testbed's container", "image", "rm", name)


def _labels(place: ContainerPlace, value: str) -> tuple[str, ...]:
    return ("--label", f"{LABEL}={value}", "--label", f"{OWNER}={place.owner}")
