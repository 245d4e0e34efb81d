"""What is slow to fetch or to build is made once, under a name that says what it was made from."""

import contextlib
import hashlib
import os
import shutil
import tempfile
import time
from collections.abc import Callable, Iterable
from pathlib import Path

from ops.say import Say


def key_of(*parts: str) -> str:
    """A short name for these sources: the same text gives the same key, and any change another one."""
    digest = hashlib.sha256()
    for part in parts:
        data = part.encode()
        digest.update(f"{len(data)}:".encode() + data)  # with its length, or ("ab", "c") would be ("a", "bc")
    return digest.hexdigest()[:16]


def text_of(paths: Iterable[Path]) -> list[str]:
    """Names and contents of files, for `key_of`."""
    return [text for path in sorted(paths) for text in (path.name, path.read_text())]


def kept(target: Path, make: Callable[[Path], None], what: str, say: Say) -> Path:
    """`target`, made by `make` in an empty folder beside it and renamed when it is whole, unless it is there already.

    A process that is killed in the middle leaves a folder of another name, which the next one removes.
    """
    if target.exists():
        return target
    target.parent.mkdir(parents=True, exist_ok=True)
    _remove_abandoned(target.parent)
    work = Path(tempfile.mkdtemp(prefix=f".new-{os.getpid()}-", dir=target.parent))
    work.chmod(0o755)
    say(f"{what} …")
    begin = time.monotonic()
    try:
        make(work)
        try:
            work.rename(target)
        except OSError:
            if not target.exists():  # else somebody else made the same meanwhile, and theirs is as good
                raise
    finally:
        shutil.rmtree(work, ignore_errors=True)
    say(f"{what}: {time.monotonic() - begin:.0f} s")
    return target


def write(path: Path, text: str, mode: int = 0o644) -> Path:
    """Put `text` into a file, whose folders are made."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with contextlib.suppress(FileNotFoundError):
        path.chmod(mode)
    with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode), "w") as file:  # noqa: PTH123 - the mode from the first byte on
        file.write(text)
    return path


def _remove_abandoned(folder: Path) -> None:
    for leftover in folder.glob(".new-*"):
        pid = leftover.name.split("-")[1]
        if not Path("/proc", pid).exists():
            shutil.rmtree(leftover, ignore_errors=True)
