"""The shape of `platform.yaml`: one dataclass a mapping. The reader and the editors' JSON Schema are both derived from these types."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from ops.catalog.model import COMPONENT, MAX_REPLICAS, EnvironmentKind, Host, VariableType


def about(text: str, **more: object) -> dict[str, object]:
    """Field metadata: the description that editors show, and constraints (`pattern`, `minimum`, `maximum`)."""
    return {"description": text, **more}


NAME = r"^[a-z]([a-z0-9-]{0,48}[a-z0-9])?$"  # a DNS label (RFC 1123) that leaves room for suffixes
VARIABLE = r"^[A-Z][A-Z0-9_]*$"
PATH = r"^(?!/)(?!.*(^|/)\.\.(/|$)).+$"
ABSOLUTE = "^/"
PREFIX = r"^/[a-z0-9/-]*[a-z0-9]$"
IMAGE = r"^([^\s:@/]+(:[0-9]+)?/)?[^\s:@]+:[^\s:@/]+(@sha256:[0-9a-f]{64})?$"
IDENTIFIER = r"^[a-z_][a-z0-9_]*$"
HTTPS = "^https://"
DOMAIN = r"^[a-z0-9]([a-z0-9.-]*[a-z0-9])?(:[0-9]{1,5})?$"
REGISTRY = r"^[a-z0-9.-]+(:[0-9]+)?$"
REPOSITORY = r"^[a-z0-9._/-]+$"
NODES = r"^[a-z0-9]+(/[a-z0-9]+){1,2}$"
CPU = r"^[1-9][0-9]*m?$"
MEMORY = r"^[1-9][0-9]*(Mi|Gi)$"
WAY = r"^/([a-z0-9/-]*[a-z0-9])?$"
FORMS = {
    NAME: "a name of lower-case letters, digits and -, a letter first, 50 characters at most",
    VARIABLE: "a name of upper-case letters, digits and _, a letter first",
    PATH: "a path from the checkout's root, without .. and without / at its beginning",
    ABSOLUTE: "a path with / at its beginning",
    PREFIX: "a path such as /users: lower-case letters, digits, - and /, a letter or digit last",
    IMAGE: "an image with its version: NAME:TAG, or NAME:TAG@sha256:DIGEST",
    IDENTIFIER: "lower-case letters, digits and _, no digit first",
    HTTPS: "an address that begins with https://",
    DOMAIN: "a host name in lower case, such as app.example.com, or HOST:PORT",
    REGISTRY: "a host in lower case, or HOST:PORT, without https://",
    REPOSITORY: "a path of lower-case letters, digits and . _ - /",
    CPU: "a number of processors, or of thousandths of one such as 250m",
    MEMORY: "a whole number of Mi or Gi, such as 512Mi",
    WAY: "a path of lower-case letters, digits, - and /, such as / or /api",
    NODES: "OS/ARCH or OS/ARCH/VARIANT, such as linux/amd64",
}
"""What a pattern asks for, in the words of a message."""
PORT = {"minimum": 1, "maximum": 65535}


@dataclass(frozen=True, slots=True)
class AmountsEntry:
    cpu: str | None = field(default=None, metadata=about('Processors: "1", or thousandths of one such as 250m', pattern=CPU))
    memory: str | None = field(default=None, metadata=about("Memory, such as 512Mi or 1Gi", pattern=MEMORY))


@dataclass(frozen=True, slots=True)
class ResourcesEntry:
    requests: AmountsEntry | None = field(default=None, metadata=about("What a pod is given for certain"))
    limits: AmountsEntry | None = field(default=None, metadata=about("What a pod may use at most"))


@dataclass(frozen=True, slots=True)
class StackEntry:
    dockerfile: str = field(metadata=about("Dockerfile of every image of this stack", pattern=PATH))
    test: tuple[str, ...] = field(metadata=about("Command that runs a service's tests, in its folder"))
    user: int = field(metadata=about("Numeric user id inside the image; never 0", minimum=1, maximum=65535))
    bases: Mapping[str, str] = field(default_factory=dict, metadata=about("Build argument to base image", pattern=IMAGE))
    shared: tuple[str, ...] = field(default=(), metadata=about("Files that are inputs of every image of the stack"))
    resources: ResourcesEntry | None = field(default=None, metadata=about("What a pod of a service of this stack is given"))


@dataclass(frozen=True, slots=True)
class RouteEntry:
    prefix: str = field(metadata=about("Path prefix, without /api", pattern=PREFIX))
    public: bool = field(default=False, metadata=about("Reachable without a signed-in user"))
    stream: bool = field(default=False, metadata=about("The answer is to be passed on while it is made; the gateway does not do so yet"))


@dataclass(frozen=True, slots=True)
class IngressEntry:
    host: Host = field(metadata=about("Which host name of the environment: its domain or its api"))
    path: str = field(default="/", metadata=about("Path prefix", pattern=WAY))


@dataclass(frozen=True, slots=True)
class ServiceEntry:
    stack: str = field(metadata=about("One of `stacks`"))
    path: str = field(metadata=about("The service's folder", pattern=PATH))
    port: int = field(metadata=about("Port inside the container and the cluster", **PORT))
    namespace: str = field(metadata=about("Namespace in the cluster; one of `namespaces`"))
    local_port: int = field(metadata=about("Port on this machine", **PORT))
    dockerfile: str | None = field(default=None, metadata=about("Instead of the stack's", pattern=PATH))
    packages: tuple[str, ...] = field(default=(), metadata=about("Other folders of the checkout that go into the image"))
    files: tuple[str, ...] = field(default=(), metadata=about("Other files of the checkout that go into the image"))
    health: str = field(default="/health", metadata=about("Liveness: asks no store", pattern=ABSOLUTE))
    ready: str = field(default="/health", metadata=about("Readiness: asks the stores", pattern=ABSOLUTE))
    replicas: Mapping[str, int] = field(default_factory=dict, metadata=about("Environment to number of replicas", minimum=0))
    max_replicas: int = field(default=MAX_REPLICAS, metadata=about("Replicas that the autoscaler may make", minimum=1))
    resources: ResourcesEntry | None = field(default=None, metadata=about("What a pod is given, where it differs from the stack's"))
    component: str = field(default=COMPONENT, metadata=about("Part in the platform: the label app.kubernetes.io/component", pattern=NAME))
    ingress: IngressEntry | None = field(default=None, metadata=about("What the Ingress sends here"))
    needs: tuple[str, ...] = field(default=(), metadata=about("Services and stores that this one talks to"))
    routes: tuple[RouteEntry, ...] = field(default=(), metadata=about("What the gateway sends here"))
    migrations: bool = field(default=False, metadata=about("Starts after the database's migrations"))
    page: bool = field(default=False, metadata=about("The address that `invoke up` prints"))


@dataclass(frozen=True, slots=True)
class JobEntry:
    stack: str = field(metadata=about("One of `stacks`"))
    path: str = field(metadata=about("The job's folder", pattern=PATH))
    namespace: str = field(metadata=about("Namespace in the cluster; one of `namespaces`"))
    dockerfile: str | None = field(default=None, metadata=about("Instead of the stack's", pattern=PATH))
    packages: tuple[str, ...] = field(default=(), metadata=about("Other folders of the checkout that go into the image"))
    files: tuple[str, ...] = field(default=(), metadata=about("Other files of the checkout that go into the image"))
    needs: tuple[str, ...] = field(default=(), metadata=about("Stores that this job talks to"))


@dataclass(frozen=True, slots=True)
class StoreEntry:
    image: str = field(metadata=about("Image, with a version", pattern=IMAGE))
    port: int = field(metadata=about("Port inside the container and the cluster", **PORT))
    local_port: int = field(metadata=about("Port on this machine", **PORT))
    namespace: str = field(metadata=about("Namespace in the cluster; one of `namespaces`"))
    data: str = field(metadata=about("Folder inside the image that must survive", pattern=ABSOLUTE))


@dataclass(frozen=True, slots=True)
class DatabaseEntry:
    store: str = field(metadata=about("One of `stores`"))
    name: str = field(metadata=about("Name of the database", pattern=IDENTIFIER))
    user: str = field(metadata=about("Owner of the database", pattern=IDENTIFIER))
    migrations: str = field(metadata=about("Folder of the Drizzle migrations", pattern=PATH))
    job: str = field(metadata=about("One of `jobs`: the one that runs the migrations"))


@dataclass(frozen=True, slots=True)
class ClusterEntry:
    context: str = field(metadata=about("Context in the kubeconfig"))
    server: str = field(metadata=about("Address of the API server", pattern=HTTPS))


@dataclass(frozen=True, slots=True)
class EnvironmentEntry:
    kind: EnvironmentKind = field(metadata=about("local: this machine; kubernetes: a cluster"))
    domain: str = field(metadata=about("Host name of the page", pattern=DOMAIN))
    api: str | None = field(default=None, metadata=about("Host name of the API", pattern=DOMAIN))
    overlay: str | None = field(default=None, metadata=about("Kustomize overlay", pattern=PATH))
    cluster: ClusterEntry | None = field(default=None, metadata=about("The cluster that the environment belongs to"))
    protected: bool = field(default=False, metadata=about("Changes ask for the environment's name"))


@dataclass(frozen=True, slots=True)
class VariableEntry:
    description: str = field(metadata=about("What it is; shown when it is missing"))
    readers: tuple[str, ...] | str = field(default=(), metadata=about("Who reads it: names, or `all` for every service"))
    awaits: tuple[str, ...] = field(default=(), metadata=about("Who will read it: services that do not do so yet, or are not here yet"))
    type: VariableType = field(default="string", metadata=about("How the value is read"))
    required: bool = field(default=False, metadata=about("A reader refuses to start without it"))
    default: str | None = field(default=None, metadata=about("Used when the variable is not set"))
    local: str | None = field(default=None, metadata=about("Value on this machine"))
    secret: bool = field(default=False, metadata=about("Lies in a Secret, and is never shown"))
    min_length: int | None = field(default=None, metadata=about("Least number of characters", minimum=1))
    values: tuple[str, ...] = field(default=(), metadata=about("What an enum may be"))
    environments: Mapping[str, str] = field(default_factory=dict, metadata=about("Environment with a cluster to the value there"))


@dataclass(frozen=True, slots=True)
class Document:
    """The catalogue: services, stacks, environments and variables of the platform."""

    platform: str = field(metadata=about("Name of the platform", pattern=NAME))
    registry: str = field(metadata=about("Host of the image registry", pattern=REGISTRY))
    prefix: str = field(metadata=about("Path of the images in the registry", pattern=REPOSITORY))
    nodes: str = field(metadata=about("Platform of the clusters' nodes, OS/ARCH[/VARIANT]", pattern=NODES))
    stacks: Mapping[str, StackEntry] = field(metadata=about("How services of one language are built and tested", names=NAME))
    services: Mapping[str, ServiceEntry] = field(metadata=about("What serves", names=NAME))
    stores: Mapping[str, StoreEntry] = field(metadata=about("Databases and the like, taken as images", names=NAME))
    namespaces: tuple[str, ...] = field(metadata=about("Namespaces of the cluster"))
    database: DatabaseEntry = field(metadata=about("The database and its migrations"))
    environments: Mapping[str, EnvironmentEntry] = field(metadata=about("Where the platform runs", names=NAME))
    variables: Mapping[str, VariableEntry] = field(metadata=about("The variable contract", names=VARIABLE))
    jobs: Mapping[str, JobEntry] = field(default_factory=dict, metadata=about("What is run to its end", names=NAME))
    ingress_controller: str | None = field(
        default=None, metadata=about("Namespace of the ingress controller, which NetworkPolicies let in", pattern=NAME)
    )
    smoke: str | None = field(default=None, metadata=about("Python file with the checks that follow a deploy", pattern=PATH))
