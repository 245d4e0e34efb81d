"""One file a stack, by the stack's name in platform.yaml: its `STACK` says how a service is built, started and asked for its health."""

from ops.kinds import Kinds
from ops.stacks.model import BuildPlace, Built, Recipe, StackKind

__all__ = ["BuildPlace", "Built", "Recipe", "StackKind", "kind_of", "names"]

KINDS = Kinds(__name__, "STACK", StackKind, what="stack", entry="stack", others=("model", "scaffold"))
names, kind_of = KINDS.names, KINDS.of
