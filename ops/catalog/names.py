"""The names by which a deploy is known in a cluster."""

from typing import Final

OWNED: Final = "nextai-agent.com/environment"  # the label of everything that a deploy makes; its value is the environment
MANAGER: Final = "nextai-deploy"  # the field manager, the Lease, and the User-Agent
