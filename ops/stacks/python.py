"""Python: an environment that uv makes from the service's lock; the module has the service's name."""

from ops.command import Command
from ops.stacks.model import BuildPlace, Built, Recipe, StackKind
from ops.tools import find


def _recipe(place: BuildPlace) -> Recipe:
    uv, home = find("uv"), place.build / place.service.name / "venv"
    # An environment of our own: the tests' one in the service's place.folder has other packages.
    environment = {"UV_PROJECT_ENVIRONMENT": str(home), "VIRTUAL_ENV": "", "UV_PYTHON_DOWNLOADS": "never"}
    argv = (*uv.argv, "sync", "--locked", "--no-dev", "--quiet")
    remedy = "Correct its pyproject.toml and uv.lock, or check that PyPI is reachable."
    command = Command(argv, f"installing {place.service.name}", environment, place.folder, remedy=remedy)
    start = (str(home / "bin" / "python"), "-m", place.service.name.replace("-", "_"))
    return Recipe((command,), Built(start, place.folder, {"PYTHONUNBUFFERED": "1"}), home / "bin" / "python", (uv,))


def _lock(place: BuildPlace) -> Command:
    remedy = "Check that PyPI is reachable."
    return Command((*find("uv").argv, "lock", "--quiet"), f"locking {place.service.name}", {"VIRTUAL_ENV": ""}, place.folder, remedy=remedy)


STACK = StackKind(_recipe, health=("python", "-m", "nextai_service_kit.healthcheck"), lock=_lock)
