"""Bridges, kernel settings, iptables and ipset of this machine: what was there is noted first, and put back at the end."""

import contextlib
import ipaddress
import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from ops.command import Command, run
from ops.errors import Failure
from ops.testbed import tables
from ops.testbed.keep import write
from ops.testbed.layout import DOCKER_BRIDGE, NODE_BRIDGE, POD_BRIDGE, Layout

# What is set here (a value), and what the kubelet and kube-proxy change by themselves (None).
KERNEL: dict[str, str | None] = {
    "net/ipv4/ip_forward": "1",
    "net/bridge/bridge-nf-call-iptables": "1",
    "net/bridge/bridge-nf-call-ip6tables": None,
    "net/ipv4/conf/all/route_localnet": None,
    "net/ipv4/vs/conntrack": None,
    "net/ipv6/conf/all/forwarding": None,
    "net/netfilter/nf_conntrack_max": None,
    "net/netfilter/nf_conntrack_tcp_timeout_established": None,
    "net/netfilter/nf_conntrack_tcp_timeout_close_wait": None,
    "vm/overcommit_memory": None,
    "vm/panic_on_oom": None,
    "kernel/panic": None,
    "kernel/panic_on_oops": None,
    "kernel/keys/root_maxkeys": None,
    "kernel/keys/root_maxbytes": None,
}
SYSTEM = Path("/proc/sys")
FAMILIES = ("iptables", "ip6tables")


@dataclass(frozen=True, slots=True)
class Before:
    """What this machine had before the testbed came: one dump a family, names of sets, kernel settings."""

    dumps: dict[str, str]
    sets: list[str]
    kernel: dict[str, str]
    boot: str


def prepare(layout: Layout, *, cluster: bool) -> None:
    """Make bridges and rules, and set the kernel; safe to do again. Raises `Failure` where another's things are in the way."""
    before = _noted(layout)
    if cluster and (chains := [chain for dump in before.dumps.values() for chain in tables.others(dump)]):
        cause = f"iptables has chains of another Kubernetes ({', '.join(chains[:3])}, …)"
        raise Failure(
            "starting the testbed's Kubernetes", cause, "Stop that one, or use it: NEXTAI_TESTBED_KUBECONFIG and NEXTAI_TESTBED_REGISTRY."
        )
    for key, value in KERNEL.items():
        if value and (SYSTEM / key).exists():
            (SYSTEM / key).write_text(value)
    _bridge(NODE_BRIDGE, f"{layout.node_address}/32")
    _bridge(DOCKER_BRIDGE, layout.docker_address)
    if tables.FORWARD not in _dump(layout, "iptables"):
        _restore(layout, "iptables", tables.settings(str(layout.network)))


def restore(layout: Layout) -> None:
    """Take away what `prepare`, the daemons and the pods left, and put the kernel's settings back."""
    before = _read(layout)
    if before is None:
        return
    bridges = _own_bridges(layout)
    for bridge in bridges:
        run(Command(("ip", "link", "delete", bridge), f"removing the bridge {bridge}"), check=False)
    # A network of Docker's has a range of ours or one that its compose file names: then its bridge tells.
    first_half = str(layout.network.network_address).rpartition(".0.0")[0]
    marks = [*bridges, NODE_BRIDGE, POD_BRIDGE, DOCKER_BRIDGE, f" {first_half}."]
    for family in FAMILIES:
        script = tables.removal(before.dumps.get(family, ""), _dump(layout, family), marks)
        if script:
            _restore(layout, family, script)
    for name in set(_sets(layout)) - set(before.sets):
        if tables.OWN_SET.match(name):
            run(Command((f"{layout.bin}/ipset", "destroy", name), f"removing the set {name}"), check=False)
    for key, value in before.kernel.items():
        with contextlib.suppress(OSError):
            if (SYSTEM / key).read_text().strip() != value:
                (SYSTEM / key).write_text(value)
    _note(layout).unlink()


def uplink_mtu() -> int:
    """The MTU of the interface with the default route, which no bridge may exceed; 1500 without one."""
    routes = json.loads(_ip("route", "show", "default") or "[]")
    if not routes:
        return 1500
    return int(json.loads(_ip("link", "show", "dev", routes[0]["dev"]))[0]["mtu"])


def overlap(routes: Iterable[tuple[str, str]], network: ipaddress.IPv4Network, own: Iterable[str]) -> tuple[str, str] | None:
    """The first (destination, interface) that meets our network on an interface that is not our own."""
    spared = tuple(own)
    for destination, interface in routes:
        if destination != "default" and interface not in spared and ipaddress.IPv4Network(destination, strict=False).overlaps(network):
            return destination, interface
    return None


def check_free(layout: Layout) -> None:
    """Raise `Failure` if this machine already reaches something at the addresses that we take."""
    routes = [(route["dst"], route.get("dev", "")) for route in json.loads(_ip("route", "show", "table", "main") or "[]")]
    met = overlap(routes, layout.network, _own_bridges(layout))
    if met:
        cause = f"{layout.network} is taken: {met[0]} is reached through {met[1]}"
        raise Failure("starting the testbed", cause, "Choose another private network: NEXTAI_TESTBED_NETWORK=10.231.0.0/16.")


def _bridge(name: str, address: str) -> None:
    if name not in _links():
        run(Command(("ip", "link", "add", name, "type", "bridge"), f"making the bridge {name}"))
        run(Command(("ip", "address", "add", address, "dev", name), f"giving {name} its address"))
    run(Command(("ip", "link", "set", name, "mtu", str(uplink_mtu()), "up"), f"setting {name} up"))


def _own_bridges(layout: Layout) -> list[str]:
    """The bridges made here, and br-ID of each network that our engine's database knows."""
    database = layout.state / "docker/data/network/files/local-kv.db"
    known = database.read_bytes() if database.exists() else b""
    made = [name for name in _links() if name.startswith("br-") and name.removeprefix("br-").encode() in known]
    return [*(name for name in (NODE_BRIDGE, POD_BRIDGE, DOCKER_BRIDGE) if name in _links()), *made]


def _links() -> list[str]:
    return [str(link["ifname"]) for link in json.loads(_ip("link", "show") or "[]")]


def _ip(*words: str) -> str:
    return run(Command(("ip", "-j", *words), "asking for the machine's network")).stdout


def _dump(layout: Layout, family: str) -> str:
    return run(Command((f"{layout.bin}/{family}-save",), f"reading {family}"), check=False).stdout


def _restore(layout: Layout, family: str, script: str) -> None:
    run(Command((f"{layout.bin}/{family}-restore", "--noflush", "--wait"), f"changing {family}", stdin=script))


def _sets(layout: Layout) -> list[str]:
    return run(Command((f"{layout.bin}/ipset", "list", "-n"), "reading the IP sets"), check=False).stdout.split()


def _note(layout: Layout) -> Path:
    return layout.state / "before.json"


def _boot() -> str:
    return (SYSTEM / "kernel/random/boot_id").read_text().strip()


def _read(layout: Layout) -> Before | None:
    """What was noted, unless the machine has been started anew since: then nothing of ours is left."""
    with contextlib.suppress(FileNotFoundError):
        before = Before(**json.loads(_note(layout).read_text()))
        if before.boot == _boot():
            return before
        _note(layout).unlink()
    return None


def _noted(layout: Layout) -> Before:
    """What was there before the first start; after a crash it is what was noted then, for what is found now is our own."""
    before = _read(layout)
    if before is None:
        kernel = {key: (SYSTEM / key).read_text().strip() for key in KERNEL if (SYSTEM / key).exists()}
        before = Before({family: _dump(layout, family) for family in FAMILIES}, _sets(layout), kernel, _boot())
        document = {"dumps": before.dumps, "sets": before.sets, "kernel": before.kernel, "boot": before.boot}
        new = write(_note(layout).with_suffix(".new"), json.dumps(document), 0o600)
        new.rename(_note(layout))
    return before


def left_behind(layout: Layout) -> bool:
    """Whether this machine's network is still as the testbed changed it."""
    return _read(layout) is not None
