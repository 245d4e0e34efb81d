"""Images as values: where they are built and pushed, what goes into one, what a plan says."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, NamedTuple

# Images are dated by this constant (2026-01-01T00:00:00Z), never by a clock or a commit: the same inputs give the same digest.
EPOCH = 1767225600
TAG_LENGTH = 32  # of the key's 64 hex digits: 128 bits
VERSION_LENGTH = 12


@dataclass(frozen=True, slots=True)
class BuildEngine:
    """Where images are built and pushed.

    `docker_host`: None is what the `docker` client would use. `docker_config`: the folder of the client's config.json,
    None is the client's own. `registry`: HOST[:PORT] that images are pushed to. `platform`: None is the engine's own.
    `certificates`: the folder of the client's key and certificates, for an engine that is reached by TLS.
    """

    docker_host: str | None = None
    docker_config: Path | None = None
    registry: str = "registry.nextai-agent.com"
    platform: str | None = None
    certificates: Path | None = None

    @property
    def environment(self) -> dict[str, str]:
        """What the docker client needs to reach this engine."""
        env = {"DOCKER_HOST": self.docker_host} if self.docker_host else {}
        env |= {"DOCKER_CONFIG": str(self.docker_config)} if self.docker_config else {}
        return env | ({"DOCKER_TLS_VERIFY": "1", "DOCKER_CERT_PATH": str(self.certificates)} if self.certificates else {})


class InputFile(NamedTuple):  # no dataclass: of these there are as many as files, and a tuple is made in a third of the time
    """One file that goes into a build: git's mode (100644, 100755, 120000) and git's blob id of the content.

    `text`: the content itself, where it is made from the file (its part of a lock file) and not the file's own.
    """

    path: str
    mode: str
    content: str
    text: str | None = None


@dataclass(frozen=True, slots=True)
class Base:
    """A base image: the reference as the catalogue has it, the digest that it stands for now, and the name to build from."""

    reference: str
    digest: str
    name: str


@dataclass(frozen=True, slots=True)
class Inputs:
    """Everything that can change an image; two images with equal inputs are the same image."""

    dockerfile: str
    recipe: str  # the Dockerfile without its comments, as the builder gets it
    platform: str
    arguments: Mapping[str, str]
    bases: Mapping[str, Base]  # by build argument
    entries: tuple[InputFile, ...]  # sorted by path


@dataclass(frozen=True, slots=True)
class Planned:
    """One image of a plan. `present`: it is there already, under `digest`. `reasons`: why it is to be built."""

    name: str
    key: str
    reference: str  # registry/prefix/name:tag
    action: Literal["build", "present"]
    inputs: Inputs
    digest: str | None = None
    reasons: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class BuildPlan:
    """What will be built, and what is there already. `push`: in the registry; else in the engine. `notes`: what people should know."""

    root: Path
    push: bool
    images: tuple[Planned, ...]
    notes: tuple[str, ...] = ()

    @property
    def missing(self) -> tuple[Planned, ...]:
        """The images to build."""
        return tuple(image for image in self.images if image.action == "build")

    def document(self) -> dict[str, object]:
        """The plan for machines (version 1)."""
        fields = ("name", "key", "reference", "action", "digest")
        rows = [{**{f: getattr(image, f) for f in fields}, "reasons": list(image.reasons)} for image in self.images]
        return {"version": 1, "kind": "build-plan", "push": self.push, "images": rows, "notes": list(self.notes)}

    def lines(self, *, explain: bool = False) -> list[str]:
        """The plan for people: a line an image; with `explain`, the reasons below it."""
        place = "registry" if self.push else "engine"
        width = max((len(image.name) for image in self.images), default=0)
        lines: list[str] = []
        for image in self.images:
            note = f"in the {place}" if image.action == "present" else image.reasons[0] if image.reasons else ""
            lines.append(f"{image.action:<7}  {image.name:<{width}}  {image.key[:VERSION_LENGTH]}  {note}".rstrip())
            if explain and image.action == "build":
                lines += [f"         {' ' * width}  {reason}" for reason in image.reasons[1:]]
        return [*lines, *(f"note: {note}" for note in self.notes)]
