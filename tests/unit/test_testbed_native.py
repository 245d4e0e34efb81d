"""The native testbed beside others on its machine: a foreign program on its port, a user who is not root, folders behind links."""

import ipaddress
import os
import socket
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from ops import testbed as rooms
from ops.errors import Failure
from ops.testbed import container, layout, native, probes, processes, programs
from ops.testbed.keep import write
from ops.testbed.layout import Layout
from ops.testbed.processes import Daemon, RunningProcess


def quiet(_: str) -> None:
    """Nobody reads it."""


@pytest.fixture
def here(tmp_path: Path) -> Layout:
    return Layout(tmp_path / "state", tmp_path / "cache", ipaddress.IPv4Network("10.231.0.0/16"), "127.0.0.1:1")


@pytest.fixture
def foreign() -> Iterator[str]:
    """The address of a program that is not the testbed's."""
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        server.listen()
        yield f"127.0.0.1:{server.getsockname()[1]}"


def test_a_port_that_another_program_has_is_named_before_anything_is_done(
    here: Layout, foreign: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(programs, "gathered", lambda *_: pytest.fail("it went on"))
    with pytest.raises(Failure, match=f"another program listens on {foreign}") as raised:
        native.up(replace(here, registry=foreign), ("engine",), quiet)
    assert "NEXTAI_TESTBED_PORT=" in raised.value.remedy
    assert processes.recorded(here) == {}


@pytest.mark.parametrize("port", [5055, 65433, 65434, 65535])
def test_the_other_port_that_is_offered_is_one(here: Layout, monkeypatch: pytest.MonkeyPatch, port: int) -> None:
    monkeypatch.setattr(probes, "free", lambda _: False)
    with pytest.raises(Failure) as raised:
        native.up(replace(here, registry=f"127.0.0.1:{port}"), ("engine",), quiet)
    offered = raised.value.remedy.partition("NEXTAI_TESTBED_PORT=")[2].rstrip(".")
    assert layout.port({"NEXTAI_TESTBED_PORT": offered}) != port
    assert layout.port({"NEXTAI_TESTBED_PORT": str(int(offered) + 2)})  # the container provider has the next two


def test_a_daemon_that_has_ended_is_not_ready_though_another_program_answers_in_its_place(here: Layout) -> None:
    here.state.mkdir()

    def ready() -> bool:
        while processes.pid_of(here, "short"):
            time.sleep(0.01)
        return True

    with pytest.raises(Failure, match="short ended, and another program answers in its place"):
        processes.start(here, [Daemon("short", (sys.executable, "-c", "pass"), ready)])


def test_who_is_not_root_is_told_that_root_runs_one(here: Layout, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NEXTAI_TESTBED_KUBECONFIG", raising=False)
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    monkeypatch.setattr(layout, "here", lambda: here)
    monkeypatch.setattr(container, "down", lambda *_, **__: None)
    rooms.down(say=quiet)
    write(here.pids / "etcd", f"{os.getpid()} {processes.start_time(os.getpid())}\n")
    with pytest.raises(Failure, match="it runs as root") as raised:
        rooms.down(say=quiet)
    assert raised.value.remedy == "Run this as root."


def test_its_processes_are_known_where_a_link_leads_to_its_folders(monkeypatch: pytest.MonkeyPatch) -> None:
    with TemporaryDirectory(dir="/tmp") as name:  # not pytest's, whose path is too long for the state
        folder = Path(name).resolve()
        (folder / "disk").mkdir()
        (folder / "link").symlink_to(folder / "disk")
        monkeypatch.setenv("NEXTAI_CACHE", str(folder / "link"))
        monkeypatch.setenv("NEXTAI_TESTBED_STATE", str(folder / "link" / "state"))
        here = layout.here()
        assert here.state == folder / "disk" / "state"  # as the kernel names what is mounted below it
        etcd = RunningProcess(1, f"{folder}/disk/testbed/debian/forky-1/usr/bin/etcd", ("etcd", f"--data-dir={here.state}/etcd"))
        assert processes.ours(here, {20: etcd}, (), ()) == {20}
