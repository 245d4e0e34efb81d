"""A cluster, as everything in this room needs to know it."""

from pathlib import Path
from typing import Protocol


class ClusterAccess(Protocol):
    """A cluster and the way to it."""

    @property
    def kubeconfig(self) -> Path | None:
        """Its kubeconfig file; None means the usual ones (KUBECONFIG, ~/.kube/config)."""

    @property
    def context(self) -> str:
        """The context in it."""

    @property
    def server(self) -> str:
        """The address of its API server."""

    @property
    def kubectl(self) -> Path | None:
        """A kubectl that fits it; None means the one of this machine."""

    @property
    def agent(self) -> str:
        """The User-Agent of each request, which the audit log of the API server shows."""
