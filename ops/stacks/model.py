"""What a stack says of its services."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from ops.catalog import Image
from ops.command import Command
from ops.tools import Tool


@dataclass(frozen=True, slots=True)
class BuildPlace:
    """Where a service or job is built: the checkout, the folder for what is made, the service or job."""

    root: Path
    build: Path
    service: Image

    @property
    def folder(self) -> Path:
        """Its own folder."""
        return self.root / self.service.path


@dataclass(frozen=True, slots=True)
class Built:
    """A service that is ready to start: argument vector, folder, and what its stack needs in the environment."""

    argv: tuple[str, ...]
    cwd: Path
    env: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Recipe:
    """What makes a service: commands, what is started afterwards, the file that must be there by then, the tools.

    `workspace`: the packages of the pnpm workspace are installed first.
    """

    commands: tuple[Command, ...]
    built: Built
    artifact: Path
    tools: tuple[Tool, ...]
    workspace: bool = False


@dataclass(frozen=True, slots=True)
class StackKind:
    """All that this build system knows of a stack. Its Dockerfile, base images and test command stand in platform.yaml.

    `recipe`: how a service is built and started as a process of this machine.
    `health`: the program of the image that asks a path of its own service, without a shell; the path comes behind it.
    `lock`: writes the packages of a new service into a lock file; raises `Failure` where a registry is needed and does not answer.
    `shared_lock`: that lock file, where services share one; its place in the checkout.
    `taken`: what a name means already to programs of this stack, so that no service can have it; None where it is free.
    """

    recipe: Callable[[BuildPlace], Recipe]
    health: tuple[str, ...]
    lock: Callable[[BuildPlace], None] | None = None
    shared_lock: Path | None = None
    taken: Callable[[Path, str], str | None] = lambda _root, _name: None
