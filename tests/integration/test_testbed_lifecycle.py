"""The testbed after a crash, and after its end. Runs by itself, since it ends the testbed and starts another."""

import contextlib
import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from ops import testbed as rooms
from ops.command import Command, run
from ops.testbed import Testbed, cgroups, processes
from ops.testbed.layout import DOCKER_BRIDGE, NODE_BRIDGE, POD_BRIDGE, here
from ops.testbed.tables import OWN_CHAIN, OWN_SET, parse

VICTIMS = ("dockerd", "containerd", "etcd", "kubelet", "kube-proxy")


@pytest.fixture(autouse=True)
def _may_end_it(testbed_was_running: bool) -> None:
    if testbed_was_running and os.environ.get("CI") != "true":
        pytest.skip("it would end the testbed that you have running; `invoke testbed.down` first")


def words(*argv: str) -> str:
    return run(Command(argv, "looking at this machine")).stdout


def docker(testbed: Testbed, *rest: str) -> str:
    return run(Command((str(testbed.docker), *rest), "using the engine", env=rooms.environment(testbed))).stdout


@contextlib.contextmanager
def somebody_elses_things() -> Iterator[list[str]]:
    """A chain, a rule and a bridge that are not the testbed's, put there while it runs."""
    tables = str(here().bin / "iptables")
    rule = "-A FORWARD -s 172.31.250.0/24 -j OTHER-FORWARD"
    words("ip", "link", "add", "other0", "type", "bridge")
    words(tables, "-N", "OTHER-FORWARD")
    words(tables, *rule.split())
    try:
        yield [":OTHER-FORWARD", rule]
    finally:
        words(tables, "-D", *rule.split()[1:])
        words(tables, "-X", "OTHER-FORWARD")
        words("ip", "link", "delete", "other0")


def test_a_crash_is_cleared_up_by_the_next_up(testbed: Testbed) -> None:
    before = processes.recorded(here())
    victims = [pid for name in VICTIMS if (pid := before[name])]
    assert len(victims) == len(VICTIMS)
    processes.stop(victims, signal.SIGKILL, 10)
    assert rooms.running() is None
    again = rooms.up()
    assert (again.registry, again.context, again.docker_host) == (testbed.registry, testbed.context, testbed.docker_host)
    after = processes.recorded(here())
    assert set(after) == set(before)
    assert all(after[name] and after[name] != before[name] for name in before)
    nodes = run(Command((str(again.kubectl), "get", "nodes", "-o", "name"), "asking the new cluster", env=rooms.environment(again)))
    assert nodes.stdout.strip() == "node/testbed"


def test_the_end_leaves_nothing_of_it_and_everything_of_others(testbed: Testbed) -> None:
    layout = here()
    network = f"left-behind-{os.getpid()}"
    bridge = f"br-{docker(testbed, 'network', 'create', network)[:12]}"
    assert bridge in words("ip", "-o", "link")
    with somebody_elses_things() as kept:
        rooms.down()
        dumps = [words(str(layout.bin / f"{family}-save")) for family in ("iptables", "ip6tables")]
        assert all(text in dumps[0] for text in kept)
        assert "other0" in words("ip", "-o", "link")
    assert rooms.running() is None
    assert processes.own_pids(layout) == set()
    assert str(layout.state) not in Path("/proc/self/mountinfo").read_text()
    links = words("ip", "-o", "link")
    assert not any(name in links for name in (NODE_BRIDGE, POD_BRIDGE, DOCKER_BRIDGE, bridge))
    chains = [chain for dump in dumps for table in parse(dump).values() for chain in table.chains]
    assert not [chain for chain in chains if OWN_CHAIN.match(chain)]
    assert not [name for name in words(str(layout.bin / "ipset"), "list", "-n").split() if OWN_SET.match(name)]
    assert not any(folder.exists() for folder in cgroups.folders())
    assert not [link for link in Path("/var/log/containers").glob("*") if str(layout.state) in str(link.readlink())]
    assert set(rooms.up().parts) == set(rooms.USUAL)
    docker(testbed, "network", "rm", network)  # the engine's data outlive its end
