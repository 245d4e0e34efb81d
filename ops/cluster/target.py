"""Which cluster an environment means, and the refusal of every other one."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from ops.catalog.model import Catalog, Environment
from ops.catalog.names import MANAGER
from ops.errors import Refused, UsageError
from ops.guess import did_you_mean
from ops.kube.kubeconfig import context_of, read, usual_files

if TYPE_CHECKING:
    from ops.kube.client import Client


class TestbedAccess(Protocol):
    """What is needed to know of a throw-away cluster on this machine."""

    @property
    def kubeconfig(self) -> Path:
        """Its kubeconfig file."""

    @property
    def context(self) -> str:
        """The context in it."""

    @property
    def kubectl(self) -> Path:
        """A kubectl that fits it."""


@dataclass(frozen=True, slots=True)
class Target:
    """An environment and the cluster it is deployed to.

    `kubeconfig` None means the usual files (KUBECONFIG, ~/.kube/config). `rehearsal` says that the cluster is a testbed.
    """

    environment: Environment
    kubeconfig: Path | None
    context: str
    server: str
    rehearsal: bool = False
    kubectl: Path | None = None

    @property
    def agent(self) -> str:
        """Who asks, to the cluster's audit log."""
        return MANAGER

    @property
    def flags(self) -> str:
        """What names it on a command line."""
        return f"--env {self.environment.name}" + " --testbed" * self.rehearsal

    def __str__(self) -> str:
        return f"{self.environment.name} (context {self.context}, {self.server})"


def target_of(client: "Client") -> Target:
    """The environment that a connection of this room was opened for."""
    assert isinstance(client.cluster, Target)
    return client.cluster


def resolve_target(catalog: Catalog, env: str, testbed: TestbedAccess | None = None) -> Target:
    """The cluster of an environment: the catalogue's context at the catalogue's address, or the testbed.

    Raises `UsageError` for an environment without a cluster or a kubeconfig that does not have the context,
    and `Refused` when the context leads to another cluster.
    """
    environment = _environment(catalog, env)
    if testbed is not None:
        server = context_of(read([testbed.kubeconfig]), testbed.context).server
        return Target(environment, testbed.kubeconfig, testbed.context, server, rehearsal=True, kubectl=testbed.kubectl)
    if environment.cluster is None:
        raise UsageError(
            f"resolving the environment {env}",
            "the catalogue names no cluster for it",
            "Add `cluster` to it in platform.yaml.",
        )
    context = environment.cluster.context
    server = context_of(read(usual_files()), context).server
    if _address(server) != _address(environment.cluster.server):
        raise Refused(
            f"resolving the cluster of {env}",
            f"context {context} is for {server}, and {env} is deployed to {environment.cluster.server}",
            "Correct the context in your kubeconfig, or the environment's `cluster` in platform.yaml.",
        )
    return Target(environment, None, context, server)


def no_environment(env: str, known: Iterable[str]) -> UsageError:
    """What is said of an environment that there is not."""
    known = list(known)
    cause = f"there is no environment {env}{did_you_mean(env, known)}"
    return UsageError("resolving the environment", cause, f"Name one of: {', '.join(known)}.")


def _environment(catalog: Catalog, env: str) -> Environment:
    clusters = [name for name, e in catalog.environments.items() if e.kind == "kubernetes"]
    known = ", ".join(clusters)
    environment = catalog.environments.get(env)
    if environment is None:
        raise no_environment(env, catalog.environments)
    if environment.kind != "kubernetes":
        raise UsageError(f"resolving the environment {env}", "it is this machine, and not a cluster", f"Name one of: {known}.")
    return environment


def _address(server: str) -> tuple[str, str, int, str]:
    """Scheme, host, port and path, so that `https://HOST` and `https://host:443/` are the same address, and two clusters behind one
    proxy (`https://rancher/k8s/clusters/c-1`) are two."""
    from urllib.parse import unquote, urlsplit

    try:
        parts = urlsplit(server.strip())
        scheme, host = parts.scheme.lower(), (parts.hostname or "").lower().rstrip(".")
        port = parts.port if parts.port is not None else 443 if scheme == "https" else 80
        return scheme, host, port, unquote(parts.path).rstrip("/")
    except ValueError:  # no address: no other one is the same
        return server, "", 0, ""
