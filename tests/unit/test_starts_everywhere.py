"""It starts where the README says: each lock has a wheel of each package, for every Python and every machine that is named there."""

import os
import subprocess
import tomllib
from functools import cache
from itertools import product
from pathlib import Path

import pytest
from packaging.markers import Environment
from packaging.pylock import PackageDirectory, PackageWheel, Pylock, PylockSelectError
from packaging.specifiers import SpecifierSet
from packaging.tags import Tag, compatible_tags, cpython_tags, mac_platforms

from ops import stores
from ops.checks.files import tracked
from ops.checks.pythons import NEWEST, OLDEST, SUPPORTED, installed
from ops.tools import find

ROOT = Path(__file__).parents[2]
LOCKS = [Path(name).parent.as_posix() for name in tracked(ROOT, ":(glob)**/uv.lock")]
# By uv's names for them: Linux with glibc 2.28 (Debian 10, RHEL 8), and macOS.
MACOS = (15, 0)
MACHINES = {
    "x86_64-manylinux_2_28": ("linux", "x86_64"),
    "aarch64-manylinux_2_28": ("linux", "aarch64"),
    "x86_64-apple-darwin": ("darwin", "x86_64"),
    "aarch64-apple-darwin": ("darwin", "arm64"),
}
# What nobody makes. `up` says so there, and what to do (test_local_stores.py).
WITHOUT = {("infra/embedded/redis", "x86_64-apple-darwin")}


def environment(minor: int, machine: str) -> Environment:
    system, processor = MACHINES[machine]
    version = f"3.{minor}.0"
    return {
        "implementation_name": "cpython",
        "implementation_version": version,
        "os_name": "posix",
        "platform_machine": processor,
        "platform_python_implementation": "CPython",
        "platform_release": "",
        "platform_system": "Linux" if system == "linux" else "Darwin",
        "platform_version": "",
        "python_full_version": version,
        "python_version": f"3.{minor}",
        "sys_platform": system,
    }


def tags(minor: int, machine: str) -> list[Tag]:
    """The wheels that a Python on a machine takes, best first."""
    system, processor = MACHINES[machine]
    old = {17: "2014", 12: "2010", 5: "1"} if processor == "x86_64" else {17: "2014"}
    linux = [name for n in range(28, 4, -1) for name in (f"manylinux_2_{n}", *([f"manylinux{old[n]}"] if n in old else []))]
    platforms = list(mac_platforms(MACOS, processor)) if system == "darwin" else [f"{name}_{processor}" for name in linux]
    return [*cpython_tags((3, minor), platforms=platforms), *compatible_tags((3, minor), f"cp3{minor}", platforms)]


@cache
def locked(folder: str) -> Pylock:
    argv = (*find("uv").argv, "export", "--frozen", "--offline", "--quiet", "--no-emit-project", "--no-header", "--format", "pylock.toml")
    done = subprocess.run(argv, cwd=ROOT / folder, env={**os.environ, "VIRTUAL_ENV": ""}, capture_output=True, text=True, check=True)
    return Pylock.from_dict(tomllib.loads(done.stdout))


def minors(folder: str) -> list[int]:
    """For which Pythons a folder's packages are installed."""
    programs = [known.program for name in stores.names() if (known := stores.kind_of(name).embedded)]
    own = {program.locked.folder: program.locked.python for program in programs}.get(ROOT / folder)
    return [own[1]] if own else list(SUPPORTED)


@pytest.mark.parametrize(
    ("folder", "machine", "minor"),
    [(folder, machine, minor) for folder, machine in product(LOCKS, MACHINES) for minor in minors(folder)],
)
def test_every_locked_package_has_a_wheel(folder: str, machine: str, minor: int) -> None:
    try:
        found = list(locked(folder).select(environment=environment(minor, machine), tags=tags(minor, machine)))
    except PylockSelectError as error:
        assert (folder, machine) in WITHOUT, error
        return
    assert (folder, machine) not in WITHOUT, "there is one now: take it out of the table, and out of the README"
    assert found
    # Our own packages are folders of the checkout; whatever else comes as source may want a compiler, or fetch a program.
    assert [package.name for package, kind in found if not isinstance(kind, PackageWheel | PackageDirectory)] == []


@pytest.mark.parametrize(("minor", "python"), installed().items(), ids=[f"3.{minor}" for minor in installed()])
@pytest.mark.parametrize("machine", MACHINES)
def test_uv_would_install_the_lock_of_the_build_system(tmp_path: Path, minor: int, python: Path, machine: str) -> None:
    # The same question to uv itself, for the Pythons that are here: it reads the lock alone.
    flags = ("--dry-run", "--locked", "--offline", "--no-build", "--python", str(python), "--python-platform", machine)
    env = {**os.environ, "VIRTUAL_ENV": "", "UV_PROJECT_ENVIRONMENT": str(tmp_path / "venv")}
    done = subprocess.run((*find("uv").argv, "sync", *flags), cwd=ROOT, env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "Would install" in done.stderr
    assert f"CPython 3.{minor}." in done.stderr


def test_the_pythons_are_those_that_every_project_says_it_starts_on() -> None:
    said = {folder: tomllib.loads((ROOT / folder / "pyproject.toml").read_text())["project"]["requires-python"] for folder in LOCKS}
    assert set(said.values()) == {f">=3.{OLDEST}"}
    assert all(f"3.{minor}" in SpecifierSet(f">=3.{OLDEST}") for minor in SUPPORTED)
    assert f"Python 3.{OLDEST} to 3.{NEWEST}, on Linux or macOS {MACOS[0]}" in (ROOT / "README.md").read_text()
