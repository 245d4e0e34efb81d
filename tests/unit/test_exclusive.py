"""One process at a time: who waits says so once, and gets the lock when its holder ends, however that ends."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from filelock import FileLock, Timeout

from ops.exclusive import exclusive

HOLD = """
import sys, time
from pathlib import Path
from ops.exclusive import exclusive
with exclusive(Path(sys.argv[1]), sys.argv[2], lambda text: print(text, flush=True)):
    print("held", flush=True)
    time.sleep(300)
"""


@pytest.fixture
def holder(tmp_path: Path) -> Iterator["subprocess.Popen[str]"]:
    with _started(tmp_path) as process:
        assert process.stdout is not None and process.stdout.readline() == "held\n"
        yield process
        process.kill()


def _started(folder: Path) -> "subprocess.Popen[str]":
    argv = (sys.executable, "-c", HOLD, str(folder / "lock"), "another one is at work")
    return subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=Path(__file__).parents[2])


def test_who_comes_first_waits_for_nobody(tmp_path: Path) -> None:
    said: list[str] = []
    with exclusive(tmp_path / "lock", "somebody", said.append), pytest.raises(Timeout):
        FileLock(tmp_path / "lock").acquire(timeout=0)
    FileLock(tmp_path / "lock").acquire(timeout=0)
    assert said == []


@pytest.mark.parametrize("end", [signal.SIGKILL, signal.SIGTERM])
def test_who_waits_says_so_once_and_goes_on_when_the_holder_is_dead(
    tmp_path: Path, holder: "subprocess.Popen[str]", end: signal.Signals
) -> None:
    said: list[str] = []

    def say(text: str) -> None:
        said.append(text)
        os.kill(holder.pid, end)

    with exclusive(tmp_path / "lock", "another one is at work", say):
        assert said == ["another one is at work"]
        assert holder.wait(60) == -end


def test_without_words_it_waits_in_silence(tmp_path: Path) -> None:
    with _started(tmp_path) as process:
        assert process.stdout is not None and process.stdout.readline() == "held\n"
        process.kill()
        with exclusive(tmp_path / "lock", "", pytest.fail):
            pass


def test_ctrl_c_ends_the_waiting_and_not_the_holder(tmp_path: Path, holder: "subprocess.Popen[str]") -> None:
    with _started(tmp_path) as second:
        assert second.stdout is not None and second.stdout.readline() == "another one is at work\n"
        second.send_signal(signal.SIGINT)
        _, errors = second.communicate(timeout=60)
    assert "KeyboardInterrupt" in errors
    assert holder.poll() is None
    with pytest.raises(Timeout):
        FileLock(tmp_path / "lock").acquire(timeout=0)


def test_a_block_that_fails_gives_the_lock_back(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="half"), exclusive(tmp_path / "lock", "somebody", pytest.fail):
        raise ValueError("half")
    FileLock(tmp_path / "lock").acquire(timeout=0)


def test_a_folder_that_is_not_there_is_an_error_of_the_system(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(OSError, match="file"), exclusive(tmp_path / "file" / "lock", "somebody", pytest.fail):
        pass
