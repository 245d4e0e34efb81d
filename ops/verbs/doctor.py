"""What `invoke doctor` looks at: every tool with its version and origin, ports, engine, clusters, folders; each with the remedy."""

import socket
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, replace
from typing import Literal

from ops.catalog import Catalog
from ops.errors import Failure

RowState = Literal["ok", "later", "missing"]
LOOPBACK = "127.0.0.1"
ENGINE = "Docker Engine"
EMBEDDED = "embedded "


@dataclass(frozen=True, slots=True)
class DoctorRow:
    """One line of the table: the thing, its state, the details and the remedy. `later`: it is not there, and not needed yet."""

    what: str
    state: RowState
    detail: str
    remedy: str = ""


def examine(catalog: Catalog) -> tuple[DoctorRow, ...]:
    """Look at everything; nothing is fetched, built or changed."""
    looks: dict[str, Callable[[], Iterable[DoctorRow]]] = {
        "folders": _folders,
        "tools": _tools,
        "stores": lambda: _stores(catalog),
        "ports": lambda: _ports(catalog),
        ENGINE: _engine,
        "testbed": _testbed,
        "clusters": lambda: _clusters(catalog),
    }
    with ThreadPoolExecutor(len(looks)) as pool:
        findings = [finding for found in pool.map(_told, looks, looks.values()) for finding in found]
    if any(finding.what == ENGINE and finding.state == "ok" for finding in findings):
        # Where a Docker Engine answers, the embedded engine is not needed.
        return tuple(replace(f, state="later") if f.what.startswith(EMBEDDED) and f.state == "missing" else f for f in findings)
    # Without a Docker Engine its clients are not needed: the embedded engine does without, and the testbed brings its own.
    clients = _clients_of_the_engine()
    return tuple(replace(f, state="later") if f.what in clients and f.state == "missing" else f for f in findings)


def _clients_of_the_engine() -> set[str]:
    from ops.tools.table import TABLE

    return {name for name, spec in TABLE.items() if spec.origin == "plugin" or name == "docker"}


def _told(what: str, look: Callable[[], Iterable[DoctorRow]]) -> tuple[DoctorRow, ...]:
    """The findings of one look. One that fails is a finding itself, and does not end the others."""
    try:
        return tuple(look())
    except Failure as failure:
        return (DoctorRow(what, "missing", failure.cause, failure.remedy),)
    except OSError as error:
        return (DoctorRow(what, "missing", f"{error.filename or what}: {error.strerror or error}", "Check its permissions."),)


def _tools() -> tuple[DoctorRow, ...]:
    from ops.tools import Found, survey

    return tuple(
        DoctorRow(row.tool.name, "ok", f"{row.tool.version} ({row.tool.origin})")
        if isinstance(row, Found)
        else DoctorRow(row.name, "later" if row.later else "missing", row.cause, row.remedy)
        for row in survey()
    )


def _stores(catalog: Catalog) -> Iterator[DoctorRow]:
    """The programs of the embedded engine's stores."""
    from ops.stores import of, programs

    for name, store in catalog.stores.items():
        what = f"{EMBEDDED}{name}"
        try:
            if (known := of(store).embedded) and (place := programs.present(store.kind)):
                yield DoctorRow(what, "ok", f"{known.program.locked.what} ({place})")
            else:
                programs.require([store.kind])
                yield DoctorRow(what, "later", "it is not fetched yet", "Nothing to do: it is fetched or built when a verb first needs it.")
        except Failure as failure:
            yield DoctorRow(what, "missing", failure.cause, failure.remedy)


def _folders() -> Iterator[DoctorRow]:
    from ops.folders import cache
    from ops.local import state_folder

    for what, look in (("cache folder", cache), ("state folder", state_folder)):
        try:
            yield DoctorRow(what, "ok", str(look()))
        except Failure as failure:
            yield DoctorRow(what, "missing", failure.cause, failure.remedy)


def _ports(catalog: Catalog) -> Iterator[DoctorRow]:
    """Which of the platform's ports are in use."""
    ports = {store.name: store.local_port for store in catalog.stores.values()}
    ports |= {service.name: service.local_port for service in catalog.services.values()}
    taken = [(name, port) for name, port in ports.items() if _listens(port)]
    if not taken:
        yield DoctorRow("ports", "ok", "all of the platform's ports are free")
        return
    own = _own_ports(catalog)
    if mine := [name for name, port in taken if port in own]:
        yield DoctorRow("platform", "ok", f"runs here: {', '.join(mine)}")
    taken = [(name, port) for name, port in taken if port not in own]
    if not taken:
        return
    held = ", ".join(f"{port} ({name})" for name, port in taken)
    yield DoctorRow("ports", "later", f"in use: {held}", "Another checkout's platform or another program has them: `invoke up` says which.")


def _own_ports(catalog: Catalog) -> set[int]:
    """The ports of this checkout's platform, where it runs."""
    from ops.local import state
    from ops.verbs.local import rows_of

    return {row.port for row in rows_of(catalog, state.of(catalog.root))}


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        probe.settimeout(0.3)
        return probe.connect_ex((LOOPBACK, port)) == 0


def _engine() -> tuple[DoctorRow, ...]:
    from ops.local import facts

    answer = facts.docker()
    if answer.trouble:
        remedy = "Nothing to do: `invoke up` uses the embedded engine. For `invoke build`: start Docker, or `invoke testbed.up`."
        return (DoctorRow(ENGINE, "later", answer.trouble, remedy),)
    return (DoctorRow(ENGINE, "ok", answer.version),)


def _testbed() -> tuple[DoctorRow, ...]:
    from ops import testbed

    running = testbed.running()
    if running:
        return (DoctorRow("testbed", "ok", f"runs (provider {running.provider}), registry {running.registry}"),)
    provider = testbed.provider()
    if provider is None:
        remedy = "Use Linux as root, or start Docker, or name a cluster of your own (docs/decisions/testbed)."
        return (DoctorRow("testbed", "later", f"cannot run here: {testbed.refusals(testbed.reason)}", remedy),)
    aside = f"; not native: {testbed.reason('native')}" if provider == "container" else ""
    return (DoctorRow("testbed", "ok", f"can run here (`invoke testbed.up`, provider {provider}{aside})"),)


def _clusters(catalog: Catalog) -> Iterator[DoctorRow]:
    from ops.cluster.target import resolve_target

    for name, environment in catalog.environments.items():
        if environment.kind != "kubernetes":
            continue
        try:
            yield DoctorRow(f"cluster of {name}", "ok", str(resolve_target(catalog, name)))
        except Failure as failure:
            yield DoctorRow(f"cluster of {name}", "later", failure.cause, failure.remedy)


def _remedies(findings: Iterable[DoctorRow]) -> dict[str, list[str]]:
    """Each remedy once, with the things that need it; those of missing things first."""
    found: dict[str, list[str]] = {}
    for finding in sorted(findings, key=lambda finding: finding.state != "missing"):
        if finding.remedy:
            found.setdefault(finding.remedy, []).append(finding.what)
    return found


def show(findings: Iterable[DoctorRow]) -> None:
    """The table, and below it each remedy with the things that need it."""
    from ops.console import say, table

    findings = tuple(findings)
    marks = {"ok": "✓", "later": "·", "missing": "✗"}
    table(("", "what", "state"), [(marks[f.state], f.what, f.detail) for f in findings])
    for remedy, whats in _remedies(findings).items():
        say(f"{', '.join(whats)}: {remedy}")


def verb() -> int:
    """`invoke doctor`: the table, and exit 1 where something is missing."""
    from ops.catalog import load
    from ops.console import emit_json, machine_readable

    findings = examine(load())
    show(findings)
    if machine_readable():
        emit_json({"findings": [asdict(finding) for finding in findings]})
    return 1 if any(finding.state == "missing" for finding in findings) else 0
