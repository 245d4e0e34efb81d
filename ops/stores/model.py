"""What a kind of store says of itself: values, and functions that make values of them."""

import signal
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal
from urllib.parse import quote

from ops.catalog import Store
from ops.catalog.model import EMPTY, Contents, Resources
from ops.tools.locked import Locked
from ops.tools.table import Spec

Holding = Literal["topics", "queues", "buckets"]


@dataclass(frozen=True, slots=True)
class Access:
    """Where a store is and who is let in. A kind takes of it what it knows: not every one has users and databases.

    `published`: the port of this machine that leads to its container; 0 where it is none, or none is published.
    """

    host: str
    port: int
    user: str = ""
    database: str = ""
    password: str = field(default="", repr=False)
    contents: Contents = EMPTY
    published: int = 0

    @property
    def quoted(self) -> str:
        """The password as it may stand in a URL."""
        return quote(self.password, safe="")


@dataclass(frozen=True, slots=True)
class Check:
    """How a container of the store is asked whether it is ready: by a program of its image, or a path by HTTP, which Compose cannot ask.

    The port of the path is one of the pod's `ports`, by name.
    """

    argv: tuple[str, ...] = ()
    path: str = ""
    port: str = ""


@dataclass(frozen=True, slots=True)
class Compose:
    """A container of this machine: fields of the compose document, and the file that it reads its settings from.

    `file`: the text, which may hold the password, and so is kept outside the document; `place`: its path in the container.
    `command`: what is run in place of the image's own. `same_port`: it listens on the published port too, and so tells its clients.
    """

    fields: Mapping[str, object] = field(default_factory=dict)
    file: Callable[[Access], str] | None = None
    place: str = ""
    command: Callable[[Store], tuple[str, ...]] | None = None
    same_port: bool = False


@dataclass(frozen=True, slots=True)
class Folder:
    """A folder in a pod that is gone with it: a name, where it is mounted, how much it holds, and whether that is memory."""

    name: str
    path: str
    size: str
    memory: bool = False


@dataclass(frozen=True, slots=True)
class Pod:
    """A pod in a cluster. `storage`: of its volume, which is mounted at the catalogue's `data`; it has the image's user and groups.

    `settings`: variables beside the kind's own. `ports`: beside the store's. `tries`: of the start-up check, 2 s apart.
    """

    user: int
    group: int
    volume_group: int
    storage: str
    resources: Resources
    folders: tuple[Folder, ...]
    command: Callable[[Store], tuple[str, ...]] | None = None
    settings: Mapping[str, str] = field(default_factory=dict)
    ports: Mapping[str, int] = field(default_factory=dict)
    tries: int = 90


@dataclass(frozen=True, slots=True)
class Wanted:
    """A store to run on this machine. `durable`: its data must survive a crash of the machine. `kind`: the name where it is empty."""

    name: str
    port: int
    password: str = field(default="", repr=False)
    database: str = ""
    user: str = ""
    durable: bool = True
    kind: str = ""
    contents: Contents = EMPTY

    @property
    def access(self) -> Access:
        """Where it is and who is let in."""
        return Access("127.0.0.1", self.port, self.user, self.database, self.password, self.contents)


@dataclass(frozen=True, slots=True)
class Place:
    """Folders of this machine: for the data of all stores, and for the files that they are started with.

    `free_ports`: so many of its ports as nobody uses, for what only the store itself talks to.
    """

    data: Path
    run: Path
    free_ports: Callable[[int], list[int]]


@dataclass(frozen=True, slots=True)
class Ping:
    """How a process is asked whether it is ready: a program that exits 0; or what is sent and what the answer has.

    With neither, it is ready when something accepts on its port.
    """

    argv: tuple[str, ...] = ()
    sends: str = field(default="", repr=False)  # it may hold the password
    expects: str = ""


@dataclass(frozen=True, slots=True)
class Server:
    """A process of this machine. `data`: its folder, which is made already. `stop`: the signal that ends it with its data written.

    `unprivileged`: it refuses to run as root. `lost`: the words by which it says in its log that it could not read all of its data.
    """

    argv: tuple[str, ...]
    data: Path
    ping: Ping
    env: Mapping[str, str] = field(default_factory=dict)
    stop: int = signal.SIGTERM
    unprivileged: bool = False
    lost: str = ""


@dataclass(frozen=True, slots=True)
class Program:
    """What a process runs: packages that a lock file names, and its path among them (a pattern, whose last match is taken).

    `instead`: the program of this machine that does where there is no wheel for it.
    """

    locked: Locked
    path: str
    instead: Spec | None = None


@dataclass(frozen=True, slots=True)
class Embedded:
    """The store as a process. `server` is given the program, what is wanted and where; it prepares the data folder."""

    program: Program
    server: Callable[[Path, Wanted, Place], Server]


@dataclass(frozen=True, slots=True)
class ClientProgram:
    """The program by which a person asks the store. `inside`: in its container, which has its variables.

    `here`: on this machine, beside the store's own program or on PATH, and the variables that it is given.
    """

    inside: Callable[[Access], tuple[str, ...]]
    here: Callable[[Path, Access], tuple[tuple[str, ...], Mapping[str, str]]]


@dataclass(frozen=True, slots=True)
class OtherData:
    """What the server writes when its data was made by a version that it cannot read (a pattern), and what saves data with that one."""

    says: str
    save: str


def _nothing(_: Access) -> Mapping[str, str]:
    return {}


@dataclass(frozen=True, slots=True)
class StoreKind:
    """All that this build system knows of a kind of store. Its image, ports and the folder of its data stand in platform.yaml.

    `title`: what people call it. `component`: its part of the platform, a label. `url`: how its users write where it is.
    `variables`: what its users read beside STORE_URL, STORE_HOST and STORE_PORT. `settings`: variables of the image, none of them secret.
    `holds`: which of a store's contents it can have; the functions of its file are given them, and see to it.
    `replicated`: what its StatefulSet has otherwise in an environment where it is replicated, as a patch of its `spec`.
    `grace`: seconds that it has to end, in every form, before it is killed.
    What is None or empty it has not: a process of this machine, a program to ask it by.
    """

    title: str
    component: str
    url: Callable[[Access], str]
    check: Callable[[Access], Check]
    pod: Pod
    compose: Compose = field(default_factory=Compose)
    variables: Callable[[Access], Mapping[str, str]] = _nothing
    settings: Callable[[Access], Mapping[str, str]] = _nothing
    embedded: Embedded | None = None
    client: ClientProgram | None = None
    other_data: OtherData | None = None
    holds: frozenset[Holding] = frozenset()
    replicated: Callable[[Store], Mapping[str, object]] | None = None
    grace: int = 60
