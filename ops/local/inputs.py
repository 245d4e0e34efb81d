"""Whether what was built of a service is still what its files say: a hash of path, mode and content of each input."""

import hashlib
import os
from collections.abc import Iterable
from pathlib import Path

from ops.command import Command, run
from ops.images.disk import content_of, is_real


def key(root: Path, paths: Iterable[str], *more: str) -> str:
    """The hash of every file of `paths` that git does not ignore, and of `more` (tool versions). Unmodified files are not read."""
    chosen = tuple(paths)
    digest = hashlib.sha256()
    for text in more:
        digest.update(text.encode() + b"\0")
    for path, content in sorted(_contents(root, chosen).items()):
        digest.update(f"{path}\0{content}\0".encode())
    return digest.hexdigest()


def _contents(root: Path, paths: tuple[str, ...]) -> dict[str, str]:
    found: dict[str, str] = {}
    known: dict[str, bool] = {}
    for entry in _git(root, ("ls-files", "-s", "-z"), paths):
        mode, _, rest = entry.partition(" ")
        found[rest.partition("\t")[2]] = f"{mode} {rest.split(' ', 1)[0]}"
    for path in _git(root, ("ls-files", "-m", "-o", "--exclude-standard", "-z"), paths):
        file = root / path
        if file.is_symlink():
            found[path] = f"link {file.readlink()}"
        elif file.is_file():
            found[path] = f"{os.access(file, os.X_OK)} {hashlib.sha256(content_of(file)).hexdigest()}"
        else:
            found.pop(path, None)  # removed from the folder, still in the index
    # Of a tracked folder that gave way to a link, git lists the files as they were: what is behind the link is no input.
    return {path: content for path, content in found.items() if is_real(root, path.rpartition("/")[0], known)}


def _git(root: Path, command: tuple[str, ...], paths: tuple[str, ...]) -> list[str]:
    argv = ("git", "-C", str(root), *command, "--", *paths)
    done = run(Command(argv, "listing the files of a service", {"LC_ALL": "C"}, remedy="Run this in a clone of the repository."))
    return [entry for entry in done.stdout.split("\0") if entry]
