"""Go: one static program, `./cmd/server`."""

from ops.command import Command
from ops.stacks.model import BuildPlace, Built, Recipe, StackKind
from ops.tools import find


def _recipe(place: BuildPlace) -> Recipe:
    go, program = find("go"), place.build / place.service.name / "server"  # go makes the folder
    argv = (*go.argv, "build", "-o", str(program), "./cmd/server")
    remedy = "Correct the code, or check that the Go module proxy is reachable."
    command = Command(argv, f"building {place.service.name}", {**go.env, "CGO_ENABLED": "0"}, place.folder, remedy=remedy)
    return Recipe((command,), Built((str(program),), place.folder), program, (go,))


STACK = StackKind(_recipe, health=("/server", "-healthcheck"))
