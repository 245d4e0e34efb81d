"""What the user's engine is, and what of the testbed is there."""

import json
import shutil
from collections.abc import Mapping
from dataclasses import dataclass

from ops.command import run
from ops.errors import Failure
from ops.testbed.container import commands
from ops.testbed.container.place import LABEL, OWNER, ContainerPlace

TIMEOUT = 10  # seconds in which an engine must answer


@dataclass(frozen=True, slots=True)
class OuterEngine:
    """The user's engine, which answers."""

    machine: str  # x86_64, aarch64


@dataclass(frozen=True, slots=True)
class OuterContainer:
    """A container of our name."""

    labels: Mapping[str, str]
    image: str
    running: bool

    @property
    def key(self) -> str | None:
        """What it was made with."""
        return self.labels.get(LABEL)


@dataclass(frozen=True, slots=True)
class ContainerFacts:
    """What is there under our names; `foreign` says of each thing that is another's why it is."""

    container: OuterContainer | None
    volumes: tuple[str, ...]
    foreign: tuple[str, ...]
    images: tuple[str, ...]


def engine(place: ContainerPlace) -> OuterEngine | str:
    """The engine; or in words, why there is none that would do."""
    if shutil.which("docker") is None:
        return "there is no docker client on the PATH"
    try:
        answer = run(commands.info(place), check=False, timeout=TIMEOUT)
    except Failure as failure:
        return f"no Docker engine answers: {failure.cause}"
    return judged(answer.stdout, answer.stderr)


def judged(document: str, words: str) -> OuterEngine | str:
    """The same, from what `docker info` said."""
    try:
        found = json.loads(document)
    except ValueError:
        found = {}
    errors = found.get("ServerErrors") or ([] if found.get("OSType") else words.strip().splitlines()[-1:] or ["it said nothing"])
    if errors:
        return f"no Docker engine answers: {errors[0]}"
    if found["OSType"] != "linux":
        return f"the Docker engine runs {found['OSType']} containers, and it needs Linux ones"
    if any("rootless" in option for option in found.get("SecurityOptions") or ()):
        return "the Docker engine is rootless: it can give no container the privileges that Kubernetes needs"
    return OuterEngine(str(found.get("Architecture", "")))


def look(place: ContainerPlace) -> ContainerFacts:
    """Ask the engine for everything under our names."""
    containers = [_container(row) for row in _inspected(place, "container", place.name)]
    volumes = {str(row["Name"]): _labels(row.get("Labels")) for row in _inspected(place, "volume", *place.volumes)}
    images = run(commands.images(place)).stdout.split()
    labels = {f"the container {place.name}": container.labels for container in containers}
    labels |= {f"the volume {name}": found for name, found in volumes.items()}
    foreign = tuple(why for what, found in labels.items() if (why := another(what, found, place.owner)))
    return ContainerFacts(next(iter(containers), None), tuple(sorted(volumes)), foreign, tuple(dict.fromkeys(images)))


def another(what: str, labels: Mapping[str, str], owner: str) -> str | None:
    """In words, why a thing of our name is another's; None where it is `owner`'s, or was made before labels said whose it is."""
    if LABEL not in labels:
        return f"{what} is there without the label {LABEL}"
    if labels.get(OWNER, owner) != owner:
        return f"{what} is that of {labels[OWNER]}, and you are {owner} (the label {OWNER}: user and state folder)"
    return None


def has_image(place: ContainerPlace, tag: str) -> bool:
    """Whether the engine has this image."""
    return bool(_inspected(place, "image", tag))


def _container(row: dict[str, object]) -> OuterContainer:
    config, state = row["Config"], row["State"]
    assert isinstance(config, dict) and isinstance(state, dict)
    return OuterContainer(_labels(config.get("Labels")), str(config["Image"]), bool(state["Running"]))


def _inspected(place: ContainerPlace, kind: str, *names: str) -> list[dict[str, object]]:
    answer = run(commands.inspect(place, kind, *names), check=False)
    found = json.loads(answer.stdout or "[]")
    missing = answer.stderr.lower()
    if answer.code and not found and "no such" not in missing and "not found" not in missing:
        raise Failure("asking the Docker engine", answer.stderr.strip() or "it did not answer", "Start Docker, then run it again.")
    return list(found)


def _labels(found: object) -> dict[str, str]:
    return {str(name): str(value) for name, value in found.items()} if isinstance(found, dict) else {}
