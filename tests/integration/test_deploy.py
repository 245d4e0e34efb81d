"""Deploys of a small platform on a real cluster: what is promised when they go well, fail, are cut off, or are not needed."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import httpx
import pytest

from ops import tools
from ops.cluster import logs, record, smoke
from ops.cluster.client import Client, connect
from ops.cluster.connect import forward
from ops.cluster.objects import Key
from ops.cluster.plan import Plan, from_document, to_document
from ops.cluster.prepare import plan_deploy
from ops.cluster.release import Result, execute
from ops.cluster.render import render
from ops.cluster.rollback import plan_rollback
from ops.cluster.scale import plan_scale
from ops.cluster.shell import open_shell
from ops.cluster.status import status
from ops.cluster.target import Target, resolve_target
from ops.cluster.watch import Notice
from ops.errors import Exit, Failure, Refused, RolledBack, UsageError
from tests.integration import probe_image
from tests.integration.small_platform import Platform

SECONDS = 120.0
DEFINITE = 45.0  # a failure is told within this time after the object was applied, on a machine that is busy with other things


@dataclass
class Cluster:
    """A connection to the testbed, and the platform that is deployed to it."""

    target: Target
    client: Client
    platform: Platform
    notices: list[Notice] = field(default_factory=list)
    times: list[float] = field(default_factory=list)

    def tell(self, notice: Notice) -> None:
        self.notices.append(notice)
        self.times.append(time.monotonic())

    def plan(self) -> Plan:
        self.platform.write()
        catalog = self.platform.catalog()
        rendered = render(catalog, self.target.environment, self.platform.digests)
        return plan_deploy(catalog, self.client, rendered, commit="c0ffee")

    def execute(self, plan: Plan, verify: Callable[[], None] | None = None) -> Result:
        return execute(self.platform.catalog(), self.client, plan, self.tell, verify=verify, seconds=SECONDS)

    def deploy(self) -> Result:
        return self.execute(self.plan())

    def get(self, kind: str, name: str, namespace: str = "", group: str = "") -> dict[str, Any] | None:
        resource = self.client.by_key(Key(kind, "", "", group))
        assert resource is not None
        return self.client.get(resource, namespace or self.platform.home, name)

    def web(self) -> dict[str, Any]:
        found = self.get("Deployment", "web", group="apps")
        assert found is not None
        return found

    def image(self) -> str:
        return str(self.web()["spec"]["template"]["spec"]["containers"][0]["image"])

    def greeting(self) -> str:
        """What the running configuration says."""
        source = self.web()["spec"]["template"]["spec"]["containers"][0]["envFrom"][0]["configMapRef"]["name"]
        config = self.get("ConfigMap", source)
        assert config is not None
        return str(config["data"]["GREETING"])

    def history(self) -> tuple[record.Header, ...]:
        return record.history(self.client, self.platform.home)

    def everything(self) -> dict[str, str]:
        """The resourceVersion of everything that a deploy may write."""
        kinds = ("Namespace", "ConfigMap", "Secret", "ServiceAccount", "Service", "Deployment", "StatefulSet", "Job", "Lease")
        found: dict[str, str] = {}
        for kind in kinds:
            group = {"Deployment": "apps", "StatefulSet": "apps", "Job": "batch", "Lease": "coordination.k8s.io"}.get(kind, "")
            resource = self.client.by_key(Key(kind, "", "", group))
            assert resource is not None
            for namespace in (self.platform.home, self.platform.data):
                for item in self.client.find(resource, namespace if resource.namespaced else ""):
                    metadata: Any = item["metadata"]
                    if self.platform.name in metadata.get("namespace", metadata["name"]):
                        found[f"{kind} {metadata.get('namespace')}/{metadata['name']}"] = metadata["resourceVersion"]
        return found


@pytest.fixture(scope="session")
def digests(testbed: Any, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Two versions of the same image, in the testbed's registry."""
    folder = tmp_path_factory.mktemp("probe")
    go = tools.find("go").argv[0]
    found: dict[str, str] = {}
    for version in ("one", "two"):
        program = probe_image.build(folder, go, version)
        for name in ("ct-web", "ct-migrate", "ct-store"):
            found[version] = probe_image.push(testbed.registry, f"nextai/{name}", program)
    return found


@pytest.fixture
def cluster(testbed: Any, digests: dict[str, str], tmp_path: Path) -> Iterator[Cluster]:
    """An empty place in the cluster, with the Secret that the platform needs, and nothing left of it afterwards."""
    platform = Platform(tmp_path, dict.fromkeys(("ct-web", "ct-migrate", "ct-store"), digests["one"]))
    target = resolve_target(platform.catalog(), "staging", testbed)
    namespaces = (platform.home, platform.data)
    with connect(target) as client:
        _make_secret(client, platform.home, "abc")
        try:
            yield Cluster(target, client, platform)
        finally:
            for namespace in namespaces:
                client.delete_path(f"/api/v1/namespaces/{namespace}")


def _make_secret(client: Client, namespace: str, token: str) -> None:
    client.request("POST", "/api/v1/namespaces", body={"metadata": {"name": namespace}})
    secret: Any = {"metadata": {"name": "web-secrets"}, "stringData": {"TOKEN": token}}
    client.request("POST", f"/api/v1/namespaces/{namespace}/secrets", body=secret)


def test_a_deploy_makes_everything_in_order_and_a_second_one_writes_nothing(cluster: Cluster, testbed: Any) -> None:
    result = cluster.deploy()

    assert result.state == "done"
    ready = [str(n.key.kind) for n in cluster.notices if n.state == "ready"]
    assert ready == ["StatefulSet", "Job", "Deployment"]
    assert [h.outcome for h in cluster.history()] == ["good"]
    before, audited = cluster.everything(), writes(testbed.audit_log)
    plan = cluster.plan()
    assert plan.changes == ()
    assert cluster.execute(plan).state == "nothing"
    assert cluster.everything() == before
    assert writes(testbed.audit_log) == audited


def writes(audit_log: Path | None) -> int:
    """How many requests of ours the API server has answered that were not for show. Not every testbed can say."""
    if audit_log is None:
        return 0
    events = [json.loads(line) for line in audit_log.read_text().splitlines()]
    ours = [e for e in events if e.get("userAgent") == "nextai-deploy" and e["verb"] in ("create", "update", "patch", "delete")]
    return sum("dryRun=All" not in e["requestURI"] for e in ours)


def test_a_first_deploy_to_an_empty_cluster_is_planned_without_making_anything(cluster: Cluster) -> None:
    cluster.platform.name = cluster.platform.name + "x"
    plan = cluster.plan()
    assert {s.action for s in plan.steps} == {"create"}
    assert cluster.get("Namespace", cluster.platform.home) is None
    assert any("web-secrets" in p for p in plan.problems)
    with pytest.raises(Refused, match="web-secrets is missing"):
        cluster.execute(plan)
    assert cluster.get("Namespace", cluster.platform.home) is None


def test_a_mistake_in_a_manifest_is_found_by_the_plan_even_where_the_namespace_is_missing(cluster: Cluster) -> None:
    cluster.platform.name = cluster.platform.name + "x"
    folder = cluster.platform.write()
    text = (
        (folder / "objects.json")
        .read_text()
        .replace('"targetPort"', '"port"')
        .replace('"ports": [{"port": 8080}]', '"ports": [{"prot": 8080}]')
    )
    (folder / "objects.json").write_text(text)
    catalog = cluster.platform.catalog()
    rendered = render(catalog, cluster.target.environment, cluster.platform.digests)
    plan = plan_deploy(catalog, cluster.client, rendered)
    assert any("prot" in p for p in plan.problems), plan.problems


def test_a_rollback_brings_back_digest_configuration_and_removed_objects(cluster: Cluster, digests: dict[str, str]) -> None:
    cluster.deploy()
    cluster.platform.digests = {**cluster.platform.digests, "ct-web": digests["two"]}
    cluster.platform.config = {"GREETING": "bye"}
    cluster.platform.extra = False
    plan = cluster.plan()
    assert {(s.key.kind, s.action) for s in plan.changes} == {("ConfigMap", "create"), ("ConfigMap", "delete"), ("Deployment", "change")}
    cluster.execute(plan)
    assert cluster.image().endswith(digests["two"])
    assert cluster.greeting() == "bye"
    assert cluster.get("ConfigMap", "extra") is None

    cluster.execute(plan_rollback(cluster.platform.catalog(), cluster.client))

    assert cluster.image().endswith(digests["one"])
    assert cluster.greeting() == "hello"
    assert cluster.get("ConfigMap", "extra") is not None
    assert [(h.kind, h.outcome) for h in cluster.history()] == [("deploy", "good"), ("deploy", "good"), ("rollback", "good")]
    assert cluster.web()["status"]["readyReplicas"] == 1


def test_a_stale_plan_is_refused_and_shows_what_moved(cluster: Cluster, digests: dict[str, str]) -> None:
    cluster.deploy()
    cluster.platform.digests = {**cluster.platform.digests, "ct-web": digests["two"]}
    plan = from_document(json.loads(json.dumps(to_document(cluster.plan()))))
    path = f"/api/v1/namespaces/{cluster.platform.home}/configmaps/extra"
    cluster.client.request("PATCH", path, body={"data": {"a": "2"}}, content_type="application/merge-patch+json")

    with pytest.raises(Refused) as refused:
        cluster.execute(plan)

    assert "ConfigMap" in refused.value.cause
    assert "data.a: 1 → 2" in refused.value.cause
    assert cluster.image().endswith(digests["one"])
    assert len(cluster.history()) == 1


def test_a_field_that_someone_else_has_set_is_taken_back_and_the_plan_says_so(cluster: Cluster) -> None:
    cluster.deploy()
    path = f"/api/v1/namespaces/{cluster.platform.home}/configmaps/extra"
    query = {"fieldManager": "someone"}
    cluster.client.request("PATCH", path, query, body={"data": {"a": "2", "b": "theirs"}}, content_type="application/merge-patch+json")

    plan = cluster.plan()

    assert [(str(s.key.name), s.note) for s in plan.changes] == [("extra", "takes .data.a back from someone")]
    cluster.execute(plan)
    config = cluster.get("ConfigMap", "extra")
    assert config is not None
    assert config["data"] == {"a": "1", "b": "theirs"}


def test_a_field_that_was_never_ours_is_not_taken(cluster: Cluster) -> None:
    body: Any = {"metadata": {"name": "extra"}, "data": {"a": "theirs"}}
    cluster.client.request("POST", f"/api/v1/namespaces/{cluster.platform.home}/configmaps", {"fieldManager": "someone"}, body=body)
    plan = cluster.plan()
    assert any(".data.a (owned by someone)" in p for p in plan.problems), plan.problems


FAILURES: dict[str, tuple[dict[str, Any], str]] = {
    "image": ({"digests": "sha256:" + "0" * 64}, "cannot be pulled: .*not found"),
    "crash": ({"env": {"EXIT_CODE": "3"}}, r"exit code 3[\s\S]*told to end with 3"),
    "probe": ({"env": {"READY_STATUS": "503"}}, "Readiness probe failed: HTTP probe failed with statuscode: 503"),
    "place": ({"cpu": "900"}, "cannot be placed: .*Insufficient cpu"),
    "quota": ({"quota": "1"}, "no pod may be created: .*exceeded quota"),
    "migration": ({"job_env": {"EXIT_CODE": "7"}}, r"ct-migrate[\s\S]*exit code 7[\s\S]*told to end with 7"),
}


@pytest.mark.parametrize("name", FAILURES)
def test_a_failed_deploy_says_its_cause_within_seconds_and_goes_back(cluster: Cluster, digests: dict[str, str], name: str) -> None:
    cluster.deploy()
    good = cluster.platform.digests
    changes, cause = FAILURES[name]
    cluster.platform.config = {"GREETING": "bye"}
    for field_name, value in changes.items():
        setattr(cluster.platform, field_name, {**good, "ct-web": value} if field_name == "digests" else value)

    cluster.notices.clear()
    cluster.times.clear()
    with pytest.raises(RolledBack, match=cause) as failed:
        cluster.deploy()

    told = next(n for n in cluster.notices if n.state == "failed")
    applied = next(n for n in cluster.notices if n.key == told.key and n.state == "applied")
    seconds = cluster.times[cluster.notices.index(told)] - cluster.times[cluster.notices.index(applied)]
    print(f"{name}: told {seconds:.1f} s after it was applied")
    assert seconds < DEFINITE
    assert failed.value.code == Exit.ROLLED_BACK
    assert cluster.image().endswith(digests["one"])
    assert cluster.greeting() == "hello"
    assert [(h.kind, h.outcome) for h in cluster.history()] == [("deploy", "good"), ("deploy", "failed"), ("rollback", "good")]
    cluster.platform.config, cluster.platform.env, cluster.platform.cpu = {"GREETING": "hello"}, {}, "10m"
    cluster.platform.job_env, cluster.platform.quota, cluster.platform.digests = {}, "", good
    assert [s for s in cluster.plan().changes if s.action != "delete"] == []


def test_a_first_deploy_that_fails_ends_with_the_cause_and_the_next_one_goes_on(cluster: Cluster) -> None:
    cluster.platform.env = {"EXIT_CODE": "3"}
    with pytest.raises(Failure, match="exit code 3") as failed:
        cluster.deploy()
    assert failed.value.code == Exit.FAILED
    assert "no earlier good record" in failed.value.remedy
    cluster.platform.env = {}
    assert cluster.deploy().state == "done"
    assert [h.outcome for h in cluster.history()] == ["failed", "good"]


def test_a_check_that_fails_after_the_rollout_takes_it_back(cluster: Cluster, digests: dict[str, str]) -> None:
    cluster.deploy()
    cluster.platform.digests = {**cluster.platform.digests, "ct-web": digests["two"]}

    def verify() -> None:
        assert cluster.image().endswith(digests["two"])
        raise Failure("checking the platform", "sign-up answered 500", "Read the logs.")

    with pytest.raises(RolledBack, match="sign-up answered 500"):
        cluster.execute(cluster.plan(), verify)
    assert cluster.image().endswith(digests["one"])


def test_a_changed_secret_restarts_what_reads_it(cluster: Cluster) -> None:
    cluster.deploy()
    path = f"/api/v1/namespaces/{cluster.platform.home}/secrets/web-secrets"
    cluster.client.request("PATCH", path, body={"stringData": {"TOKEN": "other-token"}}, content_type="application/merge-patch+json")
    plan = cluster.plan()
    assert [s.key.kind for s in plan.changes] == ["Deployment"]
    assert "other-token" not in json.dumps(to_document(plan))
    cluster.execute(plan)
    assert cluster.plan().changes == ()


def test_scaling_moves_the_autoscalers_bounds_and_the_next_deploy_shows_it(cluster: Cluster) -> None:
    cluster.deploy()
    plan = plan_scale(cluster.platform.catalog(), cluster.client, "web", least=2, most=4)
    assert [s.key.kind for s in plan.changes] == ["HorizontalPodAutoscaler"]
    cluster.execute(plan)
    autoscaler = cluster.get("HorizontalPodAutoscaler", "web", group="autoscaling")
    assert autoscaler is not None
    assert (autoscaler["spec"]["minReplicas"], autoscaler["spec"]["maxReplicas"]) == (2, 4)
    assert [h.kind for h in cluster.history()] == ["deploy", "scale"]
    shown = [str(d) for s in cluster.plan().changes for d in s.differences]
    assert shown == ["~ spec.maxReplicas: 4 → 3", "~ spec.minReplicas: 2 → 1"]


def test_two_deploys_at_once_one_is_refused_and_told_who_holds_the_lock(cluster: Cluster, digests: dict[str, str]) -> None:
    cluster.deploy()
    cluster.platform.digests = {**cluster.platform.digests, "ct-web": digests["two"]}
    plan = cluster.plan()

    def second() -> None:
        with pytest.raises(Refused, match="has held it since"):
            cluster.execute(plan)

    cluster.execute(plan, second)
    assert [h.outcome for h in cluster.history()] == ["good", "good"]


KILLED = """
import json, sys
from pathlib import Path
sys.path[:0] = json.loads(sys.argv[1])
from tests.integration.small_platform import Platform
from ops.cluster.client import connect
from ops.cluster.prepare import plan_deploy
from ops.cluster.release import execute
from ops.cluster.render import render
from ops.cluster.target import resolve_target
from types import SimpleNamespace
settings = json.loads(sys.argv[2])
testbed = SimpleNamespace(**{**settings["testbed"], "kubeconfig": Path(settings["testbed"]["kubeconfig"])})
platform = Platform(Path(settings["root"]), settings["digests"], name=settings["name"], env=settings["env"])
platform.write()
catalog = platform.catalog()
target = resolve_target(catalog, "staging", testbed)
with connect(target) as client:
    plan = plan_deploy(catalog, client, render(catalog, target.environment, platform.digests))
    execute(catalog, client, plan, lambda notice: print(notice.key.kind, notice.state, flush=True))
"""


@pytest.mark.parametrize("same", [True, False], ids=["finishes", "takes the place of"])
def test_after_a_killed_deploy_the_lock_lapses_and_the_next_one_finishes_or_replaces_it(
    cluster: Cluster, digests: dict[str, str], testbed: Any, same: bool
) -> None:
    cluster.deploy()
    changed = {**cluster.platform.digests, "ct-web": digests["two"]}
    # It does not become ready, so it is certainly in the middle when it is killed.
    env = {"READY_STATUS": "503"}
    settings = {
        "testbed": {"kubeconfig": str(testbed.kubeconfig), "context": testbed.context, "kubectl": str(testbed.kubectl)},
        "root": str(cluster.platform.root),
        "digests": changed,
        "name": cluster.platform.name,
        "env": env,
    }
    root = Path(__file__).parents[2]
    argv = [sys.executable, "-c", KILLED, json.dumps([str(Path(__file__).parent), str(root)]), json.dumps(settings)]
    child = subprocess.Popen(argv, stdout=subprocess.PIPE, text=True)
    assert child.stdout is not None
    assert any(line.startswith("Deployment waiting") for line in child.stdout), "the deploy never got to its workloads"
    os.kill(child.pid, signal.SIGKILL)
    child.wait()
    killed = time.monotonic()
    assert [h.outcome for h in cluster.history()] == ["good", "running"]

    cluster.platform.digests = changed
    cluster.platform.env = env if same else {}
    with pytest.raises(Refused, match="has held it since") as held:
        cluster.deploy()
    assert "lapses" in held.value.remedy
    plan = _when_lapsed(cluster)
    assert time.monotonic() - killed < 45
    assert plan.unfinished == 2
    assert plan.finishes is same
    if same:
        # Finishing it means to wait for what it wanted, and to go back from it when that fails.
        with pytest.raises(RolledBack, match="503"):
            cluster.execute(plan)
        assert [h.outcome for h in cluster.history()] == ["good", "abandoned", "failed", "good"]
        assert cluster.image().endswith(digests["one"])
    else:
        result = cluster.execute(plan)
        assert "took its place" in result.resumed
        assert [h.outcome for h in cluster.history()] == ["good", "abandoned", "good"]
        assert cluster.image().endswith(digests["two"])


def _when_lapsed(cluster: Cluster) -> Plan:
    """A plan, as soon as the Lease has lapsed by the cluster's clock."""
    from ops.cluster.lock import lapsed

    lease = cluster.get("Lease", "nextai-deploy", group="coordination.k8s.io")
    assert lease is not None
    deadline = time.monotonic() + 60
    while not lapsed(lease, cluster.client.now()):
        assert time.monotonic() < deadline
        time.sleep(0.2)
    return cluster.plan()


def test_a_broken_store_is_replaced_when_the_deploy_that_broke_it_is_taken_back(cluster: Cluster, digests: dict[str, str]) -> None:
    """A StatefulSet's controller does not replace a broken pod by itself."""
    cluster.deploy()
    cluster.platform.digests = {**cluster.platform.digests, "ct-store": "sha256:" + "1" * 64}
    with pytest.raises(RolledBack, match="cannot be pulled"):
        cluster.deploy()
    store = cluster.get("StatefulSet", "store", cluster.platform.data, "apps")
    assert store is not None
    assert store["status"]["readyReplicas"] == 1
    assert store["spec"]["template"]["spec"]["containers"][0]["image"].endswith(digests["one"])


def test_records_are_split_kept_ten_and_never_hold_a_secrets_value(cluster: Cluster) -> None:
    cluster.deploy()
    home = cluster.platform.home
    big: Any = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "big"}, "data": {"x": os.urandom(1_500_000).hex()}}
    secret: Any = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "s"}, "stringData": {"PASSWORD": "hunter2hunter2"}}
    header = record.Header(2, "deploy", "staging", "me", "", "2026-01-01T00:00:00Z", outcome="failed")
    written = record.write(cluster.client, home, record.Record(header, (big, secret)))
    assert written.parts > 1
    read = record.load(cluster.client, home, cluster.history()[-1])
    assert read.objects[0] == big
    assert "hunter2" not in json.dumps(read.objects)
    for number in range(3, 15):
        record.write(cluster.client, home, record.Record(record.Header(number, "deploy", "staging", "me", "", "", outcome="failed"), ()))
    cluster.platform.config = {"GREETING": "again"}
    cluster.deploy()
    numbers = [h.number for h in cluster.history()]
    assert numbers == [1, *range(6, 16)]
    secrets = cluster.client.find(cluster.client.by_key(Key("Secret", "", "")), home)  # type: ignore[arg-type]
    assert not [s for s in secrets if "nextai-record-000002" in str(s["metadata"])]


def test_the_status_names_what_is_not_ready_and_why(cluster: Cluster) -> None:
    cluster.platform.env = {"EXIT_CODE": "3"}
    with pytest.raises(Failure):
        cluster.deploy()

    found = status(cluster.platform.catalog(), cluster.client)

    rows = {row.name: row for row in found.rows}
    assert set(rows) == {"store", "web"}
    assert (rows["store"].ready, rows["store"].wanted, rows["store"].why) == (1, 1, "")
    assert rows["web"].ready == 0
    assert "exit code 3" in rows["web"].why
    assert "told to end with 3" in rows["web"].log[-1]
    assert rows["web"].restarts >= 1
    assert found.last is None


def test_the_logs_of_all_pods_come_in_order_and_those_to_come_follow(cluster: Cluster) -> None:
    cluster.platform.replicas = 2
    cluster.deploy()
    catalog = cluster.platform.catalog()
    written = list(logs.read(catalog, cluster.client, "web", logs.Wanted()))
    assert {line.text for line in written} == {"probe one listens"}
    assert [line.text for line in logs.read(catalog, cluster.client, "ct-migrate", logs.Wanted())] == ["done once"]

    with forward(cluster.target, cluster.platform.home, "service/web", 8080) as port:
        following = logs.read(catalog, cluster.client, "web", logs.Wanted(follow=True))
        assert next(following).text == "probe one listens"
        httpx.get(f"http://127.0.0.1:{port}/say/hello", timeout=10)
        assert any(line.text == "said hello" for line in following)
        following.close()  # type: ignore[attr-defined]
    with pytest.raises(UsageError, match="nothing of that name runs"):
        next(logs.read(catalog, cluster.client, "wbe", logs.Wanted()))


def test_a_shell_opens_beside_a_service_that_has_none_and_a_wrong_image_is_named(cluster: Cluster) -> None:
    cluster.deploy()
    catalog = cluster.platform.catalog()
    image = f"registry.nextai-agent.com/nextai/ct-web@{cluster.platform.digests['ct-web']}"

    shell = open_shell(catalog, cluster.client, "web", image, command=("/probe", "echo"))

    attached = subprocess.Popen(shell.argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    assert attached.stdin is not None
    assert attached.stdout is not None
    attached.stdin.write("it works\n")
    attached.stdin.flush()
    assert any("heard it works" in line for line in attached.stdout)
    attached.terminate()
    attached.wait()
    with pytest.raises(Failure, match="not found"):
        open_shell(catalog, cluster.client, "web", "registry.nextai-agent.com/nextai/ct-web:nowhere")


CHECKS = """
import httpx
SERVICE = "web"
def check_health(reach):
    "It answers."
    assert httpx.get(reach.address + "/health", timeout=10).text.strip() == "one"
    reach.notes["seen"] = "yes"
def check_pod(reach):
    "A program runs in its pod."
    assert reach.run("web", ["/probe", "once"]).strip() == "done once"
    assert reach.notes["seen"] == "yes"
def check_wrong(reach):
    "Nine is ten."
    assert WRONG, "nine is not ten"
def clean_up(reach):
    reach.notes["clean"] = "yes"
    print("cleaned up")
"""


@pytest.mark.parametrize("wrong", [True, False], ids=["all pass", "one fails"])
def test_the_checks_that_the_catalogue_names_reach_the_service_and_its_pods(
    cluster: Cluster, wrong: bool, capsys: pytest.CaptureFixture[str]
) -> None:
    cluster.deploy()
    (cluster.platform.root / "checks.py").write_text(CHECKS.replace("WRONG", str(wrong)))
    catalog = cluster.platform.catalog()
    catalog = replace(catalog, smoke="checks.py", services={"web": catalog.services["ct-web"]})
    said: list[str] = []
    if wrong:
        smoke.verify(catalog, cluster.client, said.append)
        assert said[-1] == "3 checks passed"
    else:
        with pytest.raises(Failure) as failed:
            smoke.verify(catalog, cluster.client, said.append)
        assert failed.value.cause == "Nine is ten: nine is not ten"
    assert "cleaned up" in capsys.readouterr().out
