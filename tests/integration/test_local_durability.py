"""Nothing that a store of the embedded engine acknowledged is lost, however the platform ends: written under load, ended, counted."""

import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from ops.local import embedded, servers, state
from ops.local.ports import free_ports
from ops.local.process import GRACE, Ending, Process, end, identify
from ops.local.state import State
from ops.stores.model import Wanted
from tests.integration.acknowledged import STORES, Clients, Load, lost, stored
from tests.integration.rounds import ROUNDS


class Platform:
    """The three stores under a supervisor, as `invoke up` starts them, with their data in `folder`."""

    def __init__(self, folder: Path) -> None:
        self.home = state.opened(State(folder))
        self.ports = dict(zip(STORES, free_ports(len(STORES)), strict=True))
        self.clients = Clients(self.ports, {"postgres": "pw", "redis": "pw"}, "kept", "kept", folder)
        self.platform: embedded.Platform | None = None

    def up(self, only: tuple[str, ...] = STORES) -> None:
        event = self._start(only)
        assert event["event"] == "up", event

    def failing(self) -> str:
        """Why it does not come up."""
        event = self._start(STORES)
        assert event["event"] == "failed", event
        return str(event["cause"])

    def _start(self, names: tuple[str, ...]) -> dict[str, object]:
        wanted = [Wanted(name, self.ports[name], "pw", "kept", "kept") for name in names]
        processes = [servers.process(self.home, store) for store in wanted]
        if "milvus" in names:  # who uses it: what was kept is read when it is asked for
            argv = tuple(self.clients.milvus("read"))
            processes.append(Process("reader", argv, str(self.home.folder), dict(os.environ), needs=("milvus",), kind="job"))
        self.platform = embedded._supervise(self.home, "", processes)
        ends = ("up", "failed", "gone", "stopped")
        return next(event for event in embedded._each(self.platform) if event["event"] in ends)

    def pid(self, name: str) -> int:
        record = state.read(self.home)
        assert record
        return record.processes[name].identity.pid

    def down(self) -> None:
        """As `invoke down`, and Ctrl-C and SIGTERM of `invoke up`, do."""
        embedded.stop(self.home)
        assert self.platform
        self.platform.supervisor.wait(30)

    def left(self) -> None:
        """Wait until nothing of it runs: what a killed supervisor leaves ends by itself."""
        everyone = embedded.leftovers(self.home)
        deadline = time.monotonic() + 120  # a slow disk takes a store's last writes slowly
        while any(ending.identity.alive for ending in everyone.values()) and time.monotonic() < deadline:
            time.sleep(0.05)
        assert [name for name, ending in everyone.items() if ending.identity.alive] == []


@pytest.fixture
def platform(tmp_path: Path) -> Iterator[Platform]:
    found = Platform(tmp_path / "state")
    try:
        yield found
    finally:
        with suppress(Exception):
            embedded.stop(found.home)


def is_stopped(platform: Platform) -> None:
    platform.down()


def supervisor_is_killed(platform: Platform) -> None:
    assert platform.platform
    platform.platform.supervisor.kill()
    platform.platform.supervisor.wait()
    platform.left()


def stores_are_killed(platform: Platform) -> None:
    identities = [identify(platform.pid(name)) for name in STORES]
    end(Ending(identity, signal.SIGKILL) for identity in identities)
    platform.down()


@pytest.mark.parametrize("_round", ROUNDS)
@pytest.mark.parametrize("ends", [is_stopped, supervisor_is_killed, stores_are_killed])
def test_every_acknowledged_write_is_there_again(platform: Platform, ends: Callable[[Platform], None], _round: int) -> None:
    platform.up()
    with Load(platform.clients) as load:
        load.enough()
        ends(platform)
    platform.up()
    assert lost(platform.clients, load) == dict.fromkeys(STORES, 0)


@pytest.mark.skipif(sys.platform != "linux", reason="a process is told by /proc")
def test_a_store_that_writes_to_a_slow_disk_is_not_killed(platform: Platform) -> None:
    """Its checkpoint takes longer than a service has to end. A stopped process looks like one that waits for the disk."""
    platform.up(only=("postgres",))
    checkpointer = next(pid for pid in children(platform.pid("postgres")) if b"checkpointer" in Path(f"/proc/{pid}/cmdline").read_bytes())
    os.kill(checkpointer, signal.SIGSTOP)
    disk = threading.Timer(GRACE + 2, os.kill, (checkpointer, signal.SIGCONT))
    disk.start()
    platform.down()
    disk.join()
    assert not Path(f"/proc/{checkpointer}").exists()
    platform.up(only=("postgres",))
    assert "not properly shut down" not in platform.home.log("postgres").read_text()


@pytest.mark.skipif(sys.platform != "linux" or os.geteuid() != 0, reason="a file system of its own takes root on Linux")
def test_a_power_cut_takes_nothing_from_postgres_and_two_seconds_from_redis(tmp_path: Path) -> None:
    """What has reached the disk when the power goes: the file behind a file system, copied while its writers stand still."""
    with mounted(tmp_path / "disk.img", tmp_path / "disk", new=True) as disk:
        before = Platform(disk / "state")
        before.up()
        with Load(before.clients) as load:
            load.enough()
            time.sleep(3)  # so that there are writes which are older than what Redis may lose
            pids = descendants(before)
            for pid in pids:
                os.kill(pid, signal.SIGSTOP)
            cut, acknowledged = time.monotonic(), {name: dict(done) for name, done in load.acknowledged.items()}
            shutil.copyfile(tmp_path / "disk.img", tmp_path / "cut.img")
            for pid in pids:
                os.kill(pid, signal.SIGCONT)
        before.down()
    with mounted(tmp_path / "cut.img", tmp_path / "cut") as disk:
        after = Platform(disk / "state")
        after.home.record.unlink(missing_ok=True)
        after.up(only=("postgres", "redis"))
        with after.clients.postgres() as connection:
            rows = {row[0] for row in connection.execute("SELECT n FROM kept")}
        members = after.clients.members()
        after.down()
    assert not acknowledged["postgres"].keys() - rows
    late = {n for n, when in acknowledged["redis"].items() if when > cut - 2}
    assert not acknowledged["redis"].keys() - members - late
    assert len(acknowledged["redis"]) > len(late)


@contextmanager
def mounted(image: Path, folder: Path, *, new: bool = False) -> Iterator[Path]:
    """A file as a file system whose journal is written only when a program asks for it."""
    if new:
        with image.open("wb") as file:
            file.truncate(400 << 20)
        subprocess.run(["mkfs.ext4", "-q", "-F", str(image)], check=True)
    folder.mkdir()
    subprocess.run(["mount", "-o", "loop,commit=300", str(image), str(folder)], check=True)
    try:
        yield folder
    finally:
        deadline = time.monotonic() + 60  # a process that was killed closes its files when the disk lets it
        while subprocess.run(["umount", str(folder)], check=time.monotonic() > deadline).returncode:
            time.sleep(0.2)


def descendants(platform: Platform) -> list[int]:
    """The processes of the stores, PostgreSQL's own children among them."""
    found = [platform.pid(name) for name in STORES]
    for pid in found:
        found += children(pid)
    return found


def children(pid: int) -> list[int]:
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def test_a_store_that_says_that_it_lost_data_is_a_failure_and_the_next_start_goes_on(platform: Platform) -> None:
    platform.up()
    with Load(platform.clients) as load:
        load.enough()
        stores_are_killed(platform)
    wal = next(file for file in (platform.home.data / "milvus").rglob("wal_data_*.arrow") if file.stat().st_size > 2000)
    with wal.open("r+b") as file:
        file.seek(file.seek(0, os.SEEK_END) // 2)
        file.write(b"\xff" * 200)
    cause = platform.failing()
    assert "could not read all of its data: " in cause and "WAL recovery stopped" in cause and "run it again" in cause
    platform.up()
    assert stored(platform.clients)["postgres"] >= load.acknowledged["postgres"].keys()
