"""The compose document, derived wholly from the catalogue: pure but for `write`."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path

from ops import stores
from ops.catalog import Catalog, Image, Job, Service, Store
from ops.config import sidecar
from ops.config.local import Setting, access, environment
from ops.config.sidecar import VARIABLE
from ops.errors import Failure
from ops.folders import write_private
from ops.local.process import GRACE
from ops.local.state import State
from ops.secret import Secret
from ops.stacks import kind_of
from ops.stores import Access

Document = dict[str, object]

# What a container may not do. Stores run as their image's own user, so that they need no power to become it.
_CLOSED: Mapping[str, object] = {
    "read_only": True,
    "cap_drop": ["ALL"],
    "security_opt": ["no-new-privileges:true"],
    "restart": "no",
    "init": False,
    "pull_policy": "missing",
    "logging": {"driver": "json-file", "options": {"max-size": "10m", "max-file": "2"}},
}
# The API that the document needs of the engine, Docker 25's: start_interval (docs.docker.com/reference/api/engine/version-history).
API = (1, 44)
_CHECK = {"interval": "2s", "timeout": "5s", "retries": 45, "start_interval": "500ms", "start_period": "60s"}


def project(catalog: Catalog, home: State) -> str:
    """The compose project: one for each state folder, so that checkouts have containers and volumes of their own."""
    return f"{catalog.platform}-{home.key}"


def folder(home: State) -> Path:
    """Where the document and the files that it names lie."""
    return home.run / "compose"


def place(home: State) -> Path:
    """The document."""
    return folder(home) / "compose.json"


def write(catalog: Catalog, home: State, images: Mapping[str, str], setting: Setting) -> None:
    """Write the document, and beside it each container's variables in a file that only its owner may read."""
    folder(home).mkdir(mode=0o700, exist_ok=True)
    for name in (*catalog.stores, *catalog.started):
        _write_variables(catalog, home, name, setting)
    for store in catalog.stores.values():
        if make := stores.of(store).compose.file:
            # Read by the container's user, who is not this one; on this machine the folder around it lets nobody else in.
            write_private(_own_file(home, store), make(access(catalog, store.name, setting)))
            _own_file(home, store).chmod(0o644)
    write_private(place(home), json.dumps(document(catalog, home, images), indent=1))


def write_job(catalog: Catalog, home: State, job: Job, image: str, setting: Setting) -> Path:
    """Write the document of a job that `up` does not start, in the same project, and its variables; where it lies."""
    _write_variables(catalog, home, job.name, setting)
    alone = {**_image(catalog, home, job, image), "depends_on": {}}  # the platform runs
    file = folder(home) / f"{job.name}.json"
    write_private(file, json.dumps({"name": project(catalog, home), "services": {job.name: alone}}, indent=1))
    return file


def _write_variables(catalog: Catalog, home: State, name: str, setting: Setting) -> None:
    values = {**environment(catalog, name, setting), **_settings(catalog, name, setting)}
    _refuse_lines(name, values)
    write_private(_env_file(home, name), "".join(f"{key}={value.reveal()}\n" for key, value in values.items()))


def _env_file(home: State, name: str) -> Path:
    return folder(home) / f"{name}.env"


def _own_file(home: State, store: Store) -> Path:
    return folder(home) / f"{store.name}{Path(stores.of(store).compose.place).suffix}"


def _refuse_lines(name: str, values: Mapping[str, Secret]) -> None:
    if broken := [key for key, value in values.items() if "\n" in value.reveal()]:
        raise Failure(f"writing the variables of {name}", f"{', '.join(broken)} has a line break", "Give it a value of one line.")


def _settings(catalog: Catalog, name: str, setting: Setting) -> dict[str, Secret]:
    """The variables of a store's image beside the catalogue's."""
    if name not in catalog.stores:
        return {}
    store = catalog.stores[name]
    found = stores.of(store).settings(replace(access(catalog, name, setting), published=store.local_port))
    return {variable: Secret(value) for variable, value in found.items()}


def document(catalog: Catalog, home: State, images: Mapping[str, str]) -> Document:
    """The whole compose document. `images`: the reference of each image that is built here. It holds no secret."""
    services: dict[str, Document] = {}
    for store in catalog.stores.values():
        services[store.name] = _store(catalog, home, store)
    for image in catalog.started.values():
        services[image.name] = _image(catalog, home, image, images[image.name])
    if job := catalog.jobs.get(catalog.database.job):
        services[scratch(catalog)] = _scratch(catalog)
        services[job.name] |= {
            "network_mode": f"service:{scratch(catalog)}",  # the scratch server listens on the loopback address that they share
            "environment": {VARIABLE: sidecar.URL},
            "depends_on": {**_needs(catalog, job), scratch(catalog): {"condition": "service_healthy"}},
        }
    return {"name": project(catalog, home), "services": services, "volumes": {name: {} for name in catalog.stores}}


def scratch(catalog: Catalog) -> str:
    """The service on which the database's migrations are tried first. It has ended when the platform runs."""
    return f"{catalog.database.job}-{sidecar.NAME}"


def _scratch(catalog: Catalog) -> Document:
    """It has no volume: its data is in memory, where the image would have Docker make a volume without a name."""
    return {
        **_CLOSED,
        "image": catalog.stores[catalog.database.store].image,
        "user": f"{sidecar.USER}:{sidecar.USER}",
        "entrypoint": [*sidecar.COMMAND],
        "tmpfs": [f"{sidecar.HOME}:mode=1777,size=1g"],
        "healthcheck": {**_CHECK, "test": ["CMD", *sidecar.READY]},
        "stop_grace_period": f"{GRACE:g}s",
    }


def _common(home: State, name: str) -> Document:
    return {**_CLOSED, "env_file": [{"path": str(_env_file(home, name)), "format": "raw"}]}


def _port(host: int, container: int) -> Document:
    return {"host_ip": "127.0.0.1", "published": str(host), "target": container, "protocol": "tcp"}


def _volume(store: Store) -> Document:
    return {"type": "volume", "source": store.name, "target": store.data}


def _store(catalog: Catalog, home: State, store: Store) -> Document:
    known, check = stores.of(store), _asked(catalog, store)
    mounts: list[Document] = [_volume(store)]
    if known.compose.file:
        mounts.append({"type": "bind", "source": str(_own_file(home, store)), "target": known.compose.place, "read_only": True})
    return {
        **_common(home, store.name),
        **known.compose.fields,
        **({"command": _literal(known.compose.command(store))} if known.compose.command else {}),
        "image": store.image,
        "ports": [_port(store.local_port, store.local_port if known.compose.same_port else store.port)],
        "volumes": mounts,
        "healthcheck": {**_CHECK, "test": ["CMD", *check]} if check else {"disable": True},
        "stop_grace_period": f"{known.grace}s",
    }


def _literal(argv: Iterable[str]) -> list[str]:
    """A command as it is: Compose would fill in a single `$`."""
    return [part.replace("$", "$$") for part in argv]


def _asked(catalog: Catalog, store: Store) -> list[str]:
    """The program in a store's container that says whether it is ready; empty where its image has none."""
    inside = Access(store.name, store.port, catalog.database.user, catalog.database.name, contents=store.contents)
    return _literal(stores.of(store).check(inside).argv)


def _image(catalog: Catalog, home: State, image: Image, reference: str) -> Document:
    shared: Document = {
        **_common(home, image.name),
        "image": reference,
        "pull_policy": "never",  # it was built here, under a name that no registry has
        "user": f"{image.stack.user}:{image.stack.user}",
        "tmpfs": ["/tmp:mode=1777"],  # noqa: S108 (in the container)
        "depends_on": _needs(catalog, image),
        "stop_grace_period": f"{GRACE:g}s",
    }
    if not isinstance(image, Service):
        return shared
    check = ["CMD", *kind_of(image.stack.name).health, image.ready]
    return {**shared, "ports": [_port(image.local_port, image.port)], "healthcheck": {**_CHECK, "test": check}}


def _needs(catalog: Catalog, image: Image) -> dict[str, Document]:
    needs: dict[str, Document] = {name: {"condition": _when(catalog, name)} for name in image.needs}
    if isinstance(image, Service) and image.migrations:
        needs[catalog.database.job] = {"condition": "service_completed_successfully"}
    return needs


def _when(catalog: Catalog, need: str) -> str:
    return "service_started" if need in catalog.stores and not _asked(catalog, catalog.stores[need]) else "service_healthy"
