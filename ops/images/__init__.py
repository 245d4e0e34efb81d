"""Images: inputs → key → plan → build → push → digest."""

from ops.images.build import build
from ops.images.model import Base, BuildPlan, Engine, Entry, Inputs, Planned
from ops.images.plan import plan

__all__ = ["Base", "BuildPlan", "Engine", "Entry", "Inputs", "Planned", "build", "plan"]
