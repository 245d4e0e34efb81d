"""Where each external program comes from: found on this machine, taken from a wheel, or fetched or built once."""

from ops.tools.find import find, names, survey
from ops.tools.table import Found, Missing, Tool

__all__ = ["Found", "Missing", "Tool", "find", "names", "survey"]
