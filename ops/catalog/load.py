"""`platform.yaml` into a `Catalog`: read, decoded, checked against itself and against the checkout; every mistake at once."""

import errno
from collections.abc import Callable
from dataclasses import fields, replace
from pathlib import Path
from typing import TypeVar

import yaml

from ops.catalog.check import check
from ops.catalog.decode import Decoder
from ops.catalog.document import AmountsEntry, Document, EnvironmentEntry, JobEntry, ResourcesEntry, ServiceEntry, StoreEntry, VariableEntry
from ops.catalog.entries import Entries, Problem
from ops.catalog.follows import with_addresses, with_needs
from ops.catalog.model import (
    RESOURCES,
    Catalog,
    Cluster,
    Contents,
    Database,
    Environment,
    Image,
    Ingress,
    Job,
    Resources,
    Route,
    Service,
    Stack,
    Store,
    Variable,
)
from ops.errors import UsageError

FILE = "platform.yaml"
Built = TypeVar("Built", bound=Image)
_Loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


def checkout() -> Path:
    """The folder that holds `platform.yaml`: this package's own checkout."""
    return Path(__file__).resolve().parents[2]


def load(root: Path | None = None) -> Catalog:
    """Read and check the catalogue of the checkout `root` (this package's own by default).

    Raises `UsageError` that lists every mistake with file, line and what was expected.
    """
    root = root or checkout()
    entries = Entries()
    document = _document(root / FILE, entries)
    check(entries, root)
    if entries.problems or document is None:
        raise UsageError(f"reading {FILE}", _listing(entries.problems), f"Correct {FILE}; docs/platform-yaml.md describes every field.")
    return _catalog(document, root, entries)


def _document(file: Path, entries: Entries) -> Document | None:
    try:
        if file.is_fifo():  # whoever reads one waits for ever
            raise OSError(errno.EINVAL, "a pipe, not a file")
        raw = file.read_bytes()
    except OSError as error:
        raise UsageError(f"reading {FILE}", f"{file}: {error.strerror}", "Run the command in a checkout of the platform.") from error
    try:
        text = raw.decode()
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        entries.problems.append(Problem(line, "", f"not UTF-8: {error.reason}, 0x{raw[error.start]:02x}"))
        return None
    try:
        node = yaml.compose(text, Loader=_Loader)
    except yaml.MarkedYAMLError as error:
        entries.problems.append(_syntax(text, error))
        return None
    except yaml.YAMLError as error:
        entries.problems.append(_unreadable(text, error))
        return None
    if node is None:
        entries.problems.append(Problem(1, "", "the file is empty"))
        return None
    document = Decoder(entries).decode(node, Document, (), {})
    return document if isinstance(document, Document) else None


def _syntax(text: str, error: yaml.MarkedYAMLError) -> Problem:
    mark = error.problem_mark or error.context_mark
    line = mark.line + 1 if mark else 1
    for number, content in enumerate(text.splitlines(), 1):
        indent = content[: len(content) - len(content.lstrip())]
        if "\t" in indent and number >= line - 1:
            return Problem(number, "", "a tab in the indentation; YAML wants spaces")
    return Problem(line, "", f"not YAML: {error.problem or error.context}")


def _unreadable(text: str, error: yaml.YAMLError) -> Problem:
    """The first character that YAML does not take; its own message names no line."""
    found = yaml.reader.Reader.NON_PRINTABLE.search(text)
    if found is None:
        return Problem(1, "", f"not YAML: {error}")
    line = text.count("\n", 0, found.start()) + 1
    return Problem(line, "", f"the character U+{ord(found[0]):04X} is not allowed in YAML: remove it, or write it as \\x… in double quotes")


def _listing(problems: list[Problem]) -> str:
    lines = sorted({f"{p.line:>6} {FILE}:{p.line}: {p.where + ': ' if p.where else ''}{p.what}" for p in problems})
    return "\n".join(line.lstrip().partition(" ")[2] for line in lines)


def _catalog(document: Document, root: Path, entries: Entries) -> Catalog:
    stacks = {name: Stack(name, s.dockerfile, dict(s.bases), s.test, s.user, s.shared) for name, s in document.stacks.items()}
    written = {name: _service(name, entry, stacks[entry.stack], document) for name, entry in document.services.items()}
    services = with_needs(written, document.gateway)
    jobs = {name: _job(name, entry, stacks[entry.stack], document) for name, entry in document.jobs.items()}
    return Catalog(
        root=root,
        platform=document.platform,
        registry=document.registry,
        prefix=document.prefix,
        nodes=document.nodes,
        stacks=stacks,
        services=services,
        jobs=jobs,
        stores={name: _store(name, entry, entries) for name, entry in document.stores.items()},
        namespaces=document.namespaces,
        database=Database(**{f: getattr(document.database, f) for f in ("store", "name", "user", "migrations", "job")}),
        environments={name: _environment(name, entry) for name, entry in document.environments.items()},
        variables=with_addresses({name: _variable(name, entry) for name, entry in document.variables.items()}, services, jobs),
        smoke=document.smoke,
        ingress_controller=document.ingress_controller,
    )


def _store(name: str, entry: StoreEntry, entries: Entries) -> Store:
    """Its kind is not known here, so what that one refuses is told later: with these lines."""
    lines = {path[2]: line for path, line in entries.lines.items() if path[:2] == ("stores", name) and len(path) == 3}
    contents = Contents(entry.topics, entry.queues, entry.buckets)
    place = (entry.image, entry.port, entry.local_port, entry.namespace, entry.data)
    amounts = {environment: Resources(_named(given.requests), _named(given.limits)) for environment, given in entry.resources.items()}
    known = Store(name, *place, given_kind=entry.kind or "", contents=contents, profiles=entry.profile, lines=lines)
    return replace(known, storage=entry.storage, resources=amounts)


def _named(amounts: AmountsEntry | None) -> dict[str, str]:
    """The amounts that an entry names."""
    found = {"cpu": amounts.cpu, "memory": amounts.memory} if amounts else {}
    return {name: amount for name, amount in found.items() if amount}


def _image(kind: Callable[..., Built], name: str, entry: ServiceEntry | JobEntry, stack: Stack) -> Built:
    """Fields of one name are the same in the entry and in the value; the entry names its stack, and may leave its Dockerfile to it."""
    same = {field.name: getattr(entry, field.name) for field in fields(entry)}
    return kind(**{**same, "name": name, "stack": stack, "dockerfile": entry.dockerfile or stack.dockerfile})


def _service(name: str, entry: ServiceEntry, stack: Stack, document: Document) -> Service:
    return replace(
        _image(Service, name, entry, stack),
        routes=tuple(Route(route.prefix, route.public, route.stream) for route in entry.routes),
        resources=_resources(document.stacks[entry.stack].resources, entry.resources),
        ingress=Ingress(entry.ingress.host, entry.ingress.path) if entry.ingress else None,
    )


def _job(name: str, entry: JobEntry, stack: Stack, document: Document) -> Job:
    return replace(_image(Job, name, entry, stack), resources=_resources(document.stacks[entry.stack].resources, entry.resources))


def _resources(*entries: ResourcesEntry | None) -> Resources:
    """The platform's own amounts, and over them those of each entry: the last that says one wins."""
    requests, limits = dict(RESOURCES.requests), dict(RESOURCES.limits)
    for entry in filter(None, entries):
        for amounts, given in ((requests, entry.requests), (limits, entry.limits)):
            if given:
                amounts |= {name: amount for name in amounts if (amount := getattr(given, name))}
    return Resources(requests, limits)


def _environment(name: str, entry: EnvironmentEntry) -> Environment:
    cluster = Cluster(entry.cluster.context, entry.cluster.server) if entry.cluster else None
    return Environment(name, entry.kind, entry.domain, entry.api, entry.overlay, cluster, entry.protected)


def _variable(name: str, entry: VariableEntry) -> Variable:
    return Variable(
        name=name,
        description=entry.description,
        readers=(entry.readers,) if isinstance(entry.readers, str) else entry.readers,
        type=entry.type,
        required=entry.required,
        default=entry.default,
        local=entry.local,
        secret=entry.secret,
        min_length=entry.min_length,
        values=entry.values,
        environments=entry.environments,
    )
