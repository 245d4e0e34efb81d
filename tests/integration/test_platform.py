"""The platform itself on the testbed, through the verbs: a deploy, a second one, a changed line, and the way back."""

import json
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from ops import catalog as catalogue
from ops.checks.reads import DOCUMENTS, Reads
from ops.cluster.applying import apply
from ops.cluster.target import resolve_target
from ops.cluster.unchanged import unchanged
from ops.documents import Json
from ops.kube.connect import connect
from ops.kube.diff import differences, quiet
from ops.kube.objects import key_of
from ops.testbed import Testbed
from tests.copied import copy
from tests.integration import audit

ROOT = Path(__file__).parents[2]
CATALOG = catalogue.load(ROOT)
CHANGED = "user-service"
Document = dict[str, object]


@pytest.fixture(scope="module")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of this checkout that may be changed, in a path with a space."""
    folder = tmp_path_factory.mktemp("platform") / "a checkout"
    copy(folder, Reads((*DOCUMENTS, "tests/*", ".github/*"), but=("tests/smoke/*",)))
    for arguments in (["init", "-q", "-b", "main"], ["add", "-A"], ["-c", "user.name=t", "-c", "user.email=t@t", "commit", "-qm", "x"]):
        subprocess.run(["git", *arguments], cwd=folder, check=True)
    return folder


@pytest.fixture(scope="module")
def invoke(checkout: Path, testbed: Testbed) -> Callable[..., Document]:
    """Runs a verb for staging on the testbed, and returns its document."""

    def run(*arguments: str, testbed: Testbed = testbed, codes: tuple[int, ...] = (0,)) -> Document:
        argv = [sys.executable, "-m", "invoke", *arguments, "--env", "staging", "--testbed", "--json"]
        done = subprocess.run(argv, cwd=checkout, capture_output=True, text=True, check=False, timeout=900)
        assert done.returncode in codes, done.stderr[-4000:]
        document: Document = json.loads(done.stdout)
        return {**document, "said": done.stderr}

    return run


def kubectl(testbed: Testbed, *arguments: str) -> str:
    argv = [str(testbed.kubectl), f"--kubeconfig={testbed.kubeconfig}", f"--context={testbed.context}", *arguments]
    return subprocess.run(argv, capture_output=True, text=True, check=True).stdout


def images(testbed: Testbed) -> dict[str, str]:
    """What each Deployment runs."""
    path = "{range .items[*]}{.metadata.name} {.spec.template.spec.containers[0].image}{'\\n'}{end}"
    listing = kubectl(testbed, "get", "deployments", "-n", "nextai-system", "-o", f"jsonpath={path}")
    return dict(line.split(" ") for line in listing.split("\n") if line)


def templates(testbed: Testbed) -> dict[str, str]:
    """The pod template's hash of each Deployment: another hash is a restart."""
    path = "{range .items[?(@.spec.replicas>0)]}{.metadata.labels.pod-template-hash} {.metadata.ownerReferences[0].name}{'\\n'}{end}"
    listing = kubectl(testbed, "get", "replicasets", "-n", "nextai-system", "-o", f"jsonpath={path}")
    return {name: value for value, name in (line.split(" ") for line in listing.split("\n") if line)}


def test_a_deploy_brings_up_the_platform_and_its_checks_pass(invoke: Callable[..., Document], testbed: Testbed) -> None:
    done = invoke("deploy", "--yes")
    if done["state"] == "done":  # on a testbed where it is there already, the next tests begin from that
        assert "13 checks passed" in str(done["said"])
    assert set(images(testbed)) == set(CATALOG.services)
    assert all("@sha256:" in image for image in images(testbed).values())


def test_a_second_deploy_writes_nothing(invoke: Callable[..., Document], testbed: Testbed) -> None:
    before = audit.writes(testbed, *CATALOG.namespaces)
    assert invoke("deploy", "--yes")["state"] == "nothing"
    assert audit.writes(testbed, *CATALOG.namespaces) == before > 0


def test_what_counts_as_unchanged_without_asking_is_unchanged_to_the_api_server(invoke: Callable[..., Document], testbed: Testbed) -> None:
    plan = invoke("plan")["plan"]
    assert isinstance(plan, dict)
    manifests = [step["manifest"] for step in plan["steps"] if step["manifest"] and step["key"]["kind"] not in ("Job", "Secret")]
    certain, asked = [], 0
    with connect(resolve_target(CATALOG, "staging", testbed)) as client:
        for manifest in manifests:
            key, resource = key_of(manifest), client.resource_of(manifest)
            live = client.get(resource, key.namespace, key.name)
            assert live is not None
            certain.append(unchanged(manifest, live))
            for variant in [manifest, *variants(manifest)]:
                if unchanged(variant, live):
                    asked += 1
                    after = apply(client, resource, variant, dry_run=True)
                    assert differences(quiet(live), quiet(after)) == (), variant
    assert asked >= certain.count(True) > 0.8 * len(manifests)


def variants(value: Json) -> Iterator[Any]:
    """Copies of a manifest, each changed in one place: a value, a field or an item less or more, an order."""
    if isinstance(value, dict):
        for name, child in value.items():
            if name not in ("apiVersion", "kind", "name", "namespace"):
                yield {k: v for k, v in value.items() if k != name}
                yield from ({**value, name: other} for other in variants(child))
        yield {**value, "more": "x"}
    elif isinstance(value, list):
        yield value[::-1]
        yield [*value, *value[:1]]
        for place, child in enumerate(value):
            yield [*value[:place], *value[place + 1 :]]
            yield from ([*value[:place], other, *value[place + 1 :]] for other in variants(child))
    else:
        yield not value if isinstance(value, bool) else value + 1 if isinstance(value, int) else f"{value}x"


def test_a_changed_line_rebuilds_one_image_and_restarts_one_deployment_and_rollback_brings_both_back(
    invoke: Callable[..., Document], testbed: Testbed, checkout: Path
) -> None:
    images_before, templates_before = images(testbed), templates(testbed)
    source = checkout / CATALOG.services[CHANGED].path / "src" / "main.ts"
    # A change that no earlier run has built: the registry keeps what it has seen.
    source.write_text(source.read_text() + f'\nprocess.title = "changed {uuid.uuid4()}";\n')
    settings = checkout / "k8s/overlays/staging/derived" / f"{CHANGED}.env"
    settings.write_text(settings.read_text().replace("LOG_LEVEL=info", "LOG_LEVEL=debug"))

    done = invoke("deploy", "--yes")

    words = [line.split() for line in str(done["said"]).splitlines()]
    built = [line[1] for line in words if line[:1] == ["build"] and line[1] in CATALOG.images]
    assert built == [CHANGED]
    now = images(testbed)
    assert {name for name in now if now[name] != images_before[name]} == {CHANGED}
    restarted = templates(testbed)
    assert {name for name in restarted if restarted[name] != templates_before[name]} == {CHANGED}
    level = kubectl(testbed, "get", "deploy", CHANGED, "-n", "nextai-system", "-o", "jsonpath={.spec.template.spec.containers[0].envFrom}")
    config = next(entry["configMapRef"]["name"] for entry in json.loads(level) if "configMapRef" in entry)
    assert kubectl(testbed, "get", "configmap", config, "-n", "nextai-system", "-o", "jsonpath={.data.LOG_LEVEL}") == "debug"

    invoke("rollback", "--yes")

    assert images(testbed) == images_before
    assert templates(testbed) == templates_before


def test_status_and_history_tell_what_happened(invoke: Callable[..., Document]) -> None:
    end = time.monotonic() + 60  # an autoscaler may be adding a pod just now
    while True:
        workloads = invoke("status", codes=(0, 1))["workloads"]  # 1 while that pod is not ready
        assert isinstance(workloads, list)
        assert {w["name"] for w in workloads} >= {*CATALOG.services, *CATALOG.stores}
        waiting = [w["why"] for w in workloads if w["why"]]
        if not waiting or time.monotonic() > end:
            break
        time.sleep(1)
    assert waiting == []
    invoke("status")  # and says so by its exit code
    records = invoke("history")["records"]
    assert isinstance(records, list)
    assert [(r["kind"], r["outcome"]) for r in records[-2:]] == [("deploy", "good"), ("rollback", "good")]


def test_the_migrations_are_applied_and_a_second_run_does_nothing(invoke: Callable[..., Document]) -> None:
    assert "0000_users" in json.dumps(invoke("migrate.status"))
    invoke("migrate", "--yes")
