"""The builder's context: a folder with exactly the files that were hashed, as they were when they were hashed."""

import os
from pathlib import Path

from ops.errors import Refused
from ops.images.key import blob
from ops.images.model import EPOCH, Inputs

_MODES = {"100644": 0o644, "100755": 0o755}


def write(root: Path, inputs: Inputs, folder: Path) -> None:
    """Fill an empty folder with an image's files: mode and date are the same whoever builds, and the mode is that of the plan.

    A file's date is made from its content. BuildKit keeps what it was sent before and takes a file of the same path, size, mode and
    date as unchanged, whatever folder it comes from: with one date for all, a changed line of equal length would not reach the image.

    Raises `Refused` when a file is no longer what was hashed.
    """
    length = next((len(entry.content) for entry in inputs.entries), 40)
    for entry in inputs.entries:
        target = folder / entry.path
        target.parent.mkdir(parents=True, exist_ok=True)
        content = entry.text.encode() if entry.text is not None else _content(root / entry.path, link=entry.mode == "120000")
        if content is None or blob(content, length) != entry.content:
            cause = f"{entry.path} changed after the plan was made"
            raise Refused("preparing the build", cause, "Run it again: the plan will be made anew.")
        if entry.mode == "120000":
            target.symlink_to(os.fsdecode(content))
        else:
            target.write_bytes(content)
            target.chmod(_MODES[entry.mode])
        date = date_of(entry.content)
        os.utime(target, ns=(date, date), follow_symlinks=False)
    for parent, _, _ in os.walk(folder, topdown=False):
        os.chmod(parent, 0o755)  # noqa: S103, PTH101 (what is in an image is no secret, and its user must read it)
        os.utime(parent, (EPOCH, EPOCH))


def date_of(content: str) -> int:
    """A date in the ten years before EPOCH, in nanoseconds: another one for any other content (of 58 bits of the hash)."""
    return EPOCH * 10**9 - int(content[:15], 16) % (10 * 365 * 86400 * 10**9)


def _content(file: Path, *, link: bool) -> bytes | None:
    try:
        if link:
            return os.fsencode(file.readlink())
        # A link that took the file's place would lead out of what was hashed.
        descriptor = os.open(file, os.O_RDONLY | os.O_NOFOLLOW)
        with os.fdopen(descriptor, "rb") as stream:
            return stream.read()
    except OSError:
        return None
