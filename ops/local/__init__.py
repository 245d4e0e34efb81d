"""The platform on this machine: with Docker Compose, or as processes where there is no Docker."""

from ops.local.servers import stores
from ops.local.state import state_folder

__all__ = ["state_folder", "stores"]
