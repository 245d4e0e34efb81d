"""The end of a run before its time: SIGTERM, as a CI server sends it, and SIGHUP, as a closed terminal does, are what Ctrl-C is."""

import signal
import subprocess
import threading
from types import FrameType

_ENDS = (signal.SIGTERM, signal.SIGHUP)


def as_ctrl_c() -> None:
    """Let the signals raise KeyboardInterrupt in this process, so that what it has started is ended and cleared up; later ones do nothing.

    One that is ignored stays so (`nohup`). Does nothing outside the main thread, where no handler can be set.
    """
    if threading.current_thread() is not threading.main_thread():
        return
    for number in _ENDS:
        if signal.getsignal(number) is signal.SIG_DFL:
            signal.signal(number, _interrupt)


_told = threading.Event()


def told() -> bool:
    """Whether this process was told to end. Nox takes a program for good whose end and Ctrl-C come at one moment: its exit code is lost."""
    return _told.is_set()


def remember_ctrl_c() -> None:
    """Have Ctrl-C remembered for `told`; it raises KeyboardInterrupt as before."""
    if threading.current_thread() is threading.main_thread() and signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, _pressed)


def _pressed(number: int, frame: FrameType | None) -> None:
    _told.set()
    raise KeyboardInterrupt


def _interrupt(number: int, frame: FrameType | None) -> None:
    _told.set()
    for other in _ENDS:
        signal.signal(other, signal.SIG_IGN)
    raise KeyboardInterrupt(signal.Signals(number).name)


def run(argv: tuple[str, ...], timeout: float) -> int:
    """Run a program that ends with this process, and return its exit code.

    When this one is told to end, it sends Ctrl-C's signal on and waits `timeout` seconds. Raises KeyboardInterrupt then.
    """
    process = subprocess.Popen(argv, stderr=subprocess.STDOUT)
    try:
        return process.wait()
    except KeyboardInterrupt as interrupt:
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # the end goes on to its own, whatever is pressed
        if interrupt.args:  # a terminal sends Ctrl-C to everything in the foreground itself
            process.send_signal(signal.SIGINT)
        try:
            process.wait(timeout)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        raise
