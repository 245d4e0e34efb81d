"""The compose document, derived wholly from the catalogue: pure but for `write`."""

import json
from collections.abc import Mapping
from pathlib import Path

from ops.catalog import Catalog, Image, Service, Store
from ops.config import sidecar
from ops.config.local import Setting, environment
from ops.config.sidecar import VARIABLE
from ops.errors import Failure
from ops.folders import write_private
from ops.local.servers import quoted
from ops.local.state import State
from ops.secret import Secret
from ops.stacks import kind_of

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
    for name in (*catalog.stores, *catalog.images):
        values = {**environment(catalog, name, setting), **_store_values(catalog, name, setting)}
        _refuse_lines(name, values)
        write_private(_env_file(home, name), "".join(f"{key}={value.reveal()}\n" for key, value in values.items()))
    password = setting.overrides.get("REDIS_PASSWORD") or setting.secrets.get("REDIS_PASSWORD")
    if password and "redis" in catalog.stores:
        # Read by the container's user, who is not this one; on this machine the folder around it lets nobody else in.
        write_private(_redis_file(home), f"requirepass {quoted(password.reveal())}\nappendonly yes\n")
        _redis_file(home).chmod(0o644)
    write_private(place(home), json.dumps(document(catalog, home, images), indent=1))


def _env_file(home: State, name: str) -> Path:
    return folder(home) / f"{name}.env"


def _redis_file(home: State) -> Path:
    return folder(home) / "redis.conf"


def _refuse_lines(name: str, values: Mapping[str, Secret]) -> None:
    if broken := [key for key, value in values.items() if "\n" in value.reveal()]:
        raise Failure(f"writing the variables of {name}", f"{', '.join(broken)} has a line break", "Give it a value of one line.")


def _store_values(catalog: Catalog, name: str, setting: Setting) -> dict[str, Secret]:
    """The official images' own variables."""
    if name == catalog.database.store:
        return {"POSTGRES_USER": Secret(catalog.database.user), "POSTGRES_DB": Secret(catalog.database.name)}
    if name == "milvus":
        return {
            "ETCD_USE_EMBED": Secret("true"),
            "ETCD_DATA_DIR": Secret("/var/lib/milvus/etcd"),
            "COMMON_STORAGETYPE": Secret("local"),
            "DEPLOY_MODE": Secret("STANDALONE"),
        }
    if name == "redis" and (secret := setting.secrets.get("REDIS_PASSWORD")):
        return {"REDISCLI_AUTH": setting.overrides.get("REDIS_PASSWORD") or secret}  # for the health check
    return {}


def document(catalog: Catalog, home: State, images: Mapping[str, str]) -> Document:
    """The whole compose document. `images`: the reference of each image that is built here. It holds no secret."""
    services: dict[str, Document] = {}
    for store in catalog.stores.values():
        services[store.name] = _store(catalog, home, store)
    for image in catalog.images.values():
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
        "user": "999:999",
        "entrypoint": [*sidecar.COMMAND],
        "tmpfs": [f"{sidecar.HOME}:mode=1777,size=1g"],
        "healthcheck": {**_CHECK, "test": ["CMD", *sidecar.READY]},
        "stop_grace_period": "12s",
    }


def _common(home: State, name: str) -> Document:
    return {**_CLOSED, "env_file": [{"path": str(_env_file(home, name)), "format": "raw"}]}


def _port(host: int, container: int) -> Document:
    return {"host_ip": "127.0.0.1", "published": str(host), "target": container, "protocol": "tcp"}


def _volume(store: Store) -> Document:
    return {"type": "volume", "source": store.name, "target": store.data}


def _store(catalog: Catalog, home: State, store: Store) -> Document:
    own = _OWN.get(store.name)
    if own is None:
        raise Failure("writing the compose document", f"there is no health check for {store.name}", "Add it to ops/local/composefile.py.")
    mounts: list[Document] = [_volume(store)]
    if store.name == "redis":
        mounts.append({"type": "bind", "source": str(_redis_file(home)), "target": "/etc/redis.conf", "read_only": True})
    words = {"user": catalog.database.user, "database": catalog.database.name}
    check = [part.format(**words) for part in _CHECKS.get(store.name, ())]
    return {
        **_common(home, store.name),
        **own,
        "image": store.image,
        "ports": [_port(store.local_port, store.port)],
        "volumes": mounts,
        "healthcheck": {**_CHECK, "test": ["CMD", *check]} if check else {"disable": True},
        "stop_grace_period": "12s",
    }


# The user is the one that the official image makes its data folder for.
_OWN: Mapping[str, Document] = {
    # Two files of a memory disk where the image writes its socket and lock; the data has its volume.
    "postgres": {"user": "999:999", "tmpfs": ["/var/run/postgresql:mode=1777", "/tmp:mode=1777"], "shm_size": "128m"},  # noqa: S108 (in the container)
    "redis": {"user": "999:999", "command": ["redis-server", "/etc/redis.conf"], "tmpfs": ["/tmp:mode=1777"]},  # noqa: S108
    # As root, its image's own user: Docker makes its data folder, and makes it root's. Its file system is not closed, though by
    # its sources it need not be open (k8s/base/stores/milvus): nobody has tried it with the image itself.
    "milvus": {"read_only": False, "command": ["milvus", "run", "standalone"]},
}
_CHECKS: Mapping[str, tuple[str, ...]] = {
    # Over TCP: while the image prepares a new database, a server that will end again answers on the socket.
    "postgres": ("pg_isready", "--quiet", "--host=127.0.0.1", "--username={user}", "--dbname={database}"),
    "redis": ("redis-cli", "-e", "ping"),
    # None for milvus: its image has no program of its own for that. memory-service's check asks it, as a user of it.
}


def _image(catalog: Catalog, home: State, image: Image, reference: str) -> Document:
    shared: Document = {
        **_common(home, image.name),
        "image": reference,
        "pull_policy": "never",  # it was built here, under a name that no registry has
        "user": f"{image.stack.user}:{image.stack.user}",
        "tmpfs": ["/tmp:mode=1777"],  # noqa: S108 (in the container)
        "depends_on": _needs(catalog, image),
        "stop_grace_period": "12s",
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
    return "service_started" if need in catalog.stores and need not in _CHECKS else "service_healthy"
