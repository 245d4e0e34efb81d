"""What a deploy says of what it did is so: nothing dead is called good, and the way back ends where something works."""

import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from ops.cluster.applying import apply
from ops.cluster.release import execute
from ops.cluster.rollback import plan_rollback
from ops.cluster.status import status
from ops.errors import Failure, RolledBack
from ops.kube import write
from ops.kube.progress import Notice
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
    # The kernel kills it; that it was for memory, containerd may hear only after the container has ended.
    "memory": (r"container web ended.*, exit code 137", ""),
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


def test_a_record_that_could_not_be_reached_is_not_tried_again_and_what_was_added_goes_all_the_same(cluster: Cluster) -> None:
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
    assert "record 2 is passed over: a rollback to it failed (record 5); `--to 2` tries again" in plan.warnings
    cluster.execute(plan)
    assert cluster.history()[-1].outcome == "good"


def job_of(objects: list[dict[str, Any]]) -> dict[str, Any]:
    found: dict[str, Any] = workload(objects, "Job", "ct-migrate")
    return found


def pods_of_jobs(cluster: Cluster) -> list[dict[str, Any]]:
    pods = cluster.client.resource("v1", "Pod")
    assert pods is not None
    found: list[dict[str, Any]] = cluster.client.find(pods, cluster.platform.home, labels="batch.kubernetes.io/job-name")
    return found


def test_a_job_that_hangs_is_heard_of_every_15_s_and_is_stopped_on_the_way_back(cluster: Cluster) -> None:
    cluster.deploy()
    cluster.platform.job_env = {"SECONDS": "3600"}
    plan = cluster.plan()
    job = next(step.key for step in plan.changes if step.key.kind == "Job")
    with pytest.raises(RolledBack, match=r"not ready within 33 s[\s\S]*begins once[\s\S]*Job .* was stopped: it had not ended") as failed:
        execute(cluster.platform.catalog(), cluster.client, plan, cluster.tell, seconds=33)
    said = [n.text for n in cluster.notices if n.key == job and n.state == "waiting"]
    assert len(said) == 3 and all(f"its end ({tens}" in text for tens, text in zip("13", said[1:], strict=True)), said
    assert sum("begins once" in text for text in said) == 1  # nothing new was written since
    assert cluster.get("Job", job.name, group="batch") is None
    assert [p for p in pods_of_jobs(cluster) if job.name in p["metadata"]["name"]] == []
    assert failed.value.details["restored"] == 1


def test_a_job_that_still_runs_is_stopped_by_a_rollback_which_says_so_before(cluster: Cluster) -> None:
    cluster.deploy()
    cluster.platform.config = {"GREETING": "bye"}
    cluster.deploy()
    home, pods = cluster.platform.home, job_of(cluster.platform.objects())["spec"]["template"]
    pods["spec"]["containers"][0]["env"] = [{"name": "SECONDS", "value": "3600"}]

    def hangs(name: str) -> dict[str, Any]:
        labels = {"nextai-agent.com/environment": "staging"}
        metadata = {"name": name, "namespace": home, "labels": labels}
        return {"apiVersion": "batch/v1", "kind": "Job", "metadata": metadata, "spec": {"template": pods}}

    ours = hangs("hangs")
    apply(cluster.client, cluster.client.resource_of(ours), ours)
    cluster.client.request("POST", f"/apis/batch/v1/namespaces/{home}/jobs", body=hangs("by-hand"))  # with our label, and not ours
    plan = plan_rollback(cluster.platform.catalog(), cluster.client)
    assert [w for w in plan.warnings if "still runs" in w] == [f"Job {home}/hangs: it still runs, and is stopped"]
    cluster.execute(plan)
    assert cluster.get("Job", "hangs", group="batch") is None
    assert cluster.get("Job", "by-hand", group="batch") is not None


def test_the_exit_code_of_a_try_that_failed_is_told_before_the_next_one(cluster: Cluster) -> None:
    cluster.deploy()
    cluster.platform.job_env = {"EXIT_CODE": "7"}
    cluster.platform.change = lambda objects: job_of(objects)["spec"].update(backoffLimit=1)
    with pytest.raises(RolledBack, match=r"exit code 7") as failed:
        cluster.deploy()
    said = [n.text for n in cluster.notices if n.key.kind == "Job" and n.state == "waiting"]
    tried = next(text for text in said if "1 of 2 tries failed, the last with exit code 7" in text)
    assert "told to end with 7" in tried
    assert "the next deploy runs the Job again" in failed.value.remedy


@contextmanager
def silent_class(cluster: Cluster) -> Iterator[tuple[str, str]]:
    """A storage class whose claims never get a volume, for the time of the block, and one whose claims do."""
    path, name = "/apis/storage.k8s.io/v1/storageclasses", cluster.platform.name
    silent: Any = {"metadata": {"name": name}, "provisioner": "test.example/none", "volumeBindingMode": "Immediate"}
    classes: Any = cluster.client.request("GET", path)["items"]
    good = next(c["metadata"]["name"] for c in classes if not c["provisioner"].startswith("test.example/"))
    cluster.client.request("POST", path, body=silent)
    try:
        yield name, good
    finally:
        write.delete(cluster.client, f"{path}/{name}")


def claim_spec(storage: str) -> dict[str, Any]:
    return {"accessModes": ["ReadWriteOnce"], "storageClassName": storage, "resources": {"requests": {"storage": "1Mi"}}}


def claims(cluster: Cluster, storage: str) -> None:
    """The platform comes to have a claim of this class."""

    def change(objects: list[dict[str, Any]]) -> None:
        metadata = {"name": "files", "namespace": objects[0]["metadata"]["name"]}
        objects.append({"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": metadata, "spec": claim_spec(storage)})

    cluster.platform.change = change


def store_claims(cluster: Cluster, storage: str) -> None:
    """The store comes to have a template of claims of this class."""

    def change(objects: list[dict[str, Any]]) -> None:
        spec = workload(objects, "StatefulSet", "store")["spec"]
        spec["volumeClaimTemplates"] = [{"metadata": {"name": "data"}, "spec": claim_spec(storage)}]
        spec["template"]["spec"]["containers"][0]["volumeMounts"] = [{"name": "data", "mountPath": "/data"}]

    cluster.platform.change = change


def test_a_claim_that_never_got_a_volume_goes_with_the_deploy_that_made_it(cluster: Cluster) -> None:
    cluster.deploy()
    with silent_class(cluster) as (silent, good):
        claims(cluster, silent)
        with pytest.raises(RolledBack, match=r"waiting for a volume[\s\S]*/files was deleted: it never had a volume"):
            execute(cluster.platform.catalog(), cluster.client, cluster.plan(), cluster.tell, seconds=8)
        assert cluster.get("PersistentVolumeClaim", "files") is None
        claims(cluster, good)
        assert cluster.deploy().state == "done"


@pytest.mark.parametrize("claiming", [claims, store_claims])
def test_it_goes_where_nothing_is_gone_back_to_and_the_correction_goes_on(
    cluster: Cluster, claiming: Callable[[Cluster, str], None]
) -> None:
    """What cannot be changed would refuse the correction: a claim, and a StatefulSet with its templates."""
    with silent_class(cluster) as (silent, good):
        claiming(cluster, silent)
        with pytest.raises(Failure, match=r"PersistentVolumeClaim \S+ was deleted: it never had a volume") as failed:
            execute(cluster.platform.catalog(), cluster.client, cluster.plan(), cluster.tell, seconds=8)
        assert not isinstance(failed.value, RolledBack)
        claiming(cluster, good)
        assert cluster.deploy().state == "done"
    assert [h.outcome for h in cluster.history()] == ["failed", "good"]


def test_every_workload_that_fails_is_told_with_its_own_cause_and_remedy(cluster: Cluster) -> None:
    cluster.deploy()

    def change(objects: list[dict[str, Any]]) -> None:
        other = json.loads(json.dumps(workload(objects, "Deployment", "web")).replace('"web"', '"other"'))
        other["spec"]["template"]["spec"]["containers"][0]["env"] = [{"name": "READY_STATUS", "value": "503"}]
        objects.append(other)
        ends(container_of(objects), "3")

    cluster.platform.change = change
    with pytest.raises(RolledBack, match=r"other[\s\S]*Readiness probe failed") as failed:
        cluster.deploy()

    assert "told to end with 3" in failed.value.cause
    error: Any = failed.value.document()["error"]
    assert {(o["object"]["name"], o["reason"]) for o in error["objects"]} == {("web", "crash"), ("other", "readiness")}
    assert (error["record"], error["restored"]) == (2, 1)
    assert failed.value.remedy.startswith("web: See the lines above")
    assert "\nother: See what its readiness probe waits for" in failed.value.remedy


def test_every_object_that_is_refused_while_it_is_applied_is_told(cluster: Cluster) -> None:
    """What a plan cannot know: a policy, or a quota as here, that came between the plan and the apply."""
    cluster.deploy()

    def change(objects: list[dict[str, Any]]) -> None:
        for name in ("one", "two"):
            metadata = {"name": name, "namespace": objects[0]["metadata"]["name"]}
            objects.append({"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": {"a": "1"}})

    cluster.platform.change = change
    plan = cluster.plan()
    quota: Any = {"metadata": {"name": "full"}, "spec": {"hard": {"count/configmaps": "0"}}}
    path = f"/api/v1/namespaces/{cluster.platform.home}/resourcequotas"
    cluster.client.request("POST", path, body=quota)
    deadline = time.monotonic() + 60
    while not cluster.client.request("GET", f"{path}/full").get("status"):  # until then it bounds nothing
        assert time.monotonic() < deadline
    with pytest.raises(RolledBack) as failed:
        cluster.execute(plan)
    told: Any = failed.value.document()["error"]
    assert {(o["object"]["name"], o["reason"]) for o in told["objects"]} == {("one", "refused"), ("two", "refused")}
    assert failed.value.cause.count("exceeded quota") == 2


def test_an_interrupt_on_the_way_back_says_where_it_was_and_status_names_it(cluster: Cluster) -> None:
    cluster.deploy()
    cluster.platform.env = {"EXIT_CODE": "3"}

    def press_ctrl_c(notice: Notice) -> None:
        if notice.key.kind == "record":  # going back begins
            raise KeyboardInterrupt

    catalog = cluster.platform.catalog()
    with pytest.raises(KeyboardInterrupt, match="interrupted while going back: record 2 failed"):
        execute(catalog, cluster.client, cluster.plan(), press_ctrl_c)
    assert [h.outcome for h in cluster.history()] == ["good", "failed"]
    found = status(catalog, cluster.client)
    assert (found.failed and found.failed.number, found.well) == (2, False)
    cluster.execute(plan_rollback(catalog, cluster.client))
    assert status(catalog, cluster.client).well
