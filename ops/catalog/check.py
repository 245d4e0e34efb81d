"""Whether the catalogue agrees with itself and with the checkout: what no single entry can say.

An entry that is wrong in itself was told as that. No rule sees it, and nothing is called unknown or missing that it may have meant.
"""

import re
from collections.abc import Iterator
from pathlib import Path as Folder

from ops.catalog import jobs
from ops.catalog.entries import Entries, Path
from ops.catalog.model import MAX_REPLICAS, RESOURCES, url_variable
from ops.catalog.values import problem

# What names something else: the sections that it may be in, and what it is called.
REFERENCES = {
    "services.*.stack": (("stacks",), "stack"),
    "jobs.*.stack": (("stacks",), "stack"),
    "services.*.needs.*": (("services", "stores"), "service or store"),
    "jobs.*.needs.*": (("services", "stores"), "service or store"),
    "gateway": (("services",), "service"),
    "database.store": (("stores",), "store"),
    "database.job": (("jobs",), "job"),
    "variables.*.readers.*": (("services", "jobs", "stores"), "service, job or store"),
}

# What names a file or a folder of the checkout, and what that is.
FILES = {
    "stacks.*.dockerfile": "the Dockerfile",
    "stacks.*.shared.*": "the file",
    "services.*.path": "the folder",
    "services.*.dockerfile": "the Dockerfile",
    "services.*.packages.*": "the folder",
    "services.*.files.*": "the file",
    "jobs.*.path": "the folder",
    "jobs.*.dockerfile": "the Dockerfile",
    "jobs.*.packages.*": "the folder",
    "jobs.*.files.*": "the file",
    "database.migrations": "the folder",
    "environments.*.overlay": "the overlay",
    "smoke": "the file",
}


def check(entries: Entries, root: Folder) -> None:
    """Note every contradiction between the well-formed entries in `entries.problems`."""
    _names(entries)
    _ports(entries)
    _references(entries)
    jobs.check(entries)
    _loops(entries)
    _files(entries, root)
    _environments(entries)
    for name in entries.keys.get(("stores",), ()):
        _store(name, entries)
    _replicas(entries)
    for kind in ("services", "jobs"):
        for name in entries.keys.get((kind,), ()):
            _resources((kind, name), entries)
    _ingress(entries)
    for name in entries.keys.get(("variables",), ()):
        _variable(name, entries)
    if not entries.problems:  # any wrong entry may be the one that is missed here
        _routes(entries)


def _names(entries: Entries) -> None:
    """A service, a job and a store of one name could not be told apart by `needs` and `readers`."""
    seen: dict[str, str] = {}
    for kind in ("services", "jobs", "stores"):
        for name in entries.keys.get((kind,), ()):
            if name in seen:
                entries.problem((kind, name), f"the name is taken by {seen[name]}.{name}")
            seen[name] = kind
    pages = [path for path, page in entries.each("services.*.page", bool) if page]
    for path in pages[1:]:
        entries.problem(path, f"{pages[0][1]} is the page already; there is one")
    for what in ("topics", "queues", "buckets"):
        said: set[tuple[str, str]] = set()
        for path, name in entries.each(f"stores.*.{what}.*", str):
            if (path[1], name) in said:
                entries.problem(path[:-1], f"{name} is here twice")
            said.add((path[1], name))
    routed: dict[str, str] = {}
    for path, prefix in entries.each("services.*.routes.*.prefix", str):
        if prefix in routed:
            entries.problem(path[:-1], f"{prefix} is routed to {routed[prefix]}")
        routed.setdefault(prefix, path[1])


def _ports(entries: Entries) -> None:
    for key in ("port", "localPort"):
        taken: dict[int, tuple[str, ...]] = {}
        for path, port in (*entries.each(f"services.*.{key}", int), *entries.each(f"stores.*.{key}", int)):
            if port in taken:
                first = taken[port]
                entries.problem(path, f"{port} is the port of {first[1]} already (line {entries.lines[first]})")
            taken.setdefault(port, path)


def _references(entries: Entries) -> None:
    for pattern, (kinds, what) in REFERENCES.items():
        for path, name in entries.each(pattern, str):
            if all(entries.absent((kind, name)) for kind in kinds):
                names = ", ".join(known for kind in kinds for known in entries.keys.get((kind,), ()))
                entries.problem(path, f"unknown {what} {name!r}; expected one of {names}")
    namespaces = entries.values.get(("namespaces",))
    if isinstance(namespaces, tuple):
        for kind in ("services", "jobs", "stores"):
            for path, name in entries.each(f"{kind}.*.namespace", str):
                if name not in namespaces:
                    entries.problem(path, f"unknown namespace {name!r}; expected one of {', '.join(namespaces)}")


def _routes(entries: Entries) -> None:
    """What a service serves is sent there by a service that needs it and knows its address: the gateway (ops/config/contract.py)."""
    askers: dict[str, list[str]] = {}
    for path, need in entries.each("services.*.needs.*", str):
        askers.setdefault(need, []).append(path[1])
    for gateway, routed, _ in _routed(entries):
        askers.setdefault(routed, []).append(gateway)
    for name in dict.fromkeys(path[1] for path, _ in entries.each("services.*.routes.*.prefix", str)):
        variable = url_variable(name)
        known = askers.get(name, [])
        readers = entries.values.get(("variables", variable, "readers"), known)  # without an entry: who needs it
        if not any(readers == "all" or (isinstance(readers, tuple | list) and asker in readers) for asker in known):
            also = f" and reads {variable}" if ("variables", variable) in entries.lines else ""
            entries.problem(("services", name, "routes"), f"nothing sends anybody there: expected a service that needs {name}{also}")


def _routed(entries: Entries) -> Iterator[tuple[str, str, Path]]:
    """What the gateway needs because of its routes: the gateway, the service, and where its routes stand."""
    gateway = entries.values.get(("gateway",))
    for name in dict.fromkeys(path[1] for path, _ in entries.each("services.*.routes.*.prefix", str)):
        if isinstance(gateway, str) and name != gateway:
            yield gateway, name, ("services", name, "routes")


def _loops(entries: Entries) -> None:
    needs: dict[str, list[tuple[str, tuple[str, ...]]]] = {}  # by name: what it waits for, and where that is said
    for kind in ("services", "jobs"):
        for path, need in entries.each(f"{kind}.*.needs.*", str):
            needs.setdefault(path[1], []).append((need, path[:-1]))
    for gateway, routed, path in _routed(entries):
        needs.setdefault(gateway, []).append((routed, path))
    job = entries.values.get(("database", "job"))
    for path, migrations in entries.each("services.*.migrations", bool):
        if migrations and isinstance(job, str):
            needs.setdefault(path[1], []).append((job, path))
    done: set[str] = set()

    def visit(name: str, trail: tuple[str, ...], where: tuple[str, ...]) -> None:
        if name in trail:
            loop = (*trail[trail.index(name) :], name)
            entries.problem(where, f"a dependency loop: {' → '.join(loop)}")
        elif name in needs and name not in done:
            for need, path in needs[name]:
                visit(need, (*trail, name), path)
            done.add(name)

    for name in needs:
        visit(name, (), ())


def _files(entries: Entries, root: Folder) -> None:
    inside = root.resolve()
    for pattern, what in FILES.items():
        for path, relative in entries.each(pattern, str):
            target = root / relative
            if not target.resolve().is_relative_to(inside):
                entries.problem(path, f"{what} {relative} lies outside the checkout")
            elif not target.exists():
                entries.problem(path, f"{what} {relative} does not exist")


def _environments(entries: Entries) -> None:
    for path, kind in entries.each("environments.*.kind", str):
        for key in ("overlay", "cluster"):
            if kind == "kubernetes" and entries.absent((*path[:-1], key)):
                entries.problem(path[:-1], f"{key} is missing: a kubernetes environment has one")
    for name in entries.keys.get(("services",), ()):
        for environment in entries.keys.get(("services", name, "replicas"), ()):
            if entries.absent(("environments", environment)):
                entries.problem(("services", name, "replicas", environment), f"unknown environment {environment!r}")
    for key in ("context", "server"):
        taken: dict[str, tuple[str, ...]] = {}
        for path, value in entries.each(f"environments.*.cluster.{key}", str):
            if value in taken:
                first = taken[value]
                words = f"{value} is that of {first[1]} already (line {entries.lines[first]}): the two would overwrite each other"
                entries.problem(path, words)
            taken.setdefault(value, path)


def _store(name: str, entries: Entries) -> None:
    """What a store has for an environment is of one with a cluster."""
    for what in ("profile", "storage", "resources"):
        for environment in entries.keys.get(("stores", name, what), ()):
            if entries.absent(("environments", environment)) or entries.get(("environments", environment, "kind"), "kubernetes") == "local":
                entries.problem(("stores", name, what, environment), f"{environment!r} is no environment with a cluster")


def _replicas(entries: Entries) -> None:
    for path, wanted in entries.each("services.*.replicas.*", int):
        most = entries.get((*path[:2], "maxReplicas"), MAX_REPLICAS)
        if most is not None and wanted > most:
            entries.problem(path, f"{wanted} replicas are more than the {most} of maxReplicas")


def _resources(owner: Path, entries: Entries) -> None:
    """A pod that asks for more than it may use is none that Kubernetes makes. What the service or job does not say, its stack may."""
    stack = entries.values.get((*owner, "stack"))
    for what in ("cpu", "memory"):
        amounts = {"requests": RESOURCES.requests[what], "limits": RESOURCES.limits[what]}
        where = owner
        for entry in (("stacks", str(stack)), owner):
            for kind in amounts:
                path = (*entry, "resources", kind, what)
                if path in entries.lines:
                    amounts[kind], where = str(entries.values.get(path, "")), path
        if all(amounts.values()) and amount(amounts["requests"]) > amount(amounts["limits"]):
            entries.problem(where, f"{owner[-1]} requests {amounts['requests']} of {what}, more than its limit of {amounts['limits']}")


def amount(text: str) -> int:
    """A quantity of Kubernetes in thousandths of a processor, or in MiB."""
    number, unit = int(text.rstrip("mMiG")), text.lstrip("0123456789")
    return number * {"": 1000, "m": 1, "Mi": 1, "Gi": 1024}[unit]


def _ingress(entries: Entries) -> None:
    taken: dict[tuple[str, str], str] = {}
    for path, host in entries.each("services.*.ingress.host", str):
        way = (host, entries.get((*path[:-1], "path"), "/") or "")
        if way in taken:
            entries.problem(path[:-1], f"the Ingress sends {' '.join(way)} to {taken[way]}")
        taken.setdefault(way, path[1])
        if entries.absent(("ingressController",)):
            entries.problem(path[:-1], "ingressController is missing: its namespace, from which the service is reached")
        for where, kind in entries.each("environments.*.kind", str):
            if kind == "kubernetes" and entries.absent((*where[:-1], host)):
                entries.problem(where[:-1], f"{host} is missing: the Ingress sends it to {path[1]}")


def _variable(name: str, entries: Entries) -> None:
    path = ("variables", name)
    readers, required, kind, options = (
        entries.values.get((*path, "readers")),
        entries.values.get((*path, "required")),
        entries.get((*path, "type"), "string"),
        entries.get((*path, "values"), ()),
    )
    given: dict[Path, object] = {(key,): entries.values.get((*path, key)) for key in ("default", "local") if (*path, key) in entries.lines}
    for environment in entries.keys.get((*path, "environments"), ()):
        given["environments", environment] = entries.values.get((*path, "environments", environment))
        if entries.absent(("environments", environment)) or entries.get(("environments", environment, "kind"), "kubernetes") == "local":
            entries.problem((*path, "environments", environment), f"{environment!r} is no environment with a cluster")
    if isinstance(readers, str) and readers != "all":
        entries.problem((*path, "readers"), f"expected a list of names, or all, not {readers!r}")
    if all(entries.get((*path, key), ()) == () for key in ("readers", "awaits")):
        entries.problem(path, "nobody reads it: expected a name in `readers`, or in `awaits`")
    if required and ("default",) in given:
        entries.problem((*path, "default"), "a required variable has no default")
    if entries.values.get((*path, "secret")) and given:
        entries.problem(path, "a secret has no value in this file")
    if kind is not None and options is not None and (kind == "enum") != bool(options):
        entries.problem(path, "type enum and a list of values go together")
    for key, value in given.items():
        if isinstance(value, str) and (wrong := _wrong(value, kind or "string", options or (), entries, local=key == ("local",))):
            entries.problem((*path, *key), wrong)


def _wrong(value: str, kind: str, options: tuple[str, ...], entries: Entries, *, local: bool) -> str:
    """What is wrong with a variable's value in this file; empty where nothing is."""
    if "\n" in value:
        return "has more than one line, which no file of settings can hold"
    if local and (unknown := _unknown_address(value, entries)):
        return unknown
    sample = _ADDRESS.sub(lambda match: SAMPLES[match[2]], value) if local else value
    wrong = problem(kind, sample, options) if value else ""
    return f"{value!r} {wrong}" if wrong else ""


_ADDRESS = re.compile(r"\{([a-z0-9-]+)\.(port|host|url)\}")  # as ops/config/local.py fills it in
SAMPLES = {"port": "1", "host": "host", "url": "http://host:1"}


def _unknown_address(value: str, entries: Entries) -> str:
    """What a `{redis.port}` in a `local` value names that is not there; empty where all of them are."""
    for name, what in re.findall(r"\{([\w-]+)\.([\w-]+)\}", value):
        if what not in SAMPLES:
            return f"unknown {{{name}.{what}}}; expected one of {', '.join(f'{{{name}.{known}}}' for known in SAMPLES)}"
        if all(entries.absent((kind, name)) for kind in ("stores", "services")):
            names = ", ".join(known for kind in ("services", "stores") for known in entries.keys.get((kind,), ()))
            return f"{{{name}.{what}}}: unknown service or store {name!r}; expected one of {names}"
    return ""
