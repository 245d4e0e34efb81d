"""Where the native testbed keeps its things and which addresses it takes: values, computed from the environment."""

import ipaddress
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from ops.errors import UsageError
from ops.folders import cache

NODE = "testbed"  # the node's name in Kubernetes
NODE_BRIDGE, POD_BRIDGE, DOCKER_BRIDGE = "nt-node0", "nt-pods0", "nt-docker0"
CGROUP = "nextai-testbed"  # every pod and every container runs below this control group
LOOPBACK = "127.0.23.1"  # not 127.0.0.1: another Kubernetes or etcd on this machine has the usual ports there
NETWORK = "10.230.0.0/16"
REGISTRY_PORT = 5055
API_PORT, ENGINE_PORT = 6443, 2376
EVERYWHERE = "0.0.0.0"  # noqa: S104 - inside a container; what is published of it is for this machine alone
SOURCES = Path(__file__).resolve().parents[2] / "infra" / "testbed"
STATE = Path("/var/lib/nextai-testbed")  # short, as paths of Unix sockets must be (107 bytes), and not emptied at a reboot


@dataclass(frozen=True, slots=True)
class Layout:
    """Folders and addresses. One /16 holds everything: node, Docker's networks, pods, Services."""

    state: Path
    cache: Path
    network: ipaddress.IPv4Network
    registry: str
    published: bool = False  # in a container whose ports are published: the servers listen on every address that it has
    product: str = ""  # the registry that the manifests name; "" is the catalogue's, which a container does not have

    @property
    def bin(self) -> Path:
        """What the daemons find on their PATH."""
        return self.state / "bin"

    @property
    def tools(self) -> Path:
        """What a person gets on the PATH: docker and kubectl."""
        return self.state / "tools"

    @property
    def conf(self) -> Path:
        return self.state / "conf"

    @property
    def pki(self) -> Path:
        return self.state / "pki"

    @property
    def logs(self) -> Path:
        return self.state / "logs"

    @property
    def pids(self) -> Path:
        return self.state / "pids"

    @property
    def kubeconfig(self) -> Path:
        return self.state / "kubeconfig"

    @property
    def audit_log(self) -> Path:
        return self.logs / "audit.jsonl"

    @property
    def docker_config(self) -> Path:
        return self.conf / "docker"

    @property
    def docker_socket(self) -> Path:
        return self.state / "docker" / "docker.sock"

    @property
    def containerd_socket(self) -> Path:
        return self.state / "containerd" / "containerd.sock"

    @property
    def node_address(self) -> str:
        return str(self.network[1])

    @property
    def docker_address(self) -> str:
        """Address and prefix length of the bridge of Docker's default network."""
        return f"{self.network[257]}/24"

    @property
    def docker_pool(self) -> str:
        """Where Docker takes the networks that it makes."""
        return f"{self.network[64 * 256]}/18"

    @property
    def pods(self) -> str:
        return f"{self.network[128 * 256]}/18"

    @property
    def services(self) -> str:
        return f"{self.network[192 * 256]}/18"

    @property
    def api_address(self) -> str:
        return str(self.network[192 * 256 + 1])

    @property
    def dns_address(self) -> str:
        return str(self.network[192 * 256 + 10])


def here() -> Layout:
    """The layout that the environment asks for, with no symbolic link in its folders: the kernel tells of processes and mounts without.

    NEXTAI_CACHE, NEXTAI_TESTBED_STATE, NEXTAI_TESTBED_NETWORK (a private /16) and NEXTAI_TESTBED_PORT override the defaults.
    """
    return Layout(
        state=_state(os.environ.get("NEXTAI_TESTBED_STATE") or str(STATE)),
        cache=(cache() / "testbed").resolve(),
        network=network(os.environ),
        registry=f"127.0.0.1:{port(os.environ)}",
    )


def _state(text: str) -> Path:
    # The longest socket below it is the kubelet's, with some 60 characters of its own.
    path = Path(text).resolve()
    if not Path(text).is_absolute() or len(str(path)) > 45:
        raise UsageError(
            "reading NEXTAI_TESTBED_STATE", f"{text!r} is not an absolute path of at most 45 characters", "Name a shorter folder."
        )
    return path


def network(environ: Mapping[str, str]) -> ipaddress.IPv4Network:
    """The private /16 that everything lies in."""
    text = environ.get("NEXTAI_TESTBED_NETWORK") or NETWORK
    try:
        found = ipaddress.IPv4Network(text)
    except ValueError:
        found = None
    if found is None or found.prefixlen != 16 or not found.is_private:
        raise UsageError("reading NEXTAI_TESTBED_NETWORK", f"{text!r} is not a private /16 network", f"Write it like {NETWORK}.")
    return found


def port(environ: Mapping[str, str]) -> int:
    """The registry's port."""
    text = environ.get("NEXTAI_TESTBED_PORT") or str(REGISTRY_PORT)
    if not text.isdecimal() or not 0 < int(text) < 65536:
        raise UsageError("reading NEXTAI_TESTBED_PORT", f"{text!r} is not a port", f"Write a number like {REGISTRY_PORT}.")
    return int(text)


def another_port(port: int) -> int:
    """Another one for the registry, which leaves room for the next two: the container provider takes them too."""
    return port + 100 if port + 102 < 65536 else port - 100
