"""What the other rooms see of a testbed: a registry, an engine and a context, as in production."""

from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, Literal

Part = Literal["engine", "cluster", "images", "metrics"]
PARTS: tuple[Part, ...] = ("engine", "cluster", "images", "metrics")
"""engine: registry and Docker · cluster: registry and Kubernetes · images: the stand-ins for official images, in the engine
and in the registry · metrics: wait until `kubectl top` and the HorizontalPodAutoscaler have figures."""

Provider = Literal["native", "container", "existing"]
"""native: on this machine, as root · container: the same inside one container of a Docker engine · existing: named by the environment."""

USUAL: tuple[Part, ...] = ("engine", "cluster", "images")
CONTEXT = "nextai-testbed"
WAITING = "another process starts or stops the testbed: waiting for it"


@dataclass(frozen=True, slots=True)
class Testbed:
    """A registry, a Docker Engine and a Kubernetes that may be thrown away.

    `registry` is host:port as a client of this machine names it; `docker_config` and `kubeconfig` are for DOCKER_CONFIG and
    KUBECONFIG; `docker_certificates`, for DOCKER_CERT_PATH, is the folder of the client's key and certificates where the engine
    is reached by TLS; `audit_log` (JSON lines, every write that the API server answered) is None where the provider has none.
    """

    __test__: ClassVar[bool] = False  # pytest takes every class called Test… for one of its own

    provider: Provider
    registry: str
    docker_host: str
    docker_config: Path
    kubeconfig: Path
    context: str
    kubectl: Path
    docker: Path
    docker_certificates: Path | None = None
    audit_log: Path | None = None
    parts: tuple[Part, ...] = ()
