"""A release: facts of the repository, a plan, one atomic push, and its finish on this machine."""

from ops.release.apply import finish, publish
from ops.release.facts import ReleaseFacts, observe
from ops.release.plan import ReleasePlan, plan

__all__ = ["ReleaseFacts", "ReleasePlan", "finish", "observe", "plan", "publish"]
