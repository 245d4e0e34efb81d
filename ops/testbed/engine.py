"""The registry and the Docker Engine."""

import json
import os

from ops.testbed.keep import write
from ops.testbed.layout import CGROUP, DOCKER_BRIDGE, ENGINE_PORT, EVERYWHERE, Layout
from ops.testbed.probes import answers_http, answers_socket
from ops.testbed.processes import Daemon

PROXIES = {"httpProxy": "HTTP_PROXY", "httpsProxy": "HTTPS_PROXY", "noProxy": "NO_PROXY"}


def configuration(layout: Layout, mtu: int) -> dict[str, str]:
    """The files that the daemons read, by their name in the folder of settings."""
    registry = {
        "version": "0.1",
        "log": {"level": "warn"},
        "http": {"addr": _everywhere(layout.registry) if layout.published else layout.registry},
        "storage": {"filesystem": {"rootdirectory": f"{layout.state}/registry"}, "delete": {"enabled": True}},
    }
    docker = {
        "data-root": f"{layout.state}/docker/data",
        "exec-root": f"{layout.state}/docker/exec",
        "pidfile": f"{layout.state}/docker/docker.pid",
        "hosts": [f"unix://{layout.docker_socket}", *([f"tcp://{EVERYWHERE}:{ENGINE_PORT}"] if layout.published else ())],
        **(_tls(layout) if layout.published else {}),
        "bridge": DOCKER_BRIDGE,
        "mtu": mtu,
        "default-address-pools": [{"base": layout.docker_pool, "size": 24}],
        "default-network-opts": {"bridge": {"com.docker.network.driver.mtu": str(mtu)}},
        # An engine takes the DOCKER chains for its own when it starts, another engine's too: this one has none (see tables.settings),
        # and reaches published ports through its user-land proxy.
        "iptables": False,
        "ip6tables": False,
        "ip-forward": False,
        "userland-proxy": True,
        "cgroup-parent": f"/{CGROUP}/docker",
        "exec-opts": ["native.cgroupdriver=cgroupfs"],
        "features": {"containerd-snapshotter": True},
        "registry-mirrors": [f"http://{layout.registry}"],  # what the official names stand for is found there first
        "log-opts": {"max-size": "10m", "max-file": "2"},
    }
    return {
        "registry.json": json.dumps(registry, indent=2),
        "daemon.json": json.dumps(docker, indent=2),
        "docker/config.json": json.dumps(client(), indent=2),
    }


def client() -> dict[str, object]:
    """The settings of a docker client: this machine's proxies, for what runs inside builds and containers."""
    proxies = _proxies()
    return {"proxies": {"default": proxies}} if proxies else {}


def configure(layout: Layout, mtu: int) -> None:
    """Write those files."""
    layout.docker_socket.parent.mkdir(parents=True, exist_ok=True)
    for name, text in configuration(layout, mtu).items():
        if name != "docker/config.json" or not (layout.conf / name).exists():  # `docker login` and buildx write there too
            write(layout.conf / name, text, 0o600)


def registry(layout: Layout) -> Daemon:
    """The registry, which both the engine and the cluster need."""
    argv = (f"{layout.bin}/docker-registry", "serve", f"{layout.conf}/registry.json")
    return Daemon("registry", argv, lambda: answers_http(f"http://{layout.registry}/v2/"), {"OTEL_TRACES_EXPORTER": "none"})


def dockerd(layout: Layout) -> Daemon:
    """The engine; it starts a containerd of its own."""
    argv = (f"{layout.bin}/dockerd", "--config-file", f"{layout.conf}/daemon.json")
    return Daemon("dockerd", argv, lambda: answers_socket(layout.docker_socket, "/_ping"))


def _everywhere(address: str) -> str:
    return f":{address.rpartition(':')[2]}"


def _tls(layout: Layout) -> dict[str, object]:
    """Who reaches the engine by TCP must show a certificate of ours."""
    return {
        "tlsverify": True,
        "tlscacert": f"{layout.pki}/docker-ca.crt",
        "tlscert": f"{layout.pki}/docker.crt",
        "tlskey": f"{layout.pki}/docker.key",
    }


def _proxies() -> dict[str, str]:
    found = {}
    for key, name in PROXIES.items():
        value = os.environ.get(name) or os.environ.get(name.lower())
        if value:
            found[key] = value
    return found
