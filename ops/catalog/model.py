"""The catalogue as values: what `platform.yaml` says, validated, frozen."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Literal

EnvironmentKind = Literal["local", "kubernetes"]
Host = Literal["domain", "api"]
Profile = Literal["single", "replicated"]
VariableType = Literal["string", "url", "int", "port", "duration", "bool", "list", "enum"]

COMPONENT: Final = "backend"
MAX_REPLICAS: Final = 6
TIME_ZONE: Final = "Etc/UTC"
DEADLINE: Final = "1h"


@dataclass(frozen=True, slots=True)
class Resources:
    """What a pod is given (`requests`) and what it may use at most (`limits`): cpu and memory, as Kubernetes writes them."""

    requests: Mapping[str, str]
    limits: Mapping[str, str]


RESOURCES: Final = Resources({"cpu": "250m", "memory": "256Mi"}, {"cpu": "1", "memory": "512Mi"})
"""Of a service of which neither the entry nor the stack says anything else."""


@dataclass(frozen=True, slots=True)
class Stack:
    """How services of one language are built and tested. Paths are relative to the checkout."""

    name: str
    dockerfile: str
    bases: Mapping[str, str]  # build argument -> image reference
    test: tuple[str, ...]  # run in the service's folder, with the stores' variables set
    user: int  # numeric user id inside the image
    shared: tuple[str, ...] = ()  # files that go into every image of the stack


@dataclass(frozen=True, slots=True)
class Route:
    """A path prefix (without /api) that the gateway sends to a service."""

    prefix: str
    public: bool = False  # reachable without a signed-in user
    stream: bool = False  # the answer is passed on while it is made


@dataclass(frozen=True, slots=True)
class Ingress:
    """What the Ingress sends to a service: a path prefix of one of the environment's two host names."""

    host: Host
    path: str = "/"


@dataclass(frozen=True, slots=True)
class Image:
    """What becomes one image: a service or a job. `path` and `packages` are its inputs, relative to the checkout."""

    name: str
    stack: Stack
    path: str
    dockerfile: str
    namespace: str
    packages: tuple[str, ...] = ()  # other folders that go into it
    files: tuple[str, ...] = ()  # other files that go into it
    needs: tuple[str, ...] = ()  # services and stores


@dataclass(frozen=True, slots=True)
class Service(Image):
    """An image that serves: ports, health paths, replicas per environment, resources."""

    port: int = 0
    local_port: int = 0
    health: str = "/health"
    ready: str = "/health"
    replicas: Mapping[str, int] = field(default_factory=dict)
    routes: tuple[Route, ...] = ()
    migrations: bool = False  # waits for the database's migrations
    page: bool = False  # the address that `invoke up` prints
    max_replicas: int = MAX_REPLICAS
    resources: Resources = RESOURCES
    component: str = COMPONENT
    ingress: Ingress | None = None


@dataclass(frozen=True, slots=True)
class Job(Image):
    """An image that is run to its end: at the times of its `schedule`; without one, once with each deploy that changes it."""

    schedule: str | None = None  # five fields of cron
    time_zone: str = TIME_ZONE
    deadline: str = DEADLINE  # a duration, after which a run is ended
    resources: Resources = RESOURCES


@dataclass(frozen=True, slots=True)
class Contents:
    """What a store is to have in it when its users come. Its kind says which of these it can hold."""

    topics: tuple[str, ...] = ()
    queues: tuple[str, ...] = ()
    buckets: tuple[str, ...] = ()


EMPTY: Final = Contents()


@dataclass(frozen=True, slots=True)
class Store:
    """A database, cache or vector store: taken as an image, never built here. `lines`: where in platform.yaml its fields stand."""

    name: str
    image: str
    port: int
    local_port: int
    namespace: str
    data: str  # the folder inside the image that must survive
    given_kind: str = ""  # where it is not the name
    contents: Contents = EMPTY
    profiles: Mapping[str, Profile] = field(default_factory=dict)  # environment with a cluster -> its form there
    storage: Mapping[str, str] = field(default_factory=dict)  # environment with a cluster -> size of its volume, where not its kind's
    resources: Mapping[str, Resources] = field(default_factory=dict)  # environment with a cluster -> amounts that are not its kind's
    lines: Mapping[str, int] = field(default_factory=dict, compare=False, repr=False)

    @property
    def kind(self) -> str:
        """Whose file of ops/stores knows it."""
        return self.given_kind or self.name


@dataclass(frozen=True, slots=True)
class Cluster:
    """The cluster that an environment belongs to: the kubeconfig context and the API server's address."""

    context: str
    server: str


@dataclass(frozen=True, slots=True)
class Environment:
    """local: this machine. kubernetes: an overlay on a named cluster."""

    name: str
    kind: EnvironmentKind
    domain: str
    api: str | None = None
    overlay: str | None = None
    cluster: Cluster | None = None
    protected: bool = False  # a change asks for the environment's name, and needs a staging record


@dataclass(frozen=True, slots=True)
class Variable:
    """One row of the variable contract."""

    name: str
    description: str
    readers: tuple[str, ...]  # names of services, jobs or stores; ("all",) = every service
    type: VariableType = "string"
    required: bool = False
    default: str | None = None
    local: str | None = None
    secret: bool = False
    min_length: int | None = None
    values: tuple[str, ...] = ()  # of an enum
    environments: Mapping[str, str] = field(default_factory=dict)  # environment with a cluster -> the value there

    def read_by(self, name: str) -> bool:
        """Whether a service, job or store reads this variable ("all" means every service: the caller knows which those are)."""
        return name in self.readers


@dataclass(frozen=True, slots=True)
class Database:
    """Where the migrations lie and which job runs them."""

    store: str
    name: str
    user: str
    migrations: str
    job: str


@dataclass(frozen=True, slots=True)
class Catalog:
    """Everything `platform.yaml` says. `root` is the checkout."""

    root: Path
    platform: str
    registry: str
    prefix: str
    nodes: str  # the platform that the clusters' nodes run, OS/ARCH[/VARIANT]: what is pushed is built for it
    stacks: Mapping[str, Stack]
    services: Mapping[str, Service]
    jobs: Mapping[str, Job]
    stores: Mapping[str, Store]
    namespaces: tuple[str, ...]
    database: Database
    environments: Mapping[str, Environment]
    variables: Mapping[str, Variable]
    smoke: str | None = None  # the file with the checks that follow a deploy
    ingress_controller: str | None = None  # its namespace

    @property
    def other_jobs(self) -> dict[str, Job]:
        """The jobs other than the database's migrations, which `up` runs and ops/manifests/migration.py describes."""
        return {name: job for name, job in self.jobs.items() if name != self.database.job}

    @property
    def started(self) -> dict[str, Image]:
        """What `up` starts: every image but the other jobs', which `invoke run` runs."""
        return {name: image for name, image in self.images.items() if name not in self.other_jobs}

    @property
    def images(self) -> dict[str, Image]:
        """Everything that is built here, by name."""
        return {**self.services, **self.jobs}

    def repository(self, name: str) -> str:
        """The one name of an image, without tag or digest."""
        return f"{self.registry}/{self.prefix}/{name}"

    def variables_of(self, name: str) -> tuple[Variable, ...]:
        """The variables that a service, job or store reads, in the catalogue's order."""
        every = name in self.services
        return tuple(v for v in self.variables.values() if v.read_by(name) or (every and v.readers == ("all",)))


def url_variable(service: str) -> str:
    """The variable that tells where a service is reached: `user-service` → `USER_SERVICE_URL`."""
    return f"{service.upper().replace('-', '_')}_URL"
