"""One file a stack, by the stack's name in platform.yaml: its `STACK` says how a service is built, started and asked for its health."""

from importlib import import_module
from pkgutil import iter_modules

from ops.errors import UsageError
from ops.stacks.model import BuildPlace, Built, Recipe, StackKind

__all__ = ["BuildPlace", "Built", "Recipe", "StackKind", "kind_of", "names"]


def names() -> list[str]:
    """The stacks that there is a file for."""
    return sorted(module.name for module in iter_modules(__path__) if module.name not in ("model", "scaffold"))


def kind_of(stack: str) -> StackKind:
    """What is known of a stack. Raises `UsageError` where it has no file."""
    if stack not in names():
        cause = f"there is no ops/stacks/{stack}.py (there is {', '.join(names())})"
        raise UsageError(f"looking for the stack {stack}", cause, "Add the file, or correct the stack's name in platform.yaml.")
    found = import_module(f"{__name__}.{stack}").STACK
    assert isinstance(found, StackKind)
    return found
