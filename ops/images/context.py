"""The builder's context: a folder with exactly the files that were hashed, as they were when they were hashed."""

import os
from pathlib import Path

from ops.errors import Refused
from ops.images.disk import is_real, plain, shown
from ops.images.key import blob
from ops.images.model import EPOCH, Inputs

DOING = "preparing the build"
_MODES = {"100644": 0o644, "100755": 0o755}


def write(root: Path, inputs: Inputs, folder: Path) -> None:
    """Fill an empty folder with an image's files: mode and date are the same whoever builds, and the mode is that of the plan.

    A file's date is made from its content. BuildKit keeps what it was sent before and takes a file of the same path, size, mode and
    date as unchanged, whatever folder it comes from: with one date for all, a changed line of equal length would not reach the image.
    Nothing is read through a symbolic link, and nothing is written through one.

    Raises `Refused` when a file is no longer what was hashed.
    """
    length = next((len(entry.content) for entry in inputs.entries), 40)
    folders: set[str] = {""}
    for entry in inputs.entries:
        _folder(folder, entry.path.rpartition("/")[0], folders)
        content = entry.text.encode() if entry.text is not None else _content(root, entry.path, link=entry.mode == "120000")
        if content is None or blob(content, length) != entry.content:
            cause = f"{shown(entry.path)} changed after the plan was made"
            raise Refused(DOING, cause, "Run it again: the plan will be made anew.")
        target, date = folder / entry.path, date_of(entry.content)
        if entry.mode == "120000":
            target.symlink_to(os.fsdecode(content))
        else:
            with target.open("xb") as stream:  # never what is there already, a link least of all
                stream.write(content)
                os.fchmod(stream.fileno(), _MODES[entry.mode])
        os.utime(target, ns=(date, date), follow_symlinks=False)
    for parent, _, _ in os.walk(folder, topdown=False):
        os.chmod(parent, 0o755)  # noqa: S103, PTH101 (what is in an image is no secret, and its user must read it)
        os.utime(parent, (EPOCH, EPOCH))


def _folder(context: Path, path: str, made: set[str]) -> None:
    """Make a folder of the context and those above it. What is there already and was not made here is a file or a link of the image."""
    if path in made:
        return
    _folder(context, path.rpartition("/")[0], made)
    try:
        (context / path).mkdir()
    except FileExistsError as error:
        cause = f"{shown(path)} is a file or a link, and a folder with files as well"
        raise Refused(DOING, cause, "Run `git status` there, and let it be one of them.") from error
    made.add(path)


def date_of(content: str) -> int:
    """A date in the ten years before EPOCH, in nanoseconds: another one for any other content (of 58 bits of the hash)."""
    return EPOCH * 10**9 - int(content[:15], 16) % (10 * 365 * 86400 * 10**9)


def _content(root: Path, path: str, *, link: bool) -> bytes | None:
    try:
        if link:
            return os.fsencode((root / path).readlink()) if is_real(root, path.rpartition("/")[0], {}) else None
        return plain(root, path)
    except OSError:
        return None
