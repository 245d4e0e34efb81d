"""The Pythons of this machine that the build system starts on."""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

OLDEST, NEWEST = 11, 14  # 3.11, as pyproject.toml has it, to the newest that the locks have wheels for
SUPPORTED = range(OLDEST, NEWEST + 1)


def installed() -> dict[int, Path]:
    """An interpreter for each minor version of Python 3 that is here and supported, oldest first; this one is always among them."""
    found = {sys.version_info.minor: Path(sys.executable)}
    for minor in SUPPORTED:
        for program in _candidates(minor):
            if minor not in found and _runs(program, minor):
                found[minor] = program
    return dict(sorted(found.items()))


def _candidates(minor: int) -> Iterator[Path]:
    name = f"python3.{minor}"
    if program := shutil.which(name):
        yield Path(program)
    # Those that pyenv and uv have installed are not on PATH, or by a name that refuses to start.
    for folder in (os.environ.get("PYENV_ROOT") or "~/.pyenv", os.environ.get("UV_PYTHON_INSTALL_DIR") or "~/.local/share/uv/python"):
        yield from sorted(Path(folder).expanduser().glob(f"**/bin/{name}"), reverse=True)


def _runs(program: Path, minor: int) -> bool:
    """Whether it is that version, and can make environments (Debian keeps the modules for it in a package of their own)."""
    code = f"import sys, venv, ensurepip; sys.exit(sys.version_info[:2] != (3, {minor}))"
    try:
        return subprocess.run((program, "-I", "-c", code), capture_output=True, check=False, timeout=20).returncode == 0
    except (OSError, subprocess.TimeoutExpired):
        return False
