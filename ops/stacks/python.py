"""Python: an environment that uv makes from the service's lock; the module has the service's name."""

import keyword
import shutil
import sys
import tomllib
from pathlib import Path

from ops.command import Command, run
from ops.stacks.model import BuildPlace, Built, Recipe, StackKind
from ops.tools import find

LOCK = "uv.lock"


def _recipe(place: BuildPlace) -> Recipe:
    uv, home = find("uv"), place.build / place.service.name / "venv"
    # An environment of our own: the tests' one in the service's place.folder has other packages.
    environment = {"UV_PROJECT_ENVIRONMENT": str(home), "VIRTUAL_ENV": "", "UV_PYTHON_DOWNLOADS": "never"}
    argv = (*uv.argv, "sync", "--locked", "--no-dev", "--quiet")
    remedy = "Correct its pyproject.toml and uv.lock, or check that PyPI is reachable."
    command = Command(argv, f"installing {place.service.name}", environment, place.folder, remedy=remedy)
    start = (str(home / "bin" / "python"), "-m", place.service.name.replace("-", "_"))
    return Recipe((command,), Built(start, place.folder, {"PYTHONUNBUFFERED": "1"}), home / "bin" / "python", (uv,))


def _lock(place: BuildPlace) -> None:
    """The versions are those of its packages' locks, as far as they have them, and this machine's copies, as far as there are any."""
    uv, doing = find("uv"), f"locking {place.service.name}"
    for package in place.service.packages:
        if (place.root / package / LOCK).exists():
            shutil.copy(place.root / package / LOCK, place.folder / LOCK)  # uv prefers the versions that it finds
    remedy = "Check that PyPI is reachable: this machine has no copy of some of its packages."
    offline = Command((*uv.argv, "lock", "--quiet", "--offline"), doing, {"VIRTUAL_ENV": ""}, place.folder)
    if run(offline, check=False).code:
        run(Command((*uv.argv, "lock", "--quiet"), doing, {"VIRTUAL_ENV": ""}, place.folder, remedy=remedy))


def _taken(root: Path, name: str) -> str | None:
    module = name.replace("-", "_")
    if module == "tests" or keyword.iskeyword(module):
        return "no name of a Python package that can stand here"
    if module in sys.stdlib_module_names:
        return "a module of Python's standard library"
    locks = (tomllib.loads(path.read_text("utf-8")) for folder in ("packages", "services") for path in (root / folder).glob(f"*/{LOCK}"))
    if any(name == package["name"] for lock in locks for package in lock["package"]):
        return "a Python package that others install"
    return None


STACK = StackKind(_recipe, health=("python", "-m", "nextai_service_kit.healthcheck"), lock=_lock, taken=_taken)
