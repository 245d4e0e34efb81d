"""Images: inputs → key → plan → build → push → digest."""

from ops.images.affected import affected
from ops.images.build import build
from ops.images.model import Base, BuildPlan, Engine, Entry, Inputs, Planned
from ops.images.plan import plan

__all__ = ["Base", "BuildPlan", "Engine", "Entry", "Inputs", "Planned", "affected", "build", "plan"]
