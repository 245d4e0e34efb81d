"""The testbed is a real engine, a real registry and a real Kubernetes: what the product relies on, tried with real clients."""

import json
import os
import time
import urllib.request
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from ops import testbed as rooms
from ops.command import Command, Completed, run
from ops.testbed import Testbed, existing, processes
from ops.testbed.layout import here
from tests.integration import audit

SPACE = "testbed-test"
PYTHON = "python:3.13-slim-trixie"
PROBE = """\
FROM python:3.13-slim-trixie
RUN pip install --no-cache-dir semver==3.0.4
WORKDIR /srv
RUN python -c "import semver; print(semver.Version.parse('1.2.3'))" > index.html
USER 1001
CMD ["python", "-m", "http.server", "8080"]
"""


def shell(testbed: Testbed, *argv: str, check: bool = True, stdin: str | None = None) -> Completed:
    return run(Command(argv, "trying the testbed", env=rooms.environment(testbed), stdin=stdin), check=check, timeout=180)


def docker(testbed: Testbed, *words: str, check: bool = True) -> str:
    return shell(testbed, str(testbed.docker), *words, check=check).stdout.strip()


def kubectl(testbed: Testbed, *words: str, check: bool = True, stdin: str | None = None) -> Completed:
    return shell(testbed, str(testbed.kubectl), f"--context={testbed.context}", "-n", SPACE, *words, check=check, stdin=stdin)


def apply(testbed: Testbed, *objects: dict[str, object]) -> None:
    kubectl(testbed, "apply", "-f", "-", stdin=json.dumps({"apiVersion": "v1", "kind": "List", "items": list(objects)}))


def eventually(condition: Callable[[], bool], seconds: float = 20) -> bool:
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            return False
        time.sleep(0.2)
    return True


def pod(name: str, image: str, *, command: list[str] | None = None, **spec: Any) -> dict[str, object]:
    """A pod that the "restricted" Pod Security standard admits."""
    container: dict[str, object] = {
        "name": "main",
        "image": image,
        "securityContext": {"allowPrivilegeEscalation": False, "readOnlyRootFilesystem": True, "capabilities": {"drop": ["ALL"]}},
    }
    container |= {"command": command} if command else {}
    container |= spec.pop("container", {})
    rules = {"runAsNonRoot": True, "runAsUser": 1001, "seccompProfile": {"type": "RuntimeDefault"}} | spec.pop("security", {})
    whole = {"containers": [container], "securityContext": rules, "terminationGracePeriodSeconds": 1, **spec}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name, "labels": {"app": name}}, "spec": whole}


@pytest.fixture(scope="module")
def space(testbed: Testbed) -> Iterator[None]:
    labels = {"pod-security.kubernetes.io/enforce": "restricted"}
    apply(testbed, {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": SPACE, "labels": labels}})
    assert eventually(lambda: kubectl(testbed, "get", "serviceaccount", "default", check=False).code == 0)
    yield
    kubectl(testbed, "delete", "namespace", SPACE, "--wait=false")


@pytest.fixture(scope="module")
def image(testbed: Testbed, tmp_path_factory: pytest.TempPathFactory) -> str:
    """An image built here and pushed to the testbed's registry, under the name that a manifest says."""
    folder = tmp_path_factory.mktemp("probe")
    (folder / "Dockerfile").write_text(PROBE)
    metadata = folder / "metadata.json"
    tag = f"{testbed.registry}/nextai/testbed-probe:1"
    docker(testbed, "buildx", "build", "--push", "--tag", tag, "--metadata-file", str(metadata), str(folder))
    return f"registry.nextai-agent.com/nextai/testbed-probe@{json.loads(metadata.read_text())['containerimage.digest']}"


@pytest.fixture(scope="module")
def pods(testbed: Testbed, space: None, image: str) -> None:
    """A server with its Service, and two clients."""
    wait = ["python", "-c", "import signal; signal.pause()"]
    service = {"selector": {"app": "server"}, "ports": [{"port": 80, "targetPort": 8080}]}
    apply(
        testbed,
        pod("server", image),
        {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "server"}, "spec": service},
        pod("friend", image, command=wait),
        pod("stranger", image, command=wait),
    )
    kubectl(testbed, "wait", "--for=condition=Ready", "--timeout=60s", "pod/server", "pod/friend", "pod/stranger")


def reaches(testbed: Testbed, client: str, url: str) -> bool:
    script = f"import urllib.request; print(urllib.request.urlopen('{url}', timeout=2).read().decode())"
    return kubectl(testbed, "exec", client, "--", "python", "-c", script, check=False).stdout.strip() == "1.2.3"


def test_the_engine_runs_containers_that_find_each_other_by_name_and_publish_ports(testbed: Testbed) -> None:
    network, server = "testbed-test", "testbed-test-server"
    docker(testbed, "network", "create", network)
    try:
        docker(
            testbed,
            "run",
            "-d",
            "--name",
            server,
            "--network",
            network,
            "-p",
            "127.0.0.1::8000",
            PYTHON,
            "python",
            "-m",
            "http.server",
            "8000",
        )
        address = docker(testbed, "port", server, "8000")
        assert eventually(lambda: _answers(f"http://{address}/"))
        ask = f"import urllib.request; print(urllib.request.urlopen('http://{server}:8000/').status)"
        assert docker(testbed, "run", "--rm", "--network", network, PYTHON, "python", "-c", ask) == "200"
    finally:
        docker(testbed, "rm", "-f", server)
        docker(testbed, "network", "rm", network)


def _answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=2) as answer:
            return bool(answer.status == 200)
    except OSError:
        return False


def test_a_pushed_image_is_pulled_by_digest_and_found_by_its_services_name(testbed: Testbed, pods: None) -> None:
    # The Service leads to the pod some moments after both are there.
    assert eventually(lambda: reaches(testbed, "friend", f"http://server.{SPACE}.svc.cluster.local/"))
    assert reaches(testbed, "friend", "http://server/")


def test_pods_find_the_api_servers_service(testbed: Testbed, pods: None) -> None:
    host = "kubernetes.default.svc"
    script = f"import socket; print(socket.create_connection(('{host}', 443), 3).getpeername()[0])"
    assert kubectl(testbed, "exec", "friend", "--", "python", "-c", script).stdout.strip() == here().api_address


def test_network_policies_deny_and_allow(testbed: Testbed, pods: None) -> None:
    assert reaches(testbed, "stranger", "http://server/")
    policy = {
        "podSelector": {"matchLabels": {"app": "server"}},
        "policyTypes": ["Ingress"],
        "ingress": [{"from": [{"podSelector": {"matchLabels": {"app": "friend"}}}], "ports": [{"port": 8080}]}],
    }
    apply(testbed, {"apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy", "metadata": {"name": "friends"}, "spec": policy})
    assert eventually(lambda: not reaches(testbed, "stranger", "http://server/"))
    assert reaches(testbed, "friend", "http://server/")
    kubectl(testbed, "delete", "networkpolicy", "friends")
    assert eventually(lambda: reaches(testbed, "stranger", "http://server/"))


def test_pod_security_refuses_what_is_not_restricted(testbed: Testbed, space: None, image: str) -> None:
    refused = pod("root", image, security={"runAsUser": 0, "runAsNonRoot": False})
    answer = kubectl(testbed, "apply", "-f", "-", stdin=json.dumps(refused), check=False)
    assert answer.code == 1
    assert "violates PodSecurity" in answer.stderr


def store(name: str, reference: str, user: int, path: str, probe: dict[str, object], **container: object) -> list[dict[str, object]]:
    claim = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}}
    mounts = [
        {"name": "data", "mountPath": path},
        {"name": "tmp", "mountPath": "/tmp"},
        {"name": "run", "mountPath": "/var/run/postgresql"},
    ]
    volumes = [
        {"name": "data", "persistentVolumeClaim": {"claimName": name}},
        {"name": "tmp", "emptyDir": {}},
        {"name": "run", "emptyDir": {}},
    ]
    return [
        {"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": {"name": name}, "spec": claim},
        pod(
            name,
            reference,
            security={"runAsUser": user, "runAsGroup": user, "fsGroup": user},
            volumes=volumes,
            container={"volumeMounts": mounts, "readinessProbe": {**probe, "periodSeconds": 1, "failureThreshold": 60}, **container},
        ),
    ]


def test_the_stores_run_restricted_on_claimed_volumes(testbed: Testbed, space: None) -> None:
    password = [
        {"name": "POSTGRES_PASSWORD", "value": "only-for-this-test"},
        {"name": "PGDATA", "value": "/var/lib/postgresql/pgdata"},
    ]
    postgres = store(
        "postgres",
        "postgres:18-trixie",
        999,
        "/var/lib/postgresql",
        {"exec": {"command": ["pg_isready", "-h", "127.0.0.1"]}},
        env=password,
    )
    redis = store("redis", "redis:8-trixie", 999, "/data", {"exec": {"command": ["redis-cli", "ping"]}})
    milvus = store(
        "milvus",
        "milvusdb/milvus:v2.6.0",
        1000,
        "/var/lib/milvus",
        {"httpGet": {"path": "/healthz", "port": 9091}},
        args=["milvus", "run", "standalone"],
    )
    apply(testbed, *postgres, *redis, *milvus)
    kubectl(testbed, "wait", "--for=condition=Ready", "--timeout=120s", "pod/postgres", "pod/redis", "pod/milvus")
    ask = kubectl(testbed, "exec", "postgres", "--", "psql", "-U", "postgres", "-tAc", "select version()")
    assert ask.stdout.startswith("PostgreSQL 18")
    assert kubectl(testbed, "exec", "redis", "--", "redis-cli", "set", "key", "value").stdout.strip() == "OK"
    listing = "import socket; socket.create_connection(('127.0.0.1', 19530), 2)"
    kubectl(testbed, "exec", "milvus", "--", "python", "-c", listing)
    kubectl(testbed, "delete", "pod,pvc", "postgres", "redis", "milvus", "--wait=false")


def test_the_stand_ins_say_that_they_are(testbed: Testbed) -> None:
    label = docker(testbed, "image", "inspect", "-f", '{{index .Config.Labels "com.nextai-agent.testbed.stand-in"}}', "postgres:18-trixie")
    assert label == "true"


def test_every_write_is_in_the_audit_log(testbed: Testbed, space: None) -> None:
    assert testbed.audit_log is not None
    name = f"written-{uuid.uuid4().hex[:8]}"
    apply(testbed, {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": {"a": "b"}})

    def seen() -> bool:
        events = audit.events(testbed)
        mine = [
            event for event in events if event["user"]["username"] == "testbed-admin" and event.get("objectRef", {}).get("name") == name
        ]
        return [event["verb"] for event in mine] in (["create"], ["patch"]) and all(
            event["verb"] not in ("get", "list") for event in events
        )

    assert eventually(seen)


def test_a_second_up_changes_no_process(testbed: Testbed) -> None:
    before = processes.recorded(here())
    assert rooms.up() == testbed
    assert processes.recorded(here()) == before
    assert all(before.values())


def test_a_testbed_can_be_named_instead_and_is_never_ended(testbed: Testbed, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv(existing.KUBECONFIG, str(testbed.kubeconfig))
    monkeypatch.setenv(existing.REGISTRY, testbed.registry)
    monkeypatch.setenv("PATH", f"{testbed.kubectl.parent}{os.pathsep}{os.environ['PATH']}")
    named = rooms.up()
    assert (named.provider, named.context, named.registry) == ("existing", testbed.context, testbed.registry)
    rooms.down(wipe=True)
    assert rooms.running() == named


def test_a_volume_whose_claim_is_gone_is_empty_and_free_after_the_next_start(testbed: Testbed, space: None, image: str) -> None:
    if testbed.provider == "existing":
        pytest.skip("it is not ours")
    spec = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}}
    claim: dict[str, object] = {"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": {"name": "kept"}, "spec": spec}
    mounted = {"volumeMounts": [{"name": "kept", "mountPath": "/kept"}]}
    volumes = [{"name": "kept", "persistentVolumeClaim": {"claimName": "kept"}}]
    writes = ["python", "-c", "import signal; open('/kept/file', 'w').close(); signal.pause()"]
    writer = pod("writer", image, command=writes, container=mounted, volumes=volumes, security={"fsGroup": 1001})

    def volume(name: str) -> tuple[str, list[str]]:
        state = kubectl(testbed, "get", "persistentvolume", name, "-o", "jsonpath={.status.phase} {.spec.local.path}").stdout.split(" ")
        return state[0], sorted(entry.name for entry in Path(state[1]).iterdir())

    apply(testbed, claim, writer)
    kubectl(testbed, "wait", "--for=condition=Ready", "--timeout=60s", "pod/writer")
    name = kubectl(testbed, "get", "persistentvolumeclaim", "kept", "-o", "jsonpath={.spec.volumeName}").stdout
    assert eventually(lambda: volume(name) == ("Bound", ["file"]))
    rooms.up(testbed.parts)
    assert volume(name) == ("Bound", ["file"])  # somebody has it
    kubectl(testbed, "delete", "pod/writer", "persistentvolumeclaim/kept", "--timeout=60s")
    assert eventually(lambda: volume(name) == ("Released", ["file"]))
    rooms.up(testbed.parts)
    assert eventually(lambda: volume(name) == ("Available", []))
    kubectl(testbed, "wait", f"persistentvolume/{name}", "--for=jsonpath={.status.phase}=Available", "--timeout=60s")
