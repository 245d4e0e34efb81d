"""Jobs with a schedule on a real cluster: accepted, shown with their runs, suspended, brought back and pruned."""

import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from ops.catalog import Catalog, Job
from ops.cluster import logs
from ops.cluster.loglines import LogSelection
from ops.cluster.rollback import plan_rollback
from ops.cluster.status import status
from ops.errors import Failure
from ops.manifests.jobs import of_job
from ops.verbs import run as story
from tests.integration.cluster import Cluster
from tests.integration.small_platform import PREFIX, REGISTRY


def own(cluster: Cluster, schedule: str = "0 3 * * *") -> tuple[Catalog, Job]:
    """The small platform's catalogue with the job `sweep`."""
    catalog = cluster.platform.catalog()
    sweep = replace(catalog.jobs["ct-migrate"], name="sweep", schedule=schedule, time_zone="Europe/Berlin")
    return replace(catalog, jobs={**catalog.jobs, "sweep": sweep}), sweep


def with_sweep(cluster: Cluster, schedule: str = "0 3 * * *", **env: str) -> None:
    """The next deploy has the job `sweep`, whose program is the migrations' of this small platform."""
    account, cronjob = of_job(*own(cluster, schedule))
    spec: Any = cronjob["spec"]
    (container,) = spec["jobTemplate"]["spec"]["template"]["spec"]["containers"]
    container |= {"image": f"{REGISTRY}/{PREFIX}/ct-migrate", "args": ["once"]}
    container["env"] = [{"name": name, "value": value} for name, value in env.items()]
    spec["jobTemplate"]["spec"]["backoffLimit"] = 0
    cluster.platform.change = lambda objects: objects.extend([account, cronjob])


def sweep_of(cluster: Cluster) -> dict[str, Any] | None:
    return cluster.get("CronJob", "sweep", group="batch")


def begin(cluster: Cluster, name: str) -> None:
    """A run now, as `kubectl create job --from=cronjob/sweep` makes one."""
    cronjob = sweep_of(cluster)
    assert cronjob is not None
    owner = {"apiVersion": "batch/v1", "kind": "CronJob", "name": "sweep", "uid": cronjob["metadata"]["uid"], "controller": True}
    metadata = {"name": name, "ownerReferences": [owner], "labels": cronjob["spec"]["jobTemplate"]["metadata"]["labels"]}
    body = {"apiVersion": "batch/v1", "kind": "Job", "metadata": metadata, "spec": cronjob["spec"]["jobTemplate"]["spec"]}
    cluster.client.request("POST", f"/apis/batch/v1/namespaces/{cluster.platform.home}/jobs", body=body)


def eventually(condition: Callable[[], bool], seconds: float = 60) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, f"not within {seconds} s"
        time.sleep(0.5)


def row(cluster: Cluster) -> Any:
    (found,) = [one for one in status(cluster.platform.catalog(), cluster.client).rows if one.kind == "CronJob"]
    return found


def test_a_schedule_is_deployed_its_runs_are_in_the_status_and_it_goes_and_comes_with_its_deploys(cluster: Cluster) -> None:
    with_sweep(cluster, EXIT_CODE="7")
    cluster.deploy()
    made = sweep_of(cluster)
    assert made is not None and (made["spec"]["timeZone"], made["spec"]["concurrencyPolicy"]) == ("Europe/Berlin", "Forbid")
    assert cluster.plan().empty  # what the API server adds to a CronJob is no difference
    assert (row(cluster).runs, row(cluster).why) == ("no run yet", "")

    begin(cluster, "sweep-1")
    eventually(lambda: row(cluster).runs.startswith("last run failed"))
    failed = row(cluster)
    assert "its last run sweep-1 failed" in failed.why and "exit code 7" in failed.why and "told to end with 7" in failed.log[-1]
    assert not status(cluster.platform.catalog(), cluster.client).well

    with_sweep(cluster, schedule="0 4 * * *")
    cluster.deploy()  # it waits for no run, and an earlier one that failed stops nothing
    begin(cluster, "sweep-2")
    eventually(lambda: row(cluster).runs == "last run done, 1 of the last 2 failed")
    assert status(cluster.platform.catalog(), cluster.client).well
    lines = [line.text for line in logs.read(cluster.platform.catalog(), cluster.client, "sweep", LogSelection())]
    assert "done once" in lines

    cluster.platform.change = lambda objects: None
    cluster.deploy()
    assert sweep_of(cluster) is None
    cluster.execute(plan_rollback(cluster.platform.catalog(), cluster.client))
    back = sweep_of(cluster)
    assert back is not None and back["spec"]["schedule"] == "0 4 * * *"


def test_a_run_now_shows_its_lines_and_ends_as_its_program_does(cluster: Cluster, capsys: pytest.CaptureFixture[str]) -> None:
    with_sweep(cluster)
    cluster.deploy()
    catalog, sweep = own(cluster)
    assert story._there(catalog, cluster.client, cluster.target, sweep, yes=True, dry_run=False) == 0
    said = "".join(capsys.readouterr())
    assert f"from CronJob {cluster.platform.home}/sweep" in said and "| begins once" in said and "| done once" in said
    assert row(cluster).runs == "last run done"  # the schedule's own controller knows it
    assert cluster.plan().empty  # and it is no object of a deploy

    with_sweep(cluster, EXIT_CODE="7")
    cluster.deploy()
    with pytest.raises(Failure, match="exit code 7") as failed:
        story._there(catalog, cluster.client, cluster.target, sweep, yes=True, dry_run=False)
    assert "told to end with 7" in f"{failed.value.cause}{''.join(capsys.readouterr())}"
    assert "Then run it again." in failed.value.remedy and "Then deploy again" not in failed.value.remedy
