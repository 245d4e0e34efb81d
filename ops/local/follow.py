"""The processes' log files as one stream, a name before each line."""

import contextlib
import sys
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path

from ops.console import say

_COLOURS = (36, 33, 35, 32, 34, 96, 93, 95, 92, 94)  # ANSI foregrounds that read well on light and dark


class Follower:
    """Guards how far each file has been shown."""

    def __init__(self, files: Mapping[str, Path], *, from_end: bool) -> None:
        self._files = dict(files)
        self._width = max((len(name) for name in files), default=0)
        self._shown = {name: _size(file) if from_end else 0 for name, file in files.items()}
        self._rest = dict.fromkeys(files, b"")

    def show(self) -> bool:
        """Show what is new in every file; whether there was anything."""
        news = False
        for number, (name, file) in enumerate(self._files.items()):
            for line in self._new_lines(name, file):
                say(self._prefix(number, name) + line)
                news = True
        return news

    def _new_lines(self, name: str, file: Path) -> list[str]:
        with contextlib.suppress(OSError), file.open("rb") as source:
            if _size(file) < self._shown[name]:
                self._shown[name] = 0  # the process was started anew, with a new file
            source.seek(self._shown[name])
            read = source.read(1 << 20)
            self._shown[name] += len(read)
            *lines, self._rest[name] = (self._rest[name] + read).split(b"\n")
            return [line.decode("utf-8", "replace").rstrip("\r") for line in lines]
        return []

    def _prefix(self, number: int, name: str) -> str:
        label = name.ljust(self._width)
        return f"\x1b[{_COLOURS[number % len(_COLOURS)]}m{label} │\x1b[0m " if sys.stdout.isatty() else f"{label} | "


def _size(file: Path) -> int:
    with contextlib.suppress(OSError):
        return file.stat().st_size
    return 0


def follow(files: Mapping[str, Path], going: Callable[[], bool], *, from_end: bool = False) -> None:
    """Show the files as they grow, as long as `going()`."""
    follower = Follower(files, from_end=from_end)
    while going():
        if not follower.show():
            time.sleep(0.1)  # a file that grows sends no event; `tail -f` without inotify waits in the same way
    follower.show()


def lines(file: Path, tail: int, going: Callable[[], bool]) -> Iterator[str]:
    """The last `tail` lines of a file, and those that come as long as `going()`."""
    return joined(_parts(file, tail, going))


def _parts(file: Path, tail: int, going: Callable[[], bool]) -> Iterator[bytes]:
    with file.open("rb") as source:
        yield b"".join(deque(source, maxlen=tail))
        goes = True
        while goes:
            goes = going()  # asked before the file is read: what was written just before the end is shown too
            yield (part := source.read())
            if goes and not part:
                time.sleep(0.1)  # as above


def joined(parts: Iterable[bytes]) -> Iterator[str]:
    """The lines of a text that comes in parts, each as soon as it is whole; the last one may lack its end."""
    rest = b""
    for part in parts:
        *whole, rest = (rest + part).split(b"\n")
        yield from (line.decode("utf-8", "replace").rstrip("\r") for line in whole)
    if rest:
        yield rest.decode("utf-8", "replace")
