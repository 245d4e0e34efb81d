"""Milvus; as a process of this machine, Milvus Lite."""

from collections.abc import Mapping
from pathlib import Path

from ops.catalog.model import Resources
from ops.stores.model import Access, Check, Compose, Embedded, Folder, Ping, Place, Pod, Program, Server, StoreKind, Wanted
from ops.tools.find import ROOT
from ops.tools.locked import Locked

_FOLDER = ROOT / "infra" / "embedded" / "milvus"
_HEALTH = "health"


def _url(access: Access) -> str:
    return f"http://{access.host}:{access.port}"


def _check(_: Access) -> Check:
    """Not by a program: its image has none for that. In Compose memory-service's check asks it, as a user of it."""
    return Check(path="/healthz", port=_HEALTH)


def _settings(_: Access) -> Mapping[str, str]:
    return {
        "ETCD_USE_EMBED": "true",
        "ETCD_DATA_DIR": "/var/lib/milvus/etcd",
        "COMMON_STORAGETYPE": "local",
        "DEPLOY_MODE": "STANDALONE",
    }


def _server(program: Path, wanted: Wanted, place: Place) -> Server:
    data = place.data / wanted.name
    data.mkdir(mode=0o700, exist_ok=True)
    return Server(
        (str(program), str(_FOLDER / "server.py"), str(data), str(wanted.port)),
        data,
        Ping(),
        {"OMP_NUM_THREADS": "2", "PYTHONUNBUFFERED": "1"},
        lost="WAL recovery stopped",
    )


STORE = StoreKind(
    title="Milvus",
    component="vector-store",
    url=_url,
    check=_check,
    settings=_settings,
    # As root, its image's own user: Docker makes its data folder, and makes it root's. Its file system is not closed, though by
    # its sources it need not be open (the pod's is closed): nobody has tried it with the image itself.
    compose=Compose({"read_only": False, "command": ["milvus", "run", "standalone"]}),
    pod=Pod(
        # Not its image's own user, root. Its programs and libraries are for root and group 0 to run and read, and for nobody else
        # (mode 0774; build/docker/milvus/*/Dockerfile of milvus-io/milvus). Images that came later have a user, 999, and group.
        user=1000,
        group=0,
        volume_group=1000,
        storage="20Gi",
        resources=Resources({"cpu": "500m", "memory": "1Gi"}, {"cpu": "2", "memory": "4Gi"}),
        command=lambda _: ("milvus", "run", "standalone"),
        # By its sources it writes its data, a file with its process number, and what is temporary. Into /milvus, beside its
        # programs, write only its Helm chart and its operator: they merge their settings into a file there.
        folders=(Folder("run", "/run/milvus", "16Mi"), Folder("tmp", "/tmp", "256Mi")),  # noqa: S108 (in the container)
        ports={_HEALTH: 9091},
        tries=150,
    ),
    embedded=Embedded(Program(Locked(_FOLDER, "Milvus Lite", 20), "bin/python"), _server),
)
