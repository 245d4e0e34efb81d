"""The shape of `platform.yaml`: one dataclass a mapping. The reader and the editors' JSON Schema are both derived from these types."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar

from ops.catalog.forms import (
    ABSOLUTE,
    BUCKET,
    CPU,
    DOMAIN,
    HTTPS,
    IDENTIFIER,
    IMAGE,
    MEMORY,
    NAME,
    NODES,
    PATH,
    PREFIX,
    REGISTRY,
    REPOSITORY,
    TOPIC,
    VARIABLE,
    WAY,
)
from ops.catalog.model import COMPONENT, DEADLINE, MAX_REPLICAS, TIME_ZONE, EnvironmentKind, Host, Profile, VariableType


def about(text: str, example: object, verbs: str = "", **more: int | str) -> dict[str, object]:
    """Field metadata: what it means, an example, and constraints (`pattern`, `minimum`, `maximum`), for editors and docs/platform-yaml.md.

    `verbs`: those that read it, where they are not those of its section.
    """
    return {"description": text, "example": example, "verbs": verbs, **more}


PORT: Mapping[str, Any] = {"minimum": 1, "maximum": 65535}
IMAGES = "up, build, affected, plan, deploy, release"
CLUSTER = "sync, plan, deploy"
BOTH = "up, sync, plan, deploy"


@dataclass(frozen=True, slots=True)
class AmountsEntry:
    """Of a processor and of memory, as Kubernetes writes them."""

    VERBS: ClassVar = CLUSTER
    cpu: str | None = field(default=None, metadata=about('Processors: "1", or thousandths of one such as 250m', "250m", pattern=CPU))
    memory: str | None = field(default=None, metadata=about("Memory, such as 512Mi or 1Gi", "512Mi", pattern=MEMORY))


@dataclass(frozen=True, slots=True)
class ResourcesEntry:
    """What a pod gets. An amount that nobody names is the platform's own: 250m and 256Mi for certain, 1 and 512Mi at most."""

    VERBS: ClassVar = CLUSTER
    requests: AmountsEntry | None = field(default=None, metadata=about("What a pod is given for certain", {"cpu": "250m"}))
    limits: AmountsEntry | None = field(default=None, metadata=about("What a pod may use at most", {"memory": "1Gi"}))


@dataclass(frozen=True, slots=True)
class StackEntry:
    """One language: how its services and jobs are built and tested. `ops/stacks/NAME.py` knows the rest."""

    VERBS: ClassVar = IMAGES
    dockerfile: str = field(metadata=about("Dockerfile of every image of this stack", "infra/docker/go.Dockerfile", pattern=PATH))
    test: tuple[str, ...] = field(metadata=about("Command that runs a service's tests, in its folder", ["go", "test", "./..."], "nox"))
    user: int = field(
        metadata=about("Numeric user id inside the image; never 0", 1001, "up, build, sync, plan, deploy", minimum=1, maximum=65535)
    )
    bases: Mapping[str, str] = field(
        default_factory=dict, metadata=about("Build argument to base image", {"GO_IMAGE": "golang:1.26-trixie"}, pattern=IMAGE)
    )
    shared: tuple[str, ...] = field(default=(), metadata=about("Files that are inputs of every image of the stack", ["package.json"]))
    resources: ResourcesEntry | None = field(
        default=None, metadata=about("What a pod of a service of this stack is given", {"limits": {"memory": "1Gi"}}, CLUSTER)
    )


@dataclass(frozen=True, slots=True)
class RouteEntry:
    """What the gateway sends to a service. It reads this table from its `contract.json`."""

    VERBS: ClassVar = "sync"
    prefix: str = field(metadata=about("Path prefix, without /api", "/users", pattern=PREFIX))
    public: bool = field(default=False, metadata=about("Reachable without a signed-in user", True))
    stream: bool = field(
        default=False, metadata=about("The gateway passes the answer on while it is made, without a limit of the whole", True)
    )


@dataclass(frozen=True, slots=True)
class IngressEntry:
    """What the Ingress sends to a service."""

    VERBS: ClassVar = CLUSTER
    host: Host = field(metadata=about("Which host name of the environment: its domain or its api", "api"))
    path: str = field(default="/", metadata=about("Path prefix", "/api", pattern=WAY))


@dataclass(frozen=True, slots=True)
class ServiceEntry:
    """A program that runs on and answers requests."""

    VERBS: ClassVar = IMAGES
    stack: str = field(metadata=about("One of `stacks`", "go"))
    path: str = field(metadata=about("The service's folder", "services/api-gateway", pattern=PATH))
    port: int = field(metadata=about("Port inside the container and the cluster", 8080, BOTH, **PORT))
    namespace: str = field(metadata=about("Namespace in the cluster; one of `namespaces`", "nextai-system", CLUSTER))
    local_port: int = field(metadata=about("Port on this machine", 18080, "up, doctor, new", **PORT))
    dockerfile: str | None = field(default=None, metadata=about("Instead of the stack's", "infra/docker/special.Dockerfile", pattern=PATH))
    packages: tuple[str, ...] = field(
        default=(), metadata=about("Other folders of the checkout that go into the image", ["packages/service-kit"])
    )
    files: tuple[str, ...] = field(default=(), metadata=about("Other files of the checkout that go into the image", ["ops/errors.py"]))
    health: str = field(default="/health", metadata=about("Liveness: asks no store", "/health", CLUSTER, pattern=ABSOLUTE))
    ready: str = field(default="/health", metadata=about("Readiness: asks the stores", "/health/ready", BOTH, pattern=ABSOLUTE))
    replicas: Mapping[str, int] = field(
        default_factory=dict,
        metadata=about("Environment to least number of replicas; 1 where it is not named", {"production": 2}, CLUSTER, minimum=0),
    )
    max_replicas: int = field(default=MAX_REPLICAS, metadata=about("Replicas that the autoscaler may make", 10, CLUSTER, minimum=1))
    resources: ResourcesEntry | None = field(
        default=None, metadata=about("What a pod is given, where it differs from the stack's", {"requests": {"cpu": "500m"}}, CLUSTER)
    )
    component: str = field(
        default=COMPONENT, metadata=about("Part in the platform: the label app.kubernetes.io/component", "gateway", CLUSTER, pattern=NAME)
    )
    ingress: IngressEntry | None = field(
        default=None, metadata=about("What the Ingress sends here", {"host": "api", "path": "/api"}, CLUSTER)
    )
    needs: tuple[str, ...] = field(default=(), metadata=about("Services and stores that this one talks to", ["database", "cache"], BOTH))
    routes: tuple[RouteEntry, ...] = field(default=(), metadata=about("What the gateway sends here", [{"prefix": "/users"}], "sync"))
    migrations: bool = field(default=False, metadata=about("Starts after the database's migrations", True, "up"))
    page: bool = field(default=False, metadata=about("The address that `invoke up` prints", True, "up, status"))


@dataclass(frozen=True, slots=True)
class JobEntry:
    """A program that runs to its end: the migrations, one with a schedule, or one that runs with each deploy that changes it.

    `invoke run NAME` runs it now on this machine, and with `--env ENV` in that environment's cluster, as it is deployed there. The
    migrations have `invoke migrate`.
    """

    VERBS: ClassVar = "run, build, affected, plan, deploy, release"
    stack: str = field(metadata=about("One of `stacks`", "python"))
    path: str = field(metadata=about("The job's folder", "services/sweep", pattern=PATH))
    namespace: str = field(metadata=about("Namespace in the cluster; one of `namespaces`", "nextai-system", CLUSTER))
    dockerfile: str | None = field(
        default=None, metadata=about("Instead of the stack's", "infra/docker/db-migrate.Dockerfile", pattern=PATH)
    )
    packages: tuple[str, ...] = field(
        default=(), metadata=about("Other folders of the checkout that go into the image", ["packages/service-kit-python"])
    )
    files: tuple[str, ...] = field(default=(), metadata=about("Other files of the checkout that go into the image", ["ops/errors.py"]))
    needs: tuple[str, ...] = field(
        default=(), metadata=about("Services and stores that this job talks to", ["database"], "up, run, sync, plan, deploy")
    )
    schedule: str | None = field(
        default=None,
        metadata=about("When it runs: five fields of cron; without one it runs with each deploy that changes it", "15 3 * * *", CLUSTER),
    )
    time_zone: str = field(default=TIME_ZONE, metadata=about("Time zone of the schedule", "Europe/Berlin", CLUSTER))
    deadline: str = field(default=DEADLINE, metadata=about("A run that takes longer is ended, and has failed", "20m", CLUSTER))
    resources: ResourcesEntry | None = field(
        default=None, metadata=about("What a pod is given, where it differs from the stack's", {"limits": {"memory": "1Gi"}}, CLUSTER)
    )


@dataclass(frozen=True, slots=True)
class StoreEntry:
    """A database, cache or the like, taken as a finished image. `ops/stores/KIND.py` knows the rest."""

    VERBS: ClassVar = BOTH
    image: str = field(metadata=about("Image, with a version", "example/store:1.2", pattern=IMAGE))
    port: int = field(metadata=about("Port inside the container and the cluster", 5432, **PORT))
    local_port: int = field(metadata=about("Port on this machine", 15432, "up, doctor, new", **PORT))
    namespace: str = field(metadata=about("Namespace in the cluster; one of `namespaces`", "nextai-data", CLUSTER))
    data: str = field(metadata=about("Folder inside the image that must survive", "/var/lib/store", pattern=ABSOLUTE))
    kind: str | None = field(default=None, metadata=about("Its file in ops/stores; without it the store's name", "cache", pattern=NAME))
    topics: tuple[str, ...] = field(
        default=(), metadata=about("Topics that it has from the beginning, where its kind has such", ["runs.events"], pattern=TOPIC)
    )
    queues: tuple[str, ...] = field(
        default=(), metadata=about("Queues that it has from the beginning, where its kind has such", ["mails"], pattern=TOPIC)
    )
    buckets: tuple[str, ...] = field(
        default=(), metadata=about("Buckets that it has from the beginning, where its kind has such", ["uploads"], pattern=BUCKET)
    )
    profile: Mapping[str, Profile] = field(
        default_factory=dict,
        metadata=about(
            "Environment with a cluster to its form there, where its kind has a replicated one; single by default",
            {"production": "replicated"},
            CLUSTER,
        ),
    )
    storage: Mapping[str, str] = field(
        default_factory=dict,
        metadata=about(
            "Environment with a cluster to the size of its volume there, its kind's by default; a volume never gets smaller",
            {"production": "50Gi"},
            CLUSTER,
            pattern=MEMORY,
        ),
    )
    resources: Mapping[str, ResourcesEntry] = field(
        default_factory=dict,
        metadata=about(
            "Environment with a cluster to what its pod is given there; an amount that is not named is its kind's",
            {"staging": {"requests": {"memory": "128Mi"}}},
            CLUSTER,
        ),
    )


@dataclass(frozen=True, slots=True)
class DatabaseEntry:
    """The PostgreSQL database, and its migrations."""

    VERBS: ClassVar = "up, migrate, plan, deploy"
    store: str = field(metadata=about("One of `stores`", "database"))
    name: str = field(metadata=about("Name of the database", "nextai_agent", "up", pattern=IDENTIFIER))
    user: str = field(metadata=about("Owner of the database", "nextai", "up", pattern=IDENTIFIER))
    migrations: str = field(metadata=about("Folder of the Drizzle migrations", "packages/db/migrations", pattern=PATH))
    job: str = field(metadata=about("One of `jobs`: the one that runs the migrations", "db-migrate"))


@dataclass(frozen=True, slots=True)
class ClusterEntry:
    """Which cluster an environment's verbs may reach: another one is refused."""

    VERBS: ClassVar = "every verb with --env"
    context: str = field(metadata=about("Context in the kubeconfig", "nextai-staging"))
    server: str = field(metadata=about("Address of the API server", "https://k8s.staging.example.com:6443", pattern=HTTPS))


@dataclass(frozen=True, slots=True)
class EnvironmentEntry:
    """A place where the platform runs."""

    VERBS: ClassVar = CLUSTER
    kind: EnvironmentKind = field(metadata=about("local: this machine; kubernetes: a cluster", "kubernetes", "every verb with --env"))
    domain: str = field(metadata=about("Host name of the page", "staging.example.com", pattern=DOMAIN))
    api: str | None = field(default=None, metadata=about("Host name of the API", "api.staging.example.com", pattern=DOMAIN))
    overlay: str | None = field(default=None, metadata=about("Kustomize overlay", "k8s/overlays/staging", pattern=PATH))
    cluster: ClusterEntry | None = field(
        default=None,
        metadata=about(
            "The cluster that the environment belongs to",
            {"context": "staging", "server": "https://k8s.staging.example.com:6443"},
            "every verb with --env",
        ),
    )
    protected: bool = field(
        default=False,
        metadata=about("Changes ask for the environment's name, and the gates are strict", True, "deploy, rollback, migrate, scale"),
    )


@dataclass(frozen=True, slots=True)
class VariableEntry:
    """A setting that services read from their environment: a row of the variable contract."""

    VERBS: ClassVar = BOTH
    description: str = field(metadata=about("What it is; shown when it is missing", "Address of the mail server"))
    readers: tuple[str, ...] | str = field(
        default=(), metadata=about("Who reads it: names, or `all` for every service", ["api-gateway", "user-service"])
    )
    awaits: tuple[str, ...] = field(
        default=(), metadata=about("Who will read it: services that do not do so yet, or are not here yet", ["agent-service"], "none")
    )
    type: VariableType = field(default="string", metadata=about("How the value is read", "url"))
    required: bool = field(default=False, metadata=about("A reader refuses to start without it", True))
    default: str | None = field(default=None, metadata=about("Used when the variable is not set", "info"))
    local: str | None = field(
        default=None,
        metadata=about("Value on this machine; `{STORE.port}`, `{STORE.host}` and `{SERVICE.url}` are filled in", "text", "up"),
    )
    secret: bool = field(default=False, metadata=about("Lies in a Secret, and is never shown", True))
    min_length: int | None = field(default=None, metadata=about("Least number of characters", 32, minimum=1))
    values: tuple[str, ...] = field(default=(), metadata=about("What an enum may be", ["debug", "info"]))
    environments: Mapping[str, str] = field(
        default_factory=dict, metadata=about("Environment with a cluster to the value there", {"development": "debug"}, CLUSTER)
    )


@dataclass(frozen=True, slots=True)
class Document:
    """The catalogue: services, stacks, environments and variables of the platform."""

    VERBS: ClassVar = "every verb"
    platform: str = field(metadata=about("Name of the platform", "nextai-agent", pattern=NAME))
    registry: str = field(metadata=about("Host of the image registry", "registry.example.com", IMAGES, pattern=REGISTRY))
    prefix: str = field(metadata=about("Path of the images in the registry", "nextai", IMAGES, pattern=REPOSITORY))
    nodes: str = field(
        metadata=about("Platform of the clusters' nodes, OS/ARCH[/VARIANT]", "linux/amd64", "build, deploy, release", pattern=NODES)
    )
    stacks: Mapping[str, StackEntry] = field(metadata=about("How services of one language are built and tested", None, names=NAME))
    services: Mapping[str, ServiceEntry] = field(metadata=about("What serves", None, names=NAME))
    stores: Mapping[str, StoreEntry] = field(metadata=about("Databases and the like, taken as images", None, names=NAME))
    namespaces: tuple[str, ...] = field(
        metadata=about("Namespaces of the cluster; the first holds the records", ["nextai-system"], CLUSTER)
    )
    database: DatabaseEntry = field(metadata=about("The database and its migrations", None))
    environments: Mapping[str, EnvironmentEntry] = field(metadata=about("Where the platform runs", None, names=NAME))
    variables: Mapping[str, VariableEntry] = field(metadata=about("The variable contract", None, names=VARIABLE))
    jobs: Mapping[str, JobEntry] = field(default_factory=dict, metadata=about("What is run to its end", None, names=NAME))
    gateway: str | None = field(
        default=None,
        metadata=about(
            "The service that sends requests on to every service with routes: it needs each of them", "api-gateway", pattern=NAME
        ),
    )
    ingress_controller: str | None = field(
        default=None, metadata=about("Namespace of the ingress controller, which NetworkPolicies let in", "traefik", CLUSTER, pattern=NAME)
    )
    smoke: str | None = field(
        default=None,
        metadata=about("Python file with the checks that follow a deploy", "tests/smoke/platform.py", "deploy, rollback", pattern=PATH),
    )
