"""What git says of a checkout that it cannot use, and what to do then. Its words: git's own sources, `setup.c` and `lockfile.c`."""

import re

_LOCKED = re.compile(r"Unable to create '(?P<file>[^']+\.lock)': File exists")
_FOREIGN = re.compile(r"detected dubious ownership in repository at '(?P<folder>[^']+)'")


def remedy(words: str) -> str | None:
    """What to do about a leftover lock, or a checkout of another user; None for any other message of git."""
    if found := _LOCKED.search(words):
        return f"Wait for the git process that holds it. If none runs, it is left from one that was ended: remove {found['file']}"
    if found := _FOREIGN.search(words):
        folder = found["folder"]
        return f"The checkout belongs to another user. Run it as that user, or trust it: git config --global --add safe.directory {folder}"
    return None
