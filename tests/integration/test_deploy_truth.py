"""What a deploy says of what it did is so: nothing dead is called good, and the way back ends where something works."""

from typing import Any

import pytest

from ops.cluster.rollback import plan_rollback
from ops.errors import Failure, RolledBack
from tests.integration.cluster import Cluster


def workload(objects: list[dict[str, Any]], kind: str, name: str) -> dict[str, Any]:
    found: dict[str, Any] = next(o for o in objects if (o["kind"], o["metadata"]["name"]) == (kind, name))
    return found


def container_of(objects: list[dict[str, Any]]) -> dict[str, Any]:
    """The service's container."""
    container: dict[str, Any] = workload(objects, "Deployment", "web")["spec"]["template"]["spec"]["containers"][0]
    return container


def ends(container: dict[str, Any], code: str) -> None:
    container["env"] = [{"name": "EXIT_CODE", "value": code}]


def eats(container: dict[str, Any]) -> None:
    container["env"] = [{"name": "EAT", "value": "all"}]
    container["resources"]["limits"] = {"memory": "32Mi"}


DEAD: dict[str, tuple[str, str]] = {
    "exit 0": (r"container web ended.*, exit code 0[\s\S]*told to end with 0", "0"),
    "exit 2": (r"container web ended.*, exit code 2[\s\S]*told to end with 2", "2"),
    "memory": (r"container web ended.*, exit code 137 \(OOMKilled\)", ""),
    "architecture": (r"container web (ended|cannot be started)[\s\S]*exec format error", ""),
}


@pytest.mark.parametrize("name", DEAD)
def test_a_container_that_dies_is_not_good_though_no_probe_asks_it(cluster: Cluster, foreign_digest: str, name: str) -> None:
    cluster.deploy()
    cause, code = DEAD[name]
    if name == "architecture":
        cluster.platform.digests = {**cluster.platform.digests, "ct-web": foreign_digest}

    def change(objects: list[dict[str, Any]]) -> None:
        container = container_of(objects)
        del container["readinessProbe"]  # nobody asks it
        if code:
            ends(container, code)
        elif name == "memory":
            eats(container)

    cluster.platform.change = change
    plan = cluster.plan()
    assert any("container web has no readinessProbe" in warning for warning in plan.warnings)
    with pytest.raises(RolledBack, match=cause):
        cluster.execute(plan)
    assert [(h.kind, h.outcome) for h in cluster.history()] == [("deploy", "good"), ("deploy", "failed"), ("rollback", "good")]


def test_a_container_that_no_probe_asks_is_good_after_it_ran_for_a_while(cluster: Cluster) -> None:
    cluster.platform.change = lambda objects: container_of(objects).pop("readinessProbe")
    assert cluster.deploy().state == "done"
    said = [n.text for n in cluster.notices if (n.key.kind, n.state) == ("Deployment", "waiting")]
    assert any("to run for 10 s, since nothing asks whether it is ready" in text for text in said)


def recreated(objects: list[dict[str, Any]]) -> None:
    """No pod of the former revision stays until the new one works."""
    workload(objects, "Deployment", "web")["spec"]["strategy"] = {"type": "Recreate"}


def broken(objects: list[dict[str, Any]]) -> None:
    recreated(objects)
    ends(container_of(objects), "3")
    namespace = objects[0]["metadata"]["name"]
    service = {"selector": {"app": "web"}, "ports": [{"port": 8080}]}
    objects.append({"apiVersion": "v1", "kind": "Service", "metadata": {"name": "later", "namespace": namespace}, "spec": service})


def test_a_record_that_was_missed_is_not_tried_again_and_what_was_added_goes_all_the_same(cluster: Cluster) -> None:
    catalog = cluster.platform.catalog()
    cluster.platform.change = recreated
    cluster.deploy()
    cluster.platform.cpu = "60m"
    cluster.deploy()
    # From now on what was called good cannot be reached.
    quota: Any = {"metadata": {"name": "small"}, "spec": {"hard": {"requests.cpu": "50m"}}}
    cluster.client.request("POST", f"/api/v1/namespaces/{cluster.platform.home}/resourcequotas", body=quota)
    cluster.platform.cpu, cluster.platform.change = "10m", broken

    with pytest.raises(Failure, match=r"Going back to record 2 failed too: .*exceeded quota") as failed:
        cluster.deploy()

    assert "exit code 3" in failed.value.cause
    assert "`invoke rollback --env staging --testbed --to 1` goes to the good record before it" in failed.value.remedy
    assert cluster.get("Service", "later") is None
    with pytest.raises(Failure, match="Record 2 is not gone back to: that failed already"):
        cluster.execute(plan_rollback(catalog, cluster.client, to=2))
    ends = [(h.kind, h.outcome, h.target) for h in cluster.history()[2:]]
    assert ends == [("deploy", "failed", 0), ("rollback", "failed", 2), ("rollback", "failed", 2)]
    plan = plan_rollback(catalog, cluster.client)
    assert plan.origin.target == 1
    assert "record 2 is passed over: going back to it failed (record 5); `--to 2` tries again" in plan.warnings
    cluster.execute(plan)
    assert cluster.history()[-1].outcome == "good"
