"""Ctrl-C: stopping the platform must go on to its end, and commands in other threads must end at once."""

import os
import signal
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from types import FrameType

from ops.command import Command, Completed, checked, late, started
from ops.errors import Failure
from ops.local.process import Ending, end, identify


@contextmanager
def handled(handler: Callable[[int, FrameType | None], None], *numbers: int) -> Iterator[None]:
    """Give these signals to `handler` meanwhile; those that are ignored, as `nohup` and `&` have it, stay ignored."""
    former = {number: known for number in numbers if (known := signal.getsignal(number)) is not signal.SIG_IGN}
    for number in former:
        signal.signal(number, handler)
    try:
        yield
    finally:
        for number, known in former.items():
            signal.signal(number, known)


@contextmanager
def uninterrupted() -> Iterator[list[int]]:
    """Hold signals back until the block ends, so that stopping is not left half done. The list has the signals that came meanwhile."""
    pressed: list[int] = []
    # Caught and not ignored: what is started meanwhile would inherit the latter.
    with handled(lambda number, _: pressed.append(number), signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        yield pressed


class Children:
    """Guards the commands that run, each in a session of its own: Ctrl-C reaches none by itself, and `end` reaches all of each."""

    def __init__(self) -> None:
        self._running: set[subprocess.Popen[str]] = set()
        self._lock = threading.Lock()
        self._over = False

    def run(self, command: Command, *, timeout: float | None = None) -> Completed:
        """Run a command to its end, from any thread, without a standard input. `timeout` is in seconds.

        Raises `Failure` when it cannot be started, takes too long, exits other than 0, or after `end`.
        """
        child = self._start(command)
        try:
            out, err = child.communicate(timeout=timeout)
        except subprocess.TimeoutExpired as error:
            raise late(command, error) from error
        finally:
            _end([child])  # where it runs still
            _close(child)
            with self._lock:
                self._running.discard(child)
        return checked(command, Completed(child.returncode, out, err))

    def _start(self, command: Command) -> subprocess.Popen[str]:
        with self._lock:
            if self._over:
                raise Failure(command.doing, "it was interrupted", "Run it again.")
            child = started(command, own_session=True)
            self._running.add(child)
            return child

    def end(self) -> None:
        """End what runs, and let nothing else start."""
        with self._lock:
            self._over = True
            running = list(self._running)
        _end(running)


def _close(child: subprocess.Popen[str]) -> None:
    """Let the system forget one that has ended, and what it wrote that nobody has read."""
    with suppress(subprocess.TimeoutExpired):
        child.wait(timeout=1)  # one that even SIGKILL has not ended must not hold us
    for pipe in (child.stdout, child.stderr):
        if pipe:
            pipe.close()


def _end(children: list[subprocess.Popen[str]]) -> None:
    running = [child for child in children if child.poll() is None]
    for child in running:
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(child.pid, signal.SIGTERM)  # a package manager need not hand it on to what it runs
    end(Ending(identify(child.pid), grace=5) for child in running)
    for child in running:
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(child.pid, signal.SIGKILL)  # what its first process left behind
