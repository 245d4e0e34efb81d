"""What runs is looked after: its status, its logs, a shell beside it, and the checks that follow a deploy."""

import subprocess
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import pytest

from ops.cluster import logs, record, show, smoke
from ops.cluster.loglines import LogSelection
from ops.cluster.shell import open_shell
from ops.cluster.status import status
from ops.errors import Failure, UsageError
from ops.kube import write
from ops.kube.kubectl import forward
from ops.kube.objects import rows, text
from tests.integration.cluster import Cluster


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


def test_the_status_names_what_is_gone_or_otherwise_than_it_was_deployed(cluster: Cluster) -> None:
    cluster.deploy()
    catalog, home = cluster.platform.catalog(), cluster.platform.home
    assert status(catalog, cluster.client).well
    write.delete(cluster.client, f"/api/v1/namespaces/{home}/services/web")
    patch: dict[str, Any] = {"data": {"a": "2", "theirs": "stays"}}
    path = f"/api/v1/namespaces/{home}/configmaps/extra"
    cluster.client.request("PATCH", path, {"fieldManager": "someone"}, body=patch, content_type="application/merge-patch+json")
    held: dict[str, Any] = {"metadata": {"finalizers": ["test.example/never"]}}
    account = f"/api/v1/namespaces/{home}/serviceaccounts/web"
    cluster.client.request("PATCH", account, body=held, content_type="application/merge-patch+json")
    write.delete(cluster.client, account)

    found = status(catalog, cluster.client)

    assert [(str(f.key), f.why) for f in found.missing] == [(f"Service {home}/web", "it is gone: the next deploy makes it again")]
    assert {f.key.kind: f.why for f in found.differs} == {
        "ConfigMap": "it differs in .data.a (set by someone)",
        "ServiceAccount": "it is being deleted (finalizers: test.example/never): plan again when it is gone",
    }
    assert not found.well
    assert [row.why for row in found.rows] == ["", ""]
    words = [*show.status_lines(found, "--env staging")]
    assert words[0] == f"✗ Service {home}/web: it is gone: the next deploy makes it again"
    assert words[-1] == "`invoke plan --env staging` shows each difference; a deploy restores the fields that its manifests set."
    cluster.client.request("PATCH", account, body={"metadata": {"finalizers": None}}, content_type="application/merge-patch+json")
    cluster.deploy()
    assert status(catalog, cluster.client).well


def test_the_status_names_a_change_that_failed_and_one_that_never_came_to_its_end(cluster: Cluster) -> None:
    cluster.deploy()
    catalog, home = cluster.platform.catalog(), cluster.platform.home
    failed = record.Header(2, "deploy", "staging", "me", "", "2026-01-01T00:00:00Z", outcome="failed", cause="exit code 3\nlines")
    record.write(cluster.client, home, record.Record(failed, ()))
    found = status(catalog, cluster.client)
    assert (found.failed and found.failed.number, found.last and found.last.number, found.well) == (2, 1, False)
    assert next(show.status_lines(found, "--env staging")) == (
        "✗ record 2 (deploy by me, 2026-01-01T00:00:00Z) failed, and was not rolled back: exit code 3"
    )
    way_back = record.Header(3, "rollback", "staging", "me", "", "2026-01-01T00:00:09Z", target=1)
    record.write(cluster.client, home, record.Record(way_back, ()))
    found = status(catalog, cluster.client)
    assert (found.failed, found.unfinished and found.unfinished.number, found.held, found.well) == (None, 3, False, False)
    assert "record 3 (rollback → 1 by me, 2026-01-01T00:00:09Z) was cut off" in next(show.status_lines(found, "--env staging"))


def test_a_namespace_that_does_not_go_says_what_is_still_in_it(cluster: Cluster) -> None:
    cluster.deploy()
    held: dict[str, Any] = {"metadata": {"finalizers": ["test.example/never"]}}
    path = f"/api/v1/namespaces/{cluster.platform.data}/services/store"
    cluster.client.request("PATCH", path, body=held, content_type="application/merge-patch+json")
    write.delete(cluster.client, f"/api/v1/namespaces/{cluster.platform.data}")
    deadline = time.monotonic() + 60
    why = ""
    while "test.example/never" not in why:  # its controller says so when it has deleted the rest
        assert time.monotonic() < deadline, why
        found = status(cluster.platform.catalog(), cluster.client)
        why = next((f.why for f in found.differs if f.key.kind == "Namespace"), "")
    assert "Some content in the namespace has finalizers remaining" in why
    cluster.client.request("PATCH", path, body={"metadata": {"finalizers": None}}, content_type="application/merge-patch+json")


def test_the_logs_of_all_pods_come_in_order_and_those_to_come_follow(cluster: Cluster) -> None:
    cluster.platform.replicas = 2
    cluster.deploy()
    catalog = cluster.platform.catalog()
    written = list(logs.read(catalog, cluster.client, "web", LogSelection()))
    assert {line.text for line in written} == {"probe one listens"}
    assert [line.text for line in logs.read(catalog, cluster.client, "ct-migrate", LogSelection())] == ["begins once", "done once"]

    with forward(cluster.target, cluster.platform.home, "service/web", 8080) as port:
        following = logs.read(catalog, cluster.client, "web", LogSelection(follow=True))
        assert next(following).text == "probe one listens"
        httpx.get(f"http://127.0.0.1:{port}/say/hello", timeout=10)
        assert any(line.text == "said hello" for line in following)
        following.close()  # type: ignore[attr-defined]
    with pytest.raises(UsageError, match="nothing of that name runs"):
        next(logs.read(catalog, cluster.client, "wbe", LogSelection()))


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
    for wrong, cause in (("registry.nextai-agent.com/nextai/ct-web:nowhere", "not found"), ("ct:UPPER:wrong", "invalid reference")):
        with pytest.raises(Failure, match=cause):
            open_shell(catalog, cluster.client, "web", wrong)
    before = _debug_containers(cluster)
    with pytest.raises(Failure, match="looking for kubectl"):
        open_shell(catalog, replace(cluster.client, cluster=replace(cluster.target, kubectl=Path("/nowhere"))), "web", image)
    assert before and _debug_containers(cluster) == before  # none was left that nobody can join


def _debug_containers(cluster: Cluster) -> list[str]:
    pods = cluster.client.request("GET", f"/api/v1/namespaces/{cluster.platform.home}/pods")
    return [text(c, "name") for pod in rows(pods, "items") for c in rows(pod, "spec", "ephemeralContainers")]


CHECKS = """
import httpx
SERVICE = "web"
def check_health(reach):
    "It answers."
    assert httpx.get(reach.address + "/health", timeout=10).text.strip() == "one"
    reach.notes["seen"] = "yes"
def check_pod(reach):
    "A program runs in its pod."
    assert reach.run("web", ["/probe", "once"]).splitlines()[-1] == "done once"
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
        smoke.prepare(catalog, cluster.client, said.append)()
        assert said[-1] == "3 checks passed"
    else:
        with pytest.raises(Failure) as failed:
            smoke.prepare(catalog, cluster.client, said.append)()
        assert failed.value.cause == "Nine is ten: nine is not ten"
    assert "cleaned up" in capsys.readouterr().out
