"""Nothing that a store of the clusters' manifests acknowledged is lost, however its pod ends: written under load, ended, counted."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest

from ops import catalog as catalogue
from ops import stores as kinds
from ops.cluster.applying import apply
from ops.cluster.target import Target, resolve_target
from ops.documents import load_all
from ops.kube import write
from ops.kube.client import APPLY, MERGE, Client
from ops.kube.connect import connect
from ops.kube.errors import ApiError
from ops.kube.immutable import explained
from ops.kube.kubectl import forward
from ops.kube.objects import Object, rows, text
from ops.manifests.render import build
from ops.stores.redis import STORE as REDIS
from ops.testbed import Testbed
from ops.verbs.connect import in_pod
from tests.integration.acknowledged import STORES, Clients, Load, stored
from tests.integration.rounds import ROUNDS

CATALOG = catalogue.load()
PASSWORDS = {"postgres": "pw", "redis": "pw"}
KINDS = ("ServiceAccount", "Service", "StatefulSet")
SECONDS = 180.0


@dataclass
class Stores:
    """The three StatefulSets of staging in a namespace of their own, and what they have acknowledged so far."""

    client: Client
    target: Target
    namespace: str
    folder: Path
    kept: dict[str, set[int]] = field(default_factory=lambda: {name: set() for name in STORES})
    first: int = 0

    def path(self, kind: str, name: str = "", group: str = "api/v1") -> str:
        return f"/{group}/namespaces/{self.namespace}/{kind}" + (f"/{name}" if name else "")

    def pod(self, name: str) -> Object:
        found = rows(self.client.request("GET", self.path("pods"), {"labelSelector": f"app.kubernetes.io/name={name}"}), "items")
        return found[0] if found else {}

    def runs(self) -> dict[str, str]:
        """Which run of each store is ready: another container is another run."""
        statuses = {name: rows(self.pod(name), "status", "containerStatuses") for name in STORES}
        return {name: text(each[0], "containerID") for name, each in statuses.items() if each and each[0].get("ready") is True}

    def ready(self, *, but: dict[str, str] | None = None) -> dict[str, str]:
        """Wait until all are ready, in other runs than those."""
        end = time.monotonic() + SECONDS
        while len(now := self.runs()) < len(STORES) or (but and now.items() & but.items()):
            assert time.monotonic() < end, (now, but, [self.pod(name).get("status") for name in STORES])
            time.sleep(0.3)
        return now

    @contextmanager
    def reached(self) -> Iterator[Clients]:
        """Clients of this machine, through ports that are forwarded to the pods that run now."""
        with ExitStack() as stack:
            ports = {
                name: stack.enter_context(forward(self.target, self.namespace, f"service/{name}", CATALOG.stores[name].port))
                for name in STORES
            }
            yield Clients(ports, PASSWORDS, CATALOG.database.user, CATALOG.database.name, self.folder)

    def pids(self, name: str) -> list[int]:
        """The store's processes, on this machine, which is the node; its shim is their parent."""
        uid = text(self.pod(name), "metadata", "uid")
        command = {"postgres": b"postgres", "redis": b"redis-server", "milvus": b"milvus"}[name]
        found = []
        for place in Path("/proc").glob("[0-9]*"):
            try:
                ours = any(form in (place / "cgroup").read_text() for form in (uid, uid.replace("-", "_")))
                if ours and command in (place / "cmdline").read_bytes():
                    found.append(int(place.name))
            except OSError:
                continue
        assert found, name
        return found


def pods_are_deleted(stores: Stores) -> None:
    for name in STORES:
        write.delete(stores.client, stores.path("pods", f"{name}-0"))


def pods_are_deleted_by_force(stores: Stores) -> None:
    for name in STORES:
        body: Object = {"kind": "DeleteOptions", "apiVersion": "v1", "gracePeriodSeconds": 0}
        stores.client.request("DELETE", stores.path("pods", f"{name}-0"), body=body)


def processes_are_killed(stores: Stores) -> None:
    for pid in [pid for name in STORES for pid in stores.pids(name)]:
        with suppress(ProcessLookupError):  # a child of one that has been killed
            os.kill(pid, signal.SIGKILL)


def pods_are_killed(stores: Stores) -> None:
    """What a node loses: each pod's processes and the container runtime's, all at once."""
    for name in STORES:
        pids = stores.pids(name)
        shim = int(Path(f"/proc/{min(pids)}/stat").read_text().rpartition(")")[2].split()[1])
        assert "shim" in Path(f"/proc/{shim}/comm").read_text()
        for pid in (shim, *pids):
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)


def all_are_rolled_out_again(stores: Stores) -> None:
    """As `kubectl rollout restart` does."""
    template = {"metadata": {"annotations": {"kubectl.kubernetes.io/restartedAt": str(time.time())}}}
    for name in STORES:
        body: Object = {"spec": {"template": template}}  # type: ignore[dict-item]
        stores.client.request("PATCH", stores.path("statefulsets", name, "apis/apps/v1"), body=body, content_type=MERGE)


WAYS = [pods_are_deleted, pods_are_deleted_by_force, processes_are_killed, pods_are_killed, all_are_rolled_out_again]


@pytest.fixture(scope="module")
def stores(testbed: Testbed, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stores]:
    target = resolve_target(CATALOG, "staging", testbed)
    namespace = f"kept-{uuid.uuid4().hex[:6]}"
    with connect(target) as client:
        found = Stores(client, target, namespace, tmp_path_factory.mktemp("stores"))
        try:
            client.request("POST", "/api/v1/namespaces", body={"metadata": {"name": namespace}})
            for name, password in PASSWORDS.items():
                body: Object = {"metadata": {"name": f"{name}-secrets"}, "stringData": {f"{name.upper()}_PASSWORD": password}}
                client.request("POST", found.path("secrets"), body=body)
            for manifest in wanted(namespace):
                name = text(manifest, "metadata", "name")
                path = client.resource_of(manifest).path(namespace, name)
                client.request("PATCH", path, {"fieldManager": "test", "force": "true"}, body=manifest, content_type=APPLY)
            found.ready()
            yield found
        finally:
            write.delete(client, f"/api/v1/namespaces/{namespace}")
            free_volumes(client, namespace)


def wanted(namespace: str) -> list[Object]:
    """What the overlay of staging has of the stores, in another namespace. Its images are those of the node."""
    objects: list[Any] = [o for o in load_all(build(CATALOG.root / "k8s/overlays/staging")) if isinstance(o, dict)]
    ours = [o for o in objects if o["kind"] in KINDS and o["metadata"].get("namespace") == "nextai-data"]
    for manifest in ours:
        manifest["metadata"]["namespace"] = namespace
        if manifest["kind"] == "ServiceAccount":
            manifest.pop("imagePullSecrets", None)
    assert {o["metadata"]["name"] for o in ours if o["kind"] == "StatefulSet"} == {*STORES}
    return ours


def free_volumes(client: Client, namespace: str) -> None:
    """A cluster of the testbed has few, and keeps what was in one: empty them, and give them back."""
    end = time.monotonic() + SECONDS
    while rows(client.request("GET", f"/api/v1/namespaces/{namespace}/persistentvolumeclaims"), "items"):  # they go after the pods
        assert time.monotonic() < end
        time.sleep(0.3)
    for volume in rows(client.request("GET", "/api/v1/persistentvolumes"), "items"):
        if text(volume, "spec", "claimRef", "namespace") == namespace:
            for entry in Path(text(volume, "spec", "local", "path")).iterdir():
                shutil.rmtree(entry) if entry.is_dir() else entry.unlink()
            path = f"/api/v1/persistentvolumes/{text(volume, 'metadata', 'name')}"
            client.request("PATCH", path, body={"spec": {"claimRef": None}}, content_type=MERGE)


# What `invoke connect` does where its standard input is no terminal, in a process whose streams are pipes.
PIPED = "import json, sys; from ops.kube.kubectl import join; sys.exit(join(None, tuple(json.loads(sys.argv[1])), 'connecting'))"


def piped(stores: Stores, name: str, given: str) -> "subprocess.CompletedProcess[str]":
    store = replace(CATALOG.stores[name], namespace=stores.namespace)
    client = kinds.of(store).client
    assert client is not None
    argv = in_pod(CATALOG, store, client, stores.target, terminal=False)
    return subprocess.run(
        (sys.executable, "-c", PIPED, json.dumps(argv)), input=given, capture_output=True, text=True, check=False, timeout=SECONDS
    )


@pytest.mark.parametrize("lines", [0, 1, 20_000])  # the last is more than any buffer on the way holds
def test_what_is_piped_into_a_client_program_is_answered_to_its_end(stores: Stores, lines: int) -> None:
    stores.ready()
    asked = "".join(f"SELECT 'answer {line}';\n" for line in range(lines))
    done = piped(stores, "postgres", f"\\pset format unaligned\n\\pset tuples_only on\n{asked}")
    assert (done.returncode, done.stderr) == (0, "")
    assert [line for line in done.stdout.splitlines() if line.startswith("answer ")] == [f"answer {line}" for line in range(lines)]
    assert piped(stores, "redis", "ECHO one\nECHO two").stdout.split() == ["one", "two"]  # the last line without its end


def test_what_a_client_program_refuses_is_told_on_standard_error_with_its_exit_code(stores: Stores) -> None:
    stores.ready()
    done = piped(stores, "postgres", "\\set ON_ERROR_STOP on\nSELECT 1/0;\nSELECT 'not reached';\n")
    assert "division by zero" in done.stderr and "not reached" not in done.stdout
    assert done.returncode == 3  # psql's own, for a script that failed


@pytest.mark.parametrize(
    ("size", "told"),
    [
        ("50Gi", f"the volume grows, data from {REDIS.pod.storage} to 50Gi: first its claims"),
        ("512Mi", f"has {REDIS.pod.storage} and a volume never gets smaller"),
    ],
)
def test_a_volume_of_another_size_is_refused_with_what_to_do(stores: Stores, size: str, told: str) -> None:
    manifest: Any = next(
        one for one in wanted(stores.namespace) if (one["kind"], text(one, "metadata", "name")) == ("StatefulSet", "redis")
    )
    live = stores.client.request("GET", stores.path("statefulsets", "redis", "apis/apps/v1"))
    manifest["spec"]["volumeClaimTemplates"][0]["spec"]["resources"]["requests"]["storage"] = size
    with pytest.raises(ApiError) as refused:
        apply(stores.client, stores.client.resource_of(manifest), manifest, dry_run=True, force=True)
    assert told in explained(refused.value, manifest, live)


@pytest.mark.parametrize("_round", ROUNDS)
@pytest.mark.parametrize("end", WAYS)
def test_every_acknowledged_write_is_there_when_the_pod_is_again(stores: Stores, end: Callable[[Stores], None], _round: int) -> None:
    """Redis too loses nothing here: what its process has written is the kernel's, and the kernel goes on."""
    before = stores.ready()
    with ExitStack() as ways, Load(ways.enter_context(stores.reached()), stores.first) as load:
        load.enough()
        end(stores)
        stores.ready(but=before)
        ways.close()  # a writer may wait for an answer of a pod that is no more
    stores.first += 1_000_000
    for name, done in load.acknowledged.items():
        stores.kept[name] |= done.keys()
    with stores.reached() as clients:
        found = stored(clients)
    assert {name: len(stores.kept[name] - found[name]) for name in STORES} == dict.fromkeys(STORES, 0)
