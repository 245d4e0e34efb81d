"""Images: inputs → key → plan → build → push → digest."""

from ops.images.build import build
from ops.images.model import Base, BuildEngine, BuildPlan, InputFile, Inputs, Planned
from ops.images.plan import plan

__all__ = ["Base", "BuildEngine", "BuildPlan", "InputFile", "Inputs", "Planned", "build", "plan"]
