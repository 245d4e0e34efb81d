"""Packages that a lock file of their own names: fetched into the cache when they are first needed, each checked by its hash."""

import base64
import csv
import hashlib
import re
import sys
import sysconfig
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from ops.command import Command, run
from ops.errors import Failure
from ops.folders import cache
from ops.tools import maven
from ops.tools.kept import kept
from ops.tools.table import Tool


@dataclass(frozen=True, slots=True)
class Locked:
    """A folder with pyproject.toml and uv.lock, what they bring in words, and about how many seconds fetching takes.

    Where the folder has a maven.lock too, the Java archives that it names come into the folder `jars` beside the packages.
    `python`: the version whose wheels are taken, where only programs in them are used, whichever Python runs this. Without one the
    packages are modules: they are for this Python, in an environment of their own.
    """

    folder: Path
    what: str
    seconds: int
    python: tuple[int, int] | None = None


def fetched(locked: Locked, uv: Tool) -> Path:
    """The folder with the packages: their modules, or the environment that has them. Raises `Failure` where a package cannot be had."""
    home = place(locked)
    return kept(home, lambda aside: _fetch(locked, uv, aside))


def place(locked: Locked) -> Path:
    """Where the packages are, or would be: the name is a hash of everything that decides which they are."""
    own = f"{locked.python}" if locked.python else f"{sys.version} {sys.executable}"
    locks = [file.read_bytes() for file in (locked.folder / "uv.lock", locked.folder / maven.LOCK) if file.exists()]
    parts = (*locks, sysconfig.get_platform().encode(), own.encode())
    key = hashlib.sha256(b"\0".join(parts)).hexdigest()[:16]
    return cache() / "tools" / f"{locked.folder.name}-{key}"


def lack(locked: Locked, uv: Tool) -> str:
    """Why this machine cannot have the packages: the first that has no wheel for it. The empty string where it can. Asks no network."""
    import tomllib

    from packaging.pylock import PackageWheel, Pylock, PylockSelectError
    from packaging.tags import compatible_tags, cpython_tags, sys_tags

    version = locked.python
    tags = list(sys_tags()) if version is None else [*cpython_tags(version), *compatible_tags(version, f"cp{version[0]}{version[1]}")]
    wanted = Pylock.from_dict(tomllib.loads(_export(locked, uv, "pylock.toml")))
    try:
        absent = next((package.name for package, kind in wanted.select(tags=tags) if not isinstance(kind, PackageWheel)), "")
    except PylockSelectError as error:
        absent = _named(str(error))
    return f"{absent} has no wheel for {_machine(locked)}" if absent else ""


def _named(words: str) -> str:
    """The package that an error of `packaging` names."""
    found = re.search(r"package '([^']+)'", words)
    return found[1] if found else words


def _machine(locked: Locked) -> str:
    own = "" if locked.python else f" and Python {sys.version_info.major}.{sys.version_info.minor}"
    return sysconfig.get_platform() + own


def _fetch(locked: Locked, uv: Tool, folder: Path) -> None:
    print(f"fetching {locked.what} (once, about {locked.seconds} s)", file=sys.stderr, flush=True)
    _fetch_packages(locked, uv, folder)
    if (archives := locked.folder / maven.LOCK).exists():
        maven.fetch(archives, folder / "jars", locked.what)


def _fetch_packages(locked: Locked, uv: Tool, folder: Path) -> None:
    doing = f"fetching {locked.what}"
    remedy = "Check that the package index of uv's settings is reachable, then run it again."
    requirements = _export(locked, uv, "requirements.txt")
    # By names and hashes, not by the addresses in the lock: so the index of this machine's own settings is asked. Copied, since a file
    # that is linked to uv's cache would be damaged together with it.
    wanted = ("--requirements", "-", "--require-hashes", "--no-deps", "--only-binary", ":all:", "--link-mode", "copy", "--quiet")
    if locked.python:
        where: tuple[str, ...] = ("--target", str(folder), "--python-version", ".".join(map(str, locked.python)))
    else:
        run(Command((*uv.argv, "venv", "--quiet", "--allow-existing", "--python", sys.executable, str(folder)), doing, remedy=remedy))
        where = ("--python", str(folder / "bin" / "python"))
    for again in ((), ("--no-cache", "--reinstall")):
        run(Command((*uv.argv, "pip", "install", *where, *wanted, *again), doing, stdin=requirements, remedy=remedy))
        damaged = next(_damaged(folder), "")
        if not damaged:
            return
    raise Failure(doing, f"{damaged} is not what its package says", "Check the disk, then run it again.")


def _damaged(folder: Path) -> Iterator[str]:
    """Files that are not as the packages have them: uv checks what it downloads, and trusts what it has unpacked before.

    https://packaging.python.org/en/latest/specifications/recording-installed-packages/#the-record-file
    """
    for record in folder.glob("**/*.dist-info/RECORD"):
        for name, checksum, _ in csv.reader(record.read_text("utf-8").splitlines()):
            kind, _, value = checksum.partition("=")
            file = record.parents[1] / name
            if kind == "sha256" and not (file.is_file() and _sha256(file) == value):
                yield name


def _sha256(file: Path) -> str:
    with file.open("rb") as content:
        digest = hashlib.file_digest(content, "sha256").digest()
    return base64.urlsafe_b64encode(digest).rstrip(b"=").decode()


def _export(locked: Locked, uv: Tool, form: str) -> str:
    flags = ("--frozen", "--no-emit-project", "--no-header", "--quiet", "--format", form)
    argv = (*uv.argv, "export", *flags, "--project", str(locked.folder))
    remedy = f"Run `git restore {locked.folder}`."
    return run(Command(argv, f"reading {locked.folder / 'uv.lock'}", {"VIRTUAL_ENV": ""}, remedy=remedy)).stdout
