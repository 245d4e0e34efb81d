"""How processes are ended: asked first, then killed with what they started, and what is said meanwhile."""

import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from ops.local import process
from ops.local.process import Ending, Identity, end, identify

DEAF = "import signal, sys, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print(flush=True); time.sleep(600)"
# A child in a session of its own, as PostgreSQL's are.
PARENT = f"""
import subprocess, sys
child = subprocess.Popen((sys.executable, "-c", {DEAF!r}), stdout=subprocess.PIPE, start_new_session=True)
child.stdout.readline()
print(child.pid, flush=True)
{DEAF}
"""


@pytest.fixture
def deaf() -> Iterator[tuple[Identity, Identity]]:
    """A process that does not listen to SIGTERM, and one that it started."""
    with subprocess.Popen((sys.executable, "-c", PARENT), stdout=subprocess.PIPE, text=True, start_new_session=True) as parent:
        assert parent.stdout
        child = identify(int(parent.stdout.readline()))
        parent.stdout.readline()
        yield identify(parent.pid), child
        end([Ending(identity, 9) for identity in (identify(parent.pid), child)])


def test_what_does_not_end_is_killed_with_what_it_started(deaf: tuple[Identity, Identity]) -> None:
    parent, child = deaf
    assert end([Ending(parent, grace=0.2)]) == []
    assert not parent.alive and not child.alive


def test_a_supervisor_is_killed_without_what_it_started(deaf: tuple[Identity, Identity]) -> None:
    parent, child = deaf
    end([Ending(parent, grace=0.2, whole=False)])
    assert not parent.alive and child.alive


def test_each_has_its_own_time(deaf: tuple[Identity, Identity]) -> None:
    parent, child = deaf
    began = time.monotonic()
    end([Ending(parent, grace=0.1, whole=False), Ending(child, grace=1.5)])
    assert time.monotonic() - began >= 1.5


def test_a_slow_end_is_told_once(deaf: tuple[Identity, Identity], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(process, "_SECONDS_UNTIL_SLOW", 0.1)
    told: list[bool] = []
    end([Ending(deaf[0], grace=0.5)], lambda: told.append(deaf[0].alive))
    assert told == [True]


@pytest.mark.skipif(sys.platform != "linux", reason="the first thread of a process ends by itself on Linux only")
def test_a_process_whose_first_thread_has_ended_runs_as_long_as_another_does() -> None:
    program = "import ctypes, threading, time; threading.Thread(target=time.sleep, args=(600,)).start(); ctypes.CDLL(None).pthread_exit(0)"
    with subprocess.Popen((sys.executable, "-c", program), start_new_session=True) as child:
        identity = identify(child.pid)
        try:
            deadline = time.monotonic() + 20
            while not Path(f"/proc/{child.pid}/stat").read_text().rpartition(")")[2].startswith(" Z"):
                assert time.monotonic() < deadline
                time.sleep(0.02)
            assert identity.alive
        finally:
            child.kill()
    assert not identity.alive
