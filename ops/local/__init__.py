"""The platform on this machine: with Docker Compose, or as processes where there is no Docker."""

from ops.local.servers import stores
from ops.local.state import state_folder
from ops.verbs.up import down, logs, status, up, variables

__all__ = ["down", "logs", "state_folder", "status", "stores", "up", "variables"]
