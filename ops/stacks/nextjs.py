"""Next.js: built and started as every package of the workspace, but its health check is not bundled."""

from ops.stacks.model import StackKind
from ops.stacks.node import LOCK, lock, recipe, taken

STACK = StackKind(recipe, health=("node", "healthcheck.ts"), lock=lock, shared_lock=LOCK, taken=taken)
