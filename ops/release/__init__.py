"""A release: facts of the repository, a plan, one atomic push, and its finish on this machine."""

from ops.release.apply import finish, publish
from ops.release.facts import Facts, observe
from ops.release.plan import Plan, plan

__all__ = ["Facts", "Plan", "finish", "observe", "plan", "publish"]
