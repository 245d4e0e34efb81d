"""Where the container and what belongs to it lie, on this machine and in its engine: values, computed from the environment."""

import json
import os
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from ops.errors import Failure
from ops.folders import cache
from ops.testbed import layout
from ops.testbed.keep import key_of

# What tells the docker client which engine it is to talk to; empty is the same as unset.
VARIABLES = ("DOCKER_HOST", "DOCKER_CONTEXT", "DOCKER_CONFIG", "DOCKER_TLS_VERIFY", "DOCKER_CERT_PATH")
LABEL = "com.nextai-agent.testbed.container"
OWNER = "com.nextai-agent.testbed.owner"
INSIDE_CACHE, INSIDE_STATE = "/var/cache/nextai-agent", str(layout.STATE)


@dataclass(frozen=True, slots=True)
class ContainerPlace:
    """One testbed of the user's engine, named by its registry's port; the API server and the inner engine have the next two.

    `engine` is the part of the environment that leads to the user's engine; `remembered` says that a testbed was started there.
    """

    folder: Path
    port: int
    network: str
    engine: Mapping[str, str]
    remembered: bool = False

    @property
    def name(self) -> str:
        """The container's name."""
        return f"nextai-testbed-{self.port}"

    @property
    def owner(self) -> str:
        """Whose it is, as the engine's labels say it: several users of one engine, or several state folders, may take the same name."""
        return f"{os.getuid()}-{key_of(str(self.folder.resolve()))}"

    @property
    def volumes(self) -> dict[str, str]:
        """Name → where it lies inside. Overlays cannot lie on the container's own file system, which is one."""
        return {f"{self.name}-cache": INSIDE_CACHE, f"{self.name}-state": INSIDE_STATE}

    @property
    def ports(self) -> dict[int, int]:
        """Port of this machine's loopback → port inside."""
        return {self.port: self.port, self.port + 1: layout.API_PORT, self.port + 2: layout.ENGINE_PORT}

    @property
    def registry(self) -> str:
        return f"127.0.0.1:{self.port}"

    @property
    def api(self) -> str:
        return f"https://127.0.0.1:{self.port + 1}"

    @property
    def docker_host(self) -> str:
        return f"tcp://127.0.0.1:{self.port + 2}"

    @property
    def record(self) -> Path:
        """What was started, and on which engine."""
        return self.folder / "record.json"

    @property
    def kubeconfig(self) -> Path:
        return self.folder / "kubeconfig"

    @property
    def docker_config(self) -> Path:
        """For DOCKER_CONFIG: the client's settings, and beside them its certificates, where it looks for them."""
        return self.folder / "docker"

    @property
    def tools(self) -> Path:
        return self.folder / "tools"


def here(environ: Mapping[str, str] = os.environ) -> ContainerPlace:
    """The place that the environment asks for: NEXTAI_TESTBED_PORT, NEXTAI_TESTBED_NETWORK, NEXTAI_STATE and docker's own variables.

    The engine on which a testbed was started is remembered: a shell may have been pointed to the testbed's own since.
    """
    port, network = layout.port(environ), layout.network(environ)
    folder = _base(environ) / f"testbed-{port}"
    found = ContainerPlace(folder, port, str(network), {name: environ.get(name, "") for name in VARIABLES})
    engine = remembered(found)
    return found if engine is None else ContainerPlace(folder, port, str(network), engine, remembered=True)


def remembered(place: ContainerPlace) -> dict[str, str] | None:
    """The variables of the engine that the record names."""
    with suppress(OSError, ValueError, AttributeError, TypeError):
        engine = json.loads(place.record.read_text())["engine"]
        return {name: str(engine.get(name, "")) for name in VARIABLES}
    return None


def _base(environ: Mapping[str, str]) -> Path:
    if named := environ.get("NEXTAI_STATE"):
        try:
            return Path(named).expanduser().absolute()
        except RuntimeError as error:
            cause = f"{named}: there is no such home folder"
            raise Failure("opening the state folder", cause, "Set NEXTAI_STATE to a folder that you can write.") from error
    try:
        base = Path(environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state").expanduser().absolute()
    except RuntimeError:  # no home folder: then NEXTAI_CACHE is set, or the cache says what is amiss
        base = cache() / "state"
    return base / "nextai-agent"
