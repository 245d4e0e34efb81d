"""Whether the catalogue agrees with itself and with the checkout: what no single entry can say."""

from collections.abc import Iterator, Mapping
from pathlib import Path

from ops.catalog.decode import Decoder
from ops.catalog.document import Document, JobEntry, ServiceEntry, VariableEntry


def check(document: Document, root: Path, decoder: Decoder) -> None:
    """Note every contradiction in `decoder.problems`."""
    _names(document, decoder)
    _ports(document, decoder)
    _references(document, decoder)
    _loops(document, decoder)
    _files(document, root, decoder)
    _environments(document, decoder)
    for name, variable in document.variables.items():
        _variable(name, variable, document, decoder)


def _images(document: Document) -> Iterator[tuple[tuple[str, ...], ServiceEntry | JobEntry]]:
    for name, service in document.services.items():
        yield ("services", name), service
    for name, job in document.jobs.items():
        yield ("jobs", name), job


def _names(document: Document, decoder: Decoder) -> None:
    """A service, a job and a store of one name could not be told apart by `needs` and `readers`."""
    seen: dict[str, str] = {}
    for kind, names in (("services", document.services), ("jobs", document.jobs), ("stores", document.stores)):
        for name in names:
            if name in seen:
                decoder.problem((kind, name), f"the name is taken by {seen[name]}.{name}")
            seen[name] = kind
    pages = [name for name, service in document.services.items() if service.page]
    for name in pages[1:]:
        decoder.problem(("services", name, "page"), f"{pages[0]} is the page already; there is one")
    prefixes: dict[str, str] = {}
    for name, service in document.services.items():
        for index, route in enumerate(service.routes):
            if route.prefix in prefixes:
                decoder.problem(("services", name, "routes", str(index)), f"{route.prefix} is routed to {prefixes[route.prefix]}")
            prefixes[route.prefix] = name


def _ports(document: Document, decoder: Decoder) -> None:
    owners = {**{("services", n): s for n, s in document.services.items()}, **{("stores", n): s for n, s in document.stores.items()}}
    for attribute, key in (("port", "port"), ("local_port", "localPort")):
        taken: dict[int, tuple[str, ...]] = {}
        for path, entry in owners.items():
            port = getattr(entry, attribute)
            if port in taken:
                first = decoder.lines[(*taken[port], key)]
                decoder.problem((*path, key), f"{port} is the port of {taken[port][1]} already (line {first})")
            taken.setdefault(port, path)


def _references(document: Document, decoder: Decoder) -> None:
    known = {*document.services, *document.stores}
    for path, entry in _images(document):
        if entry.stack not in document.stacks:
            decoder.problem((*path, "stack"), f"unknown stack {entry.stack!r}; expected one of {', '.join(document.stacks)}")
        for index, need in enumerate(entry.needs):
            if need not in known:
                decoder.problem((*path, "needs", str(index)), f"unknown service or store {need!r}")
    for path, namespace in [
        *((path, entry.namespace) for path, entry in _images(document)),
        *((("stores", name), store.namespace) for name, store in document.stores.items()),
    ]:
        if namespace not in document.namespaces:
            decoder.problem((*path, "namespace"), f"unknown namespace {namespace!r}; expected one of {', '.join(document.namespaces)}")
    if document.database.store not in document.stores:
        decoder.problem(("database", "store"), f"unknown store {document.database.store!r}")
    if document.database.job not in document.jobs:
        decoder.problem(("database", "job"), f"unknown job {document.database.job!r}")


def _loops(document: Document, decoder: Decoder) -> None:
    needs: Mapping[str, tuple[str, ...]] = {name: service.needs for name, service in document.services.items()}
    done: set[str] = set()

    def visit(name: str, trail: tuple[str, ...]) -> None:
        if name in trail:
            loop = (*trail[trail.index(name) :], name)
            decoder.problem(("services", trail[-1], "needs"), f"a dependency loop: {' → '.join(loop)}")
        elif name in needs and name not in done:
            for need in needs[name]:
                visit(need, (*trail, name))
            done.add(name)

    for name in needs:
        visit(name, ())


def _files(document: Document, root: Path, decoder: Decoder) -> None:
    def wanted(path: tuple[str, ...], relative: str, what: str) -> None:
        target = root / relative
        if not target.resolve().is_relative_to(root.resolve()):
            decoder.problem(path, f"{what} {relative} lies outside the checkout")
        elif not target.exists():
            decoder.problem(path, f"{what} {relative} does not exist")

    for name, stack in document.stacks.items():
        wanted(("stacks", name, "dockerfile"), stack.dockerfile, "the Dockerfile")
        for index, shared in enumerate(stack.shared):
            wanted(("stacks", name, "shared", str(index)), shared, "the file")
    for path, entry in _images(document):
        wanted((*path, "path"), entry.path, "the folder")
        if entry.dockerfile:
            wanted((*path, "dockerfile"), entry.dockerfile, "the Dockerfile")
        for key, values, what in (("packages", entry.packages, "the folder"), ("files", entry.files, "the file")):
            for index, value in enumerate(values):
                wanted((*path, key, str(index)), value, what)
    wanted(("database", "migrations"), document.database.migrations, "the folder")
    for name, environment in document.environments.items():
        if environment.overlay:
            wanted(("environments", name, "overlay"), environment.overlay, "the overlay")
    if document.smoke:
        wanted(("smoke",), document.smoke, "the file")


def _environments(document: Document, decoder: Decoder) -> None:
    for name, environment in document.environments.items():
        if environment.kind == "kubernetes":
            for key in ("overlay", "cluster"):
                if getattr(environment, key) is None:
                    decoder.problem(("environments", name), f"{key} is missing: a kubernetes environment has one")
    for name, service in document.services.items():
        for environment_name in service.replicas:
            if environment_name not in document.environments:
                decoder.problem(("services", name, "replicas", environment_name), f"unknown environment {environment_name!r}")


def _variable(name: str, variable: VariableEntry, document: Document, decoder: Decoder) -> None:
    path = ("variables", name)
    known = {*document.services, *document.jobs, *document.stores}
    if isinstance(variable.readers, str):
        if variable.readers != "all":
            decoder.problem((*path, "readers"), f"expected a list of names, or all, not {variable.readers!r}")
    else:
        for index, reader in enumerate(variable.readers):
            if reader not in known:
                decoder.problem((*path, "readers", str(index)), f"unknown service, job or store {reader!r}")
        if not variable.readers and not variable.awaits:
            decoder.problem(path, "nobody reads it: expected a name in `readers`, or in `awaits`")
    if variable.required and variable.default is not None:
        decoder.problem((*path, "default"), "a required variable has no default")
    if variable.secret and (variable.default is not None or variable.local is not None):
        decoder.problem(path, "a secret has no value in this file")
    if (variable.type == "enum") != bool(variable.values):
        decoder.problem(path, "type enum and a list of values go together")
    for key in ("default", "local"):
        value = getattr(variable, key)
        if value is not None and variable.values and value not in variable.values:
            decoder.problem((*path, key), f"expected one of {', '.join(variable.values)}, not {value!r}")
        if value and variable.type in ("int", "port") and not value.isdecimal():
            decoder.problem((*path, key), f"expected a whole number in quotes, not {value!r}")
