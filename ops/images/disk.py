"""Files of the checkout as they lie on disk, and none that a symbolic link leads to."""

import errno
import os
import stat
from pathlib import Path


def is_real(root: Path, folder: str, known: dict[str, bool]) -> bool:
    """Whether a folder is there, and neither it nor any folder between it and `root` is a symbolic link. `known` keeps the answers."""
    if not folder:
        return True
    if folder not in known:
        known[folder] = is_real(root, folder.rpartition("/")[0], known) and _is_folder(root / folder)
    return known[folder]


def _is_folder(path: Path) -> bool:
    try:
        return stat.S_ISDIR(path.lstat().st_mode)
    except OSError:
        return False


def plain(root: Path, path: str) -> bytes:
    """The content of a file below `root` that no link leads to. Raises OSError, for a link too."""
    if not is_real(root, path.rpartition("/")[0], {}) or (root / path).is_symlink():
        raise OSError(errno.ELOOP, "what is behind a symbolic link is no input", path)
    return content_of(root / path)


def content_of(file: str | Path) -> bytes:
    """A file's content; a link in the file's place, put there meanwhile, is not followed."""
    with os.fdopen(os.open(file, os.O_RDONLY | os.O_NOFOLLOW), "rb") as stream:
        return stream.read()


def shown(path: str) -> str:
    """A file's name for people: what cannot be printed, or is not UTF-8, is escaped."""
    text = os.fsencode(path).decode("utf-8", "backslashreplace")
    return "".join(char if char.isprintable() else char.encode("unicode_escape").decode() for char in text)
