"""One process at a time: a lock that is a file. The system drops it when its process dies, whatever ended that."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ops.say import Say


@contextmanager
def exclusive(lock: Path, waiting: str, say: Say) -> Iterator[None]:
    """Hold the lock. Where another process has it, say `waiting`, if that is not empty, and wait without a limit.

    The lock's folder must be there. Raises OSError where the file cannot be written.
    """
    from filelock import FileLock, Timeout

    held = FileLock(lock)
    try:
        held.acquire(timeout=0)
    except Timeout:
        if waiting:
            say(waiting)
        held.acquire()
    try:
        yield
    finally:
        held.release()
