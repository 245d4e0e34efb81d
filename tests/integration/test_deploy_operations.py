"""What runs is looked after: its status, its logs, a shell beside it, and the checks that follow a deploy."""

import subprocess
from dataclasses import replace
from pathlib import Path

import httpx
import pytest

from ops.cluster import logs, smoke
from ops.cluster.kubectl import forward
from ops.cluster.objects import rows, text
from ops.cluster.shell import open_shell
from ops.cluster.status import status
from ops.errors import Failure, UsageError
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


def test_the_logs_of_all_pods_come_in_order_and_those_to_come_follow(cluster: Cluster) -> None:
    cluster.platform.replicas = 2
    cluster.deploy()
    catalog = cluster.platform.catalog()
    written = list(logs.read(catalog, cluster.client, "web", logs.Wanted()))
    assert {line.text for line in written} == {"probe one listens"}
    assert [line.text for line in logs.read(catalog, cluster.client, "ct-migrate", logs.Wanted())] == ["begins once", "done once"]

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
    for wrong, cause in (("registry.nextai-agent.com/nextai/ct-web:nowhere", "not found"), ("ct:UPPER:wrong", "invalid reference")):
        with pytest.raises(Failure, match=cause):
            open_shell(catalog, cluster.client, "web", wrong)
    before = _debug_containers(cluster)
    with pytest.raises(Failure, match="looking for kubectl"):
        open_shell(catalog, replace(cluster.client, target=replace(cluster.target, kubectl=Path("/nowhere"))), "web", image)
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
