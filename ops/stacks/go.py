"""Go: one static program, `./cmd/server`."""

from ops.command import Command, run
from ops.stacks.model import BuildPlace, Built, Recipe, StackKind
from ops.tools import find


def _recipe(place: BuildPlace) -> Recipe:
    go, program = find("go"), place.build / place.service.name / "server"  # go makes the folder
    argv = (*go.argv, "build", "-o", str(program), "./cmd/server")
    remedy = "Correct the code, or check that the Go module proxy is reachable."
    command = Command(argv, f"building {place.service.name}", {**go.env, "CGO_ENABLED": "0"}, place.folder, remedy=remedy)
    return Recipe((command,), Built((str(program),), place.folder), program, (go,))


def _lock(place: BuildPlace) -> None:
    go, doing = find("go"), f"locking {place.service.name}"
    run(Command((*go.argv, "mod", "tidy"), doing, go.env, place.folder, remedy="Check that the Go module proxy is reachable."))


STACK = StackKind(_recipe, health=("/server", "-healthcheck"), lock=_lock)
