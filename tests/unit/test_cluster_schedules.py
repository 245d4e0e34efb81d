"""A job with a schedule in a cluster: a deploy does not wait for its runs, a status tells how they ended."""

from copy import deepcopy
from dataclasses import replace
from typing import Any

from ops.catalog import Job, load
from ops.catalog.names import MANAGER
from ops.cluster import pods, show, status
from ops.cluster.plan import Origin, Plan
from ops.cluster.prepare import prepare
from ops.cluster.release import execute
from ops.cluster.rollback import plan_rollback
from ops.cluster.status import EnvironmentStatus
from ops.kube.byhand import halted
from ops.kube.objects import Object, text
from ops.kube.readiness import Done, Failed, Surroundings, Waiting, cronjob, judge
from ops.manifests.jobs import of_job
from ops.manifests.render import mark
from tests.unit.around import ago, container, pod, scene
from tests.unit.memory import HOME, Memory

CRONJOB: Any = {
    "kind": "CronJob",
    "apiVersion": "batch/v1",
    "metadata": {"name": "sweep", "namespace": "n", "uid": "c"},
    "spec": {
        "schedule": "0 3 * * *",
        "jobTemplate": {"spec": {"template": {"spec": {"containers": [{"name": "sweep", "image": "r/sweep"}]}}}},
    },
}


def run(number: int, seconds: float, *conditions: dict[str, str], owner: str = "c") -> dict[str, Any]:
    metadata = {"name": f"sweep-{number}", "namespace": "n", "uid": f"j{number}", "ownerReferences": [{"uid": owner}]}
    return {"kind": "Job", "metadata": metadata, "status": {"startTime": ago(seconds), "conditions": [*conditions]}}


COMPLETE = {"type": "Complete", "status": "True"}
FAILED = {"type": "Failed", "status": "True", "message": "reached its backoff limit"}


def seen(*found: dict[str, Any], around: Surroundings | None = None) -> list[cronjob.Run]:
    return cronjob.runs(CRONJOB, around or scene(), found)


def test_a_cronjob_is_ready_when_it_is_accepted_whatever_its_runs_did() -> None:
    assert judge(CRONJOB, scene([pod("sweep-1", "j1", status={"phase": "Failed"})])) == Done()


def test_the_newest_run_is_first_and_only_its_own_runs_count() -> None:
    found = seen(run(1, 7200, COMPLETE), run(3, 60), run(2, 3600, FAILED), run(9, 1, owner="somebody"))
    assert [(one.name, one.age) for one in found] == [("sweep-3", 60), ("sweep-2", 3600), ("sweep-1", 7200)]
    assert isinstance(found[0].state, Waiting)


def test_the_last_run_that_has_ended_tells_what_is_wrong_with_its_cause() -> None:
    ended = pod("sweep-2-x", "j2", status={"phase": "Failed", **container(state={"terminated": {"exitCode": 7}})})
    failed = cronjob.trouble(seen(run(3, 60), run(2, 3600, FAILED), around=scene([ended])))
    assert isinstance(failed, Failed) and failed.log is not None
    assert failed.cause == "its last run sweep-2 failed: reached its backoff limit: container web ended with exit code 7"
    assert failed.log.pod == "sweep-2-x"
    assert cronjob.trouble(seen(run(3, 60, COMPLETE), run(2, 3600, FAILED))) is None
    assert cronjob.trouble([]) is None


def test_the_last_runs_are_told_in_a_few_words() -> None:
    assert cronjob.told([]) == "no run yet"
    assert cronjob.told(seen(run(1, 60, COMPLETE))) == "last run done"
    assert cronjob.told(seen(run(2, 60), run(1, 3600, FAILED))) == "last run running, 1 of the last 1 failed"


class Cluster:
    """The one thing that a row asks for: the lines of a container."""

    def read_text(self, *_: object, **__: object) -> str:
        return "cannot reach the store\n"


def test_a_status_shows_the_last_runs_and_says_why_the_last_one_failed() -> None:
    ended = pod("sweep-2-x", "j2", status={"phase": "Failed", **container(state={"terminated": {"exitCode": 7}})})
    row = status._scheduled(Cluster(), CRONJOB, seen(run(2, 3600, FAILED), run(1, 7200, COMPLETE), around=scene([ended])))  # type: ignore[arg-type]
    (cells,) = show.status_rows([row])
    assert cells[:3] == ("CronJob", "sweep", "last run failed, 1 of the last 2 failed") and cells[4:6] == ("1h", "sweep")
    assert "exit code 7" in cells[6] and row.log == ("cannot reach the store",)
    assert not EnvironmentStatus((row,), None, None).well


def test_a_suspended_cronjob_is_named_with_what_ends_it() -> None:
    suspended = {**CRONJOB, "spec": {**CRONJOB["spec"], "suspend": True}}
    why = halted(suspended, CRONJOB)
    assert why.startswith("it is suspended, and no run begins; `kubectl --namespace=n patch cronjob/sweep --patch ")
    assert halted(CRONJOB, CRONJOB) == "" and halted(suspended, {"spec": {"suspend": False}}) == ""


def test_the_runs_of_a_job_are_not_those_of_one_whose_name_only_begins_alike() -> None:
    catalog = load()
    (known,) = catalog.jobs.values()
    both = replace(catalog, jobs={"sweep": replace(known, name="sweep"), "sweep-old": replace(known, name="sweep-old")})
    assert pods.is_run(both, "sweep", "sweep-29384756") and not pods.is_run(both, "sweep", "sweep-old-29384756")
    assert pods.is_run(both, "sweep-old", "sweep-old-29384756")


OURS: Any = {"manager": MANAGER, "operation": "Apply", "fieldsType": "FieldsV1", "fieldsV1": {"f:spec": {}}}
SWEEP = Job("sweep", load().stacks["python"], "services/sweep", "x", HOME, schedule="0 3 * * *")
OWN = replace(load(), jobs={**load().jobs, "sweep": SWEEP})


def deploy(cluster: Memory, *objects: Object) -> Plan:
    """Deploy these objects, and return the plan."""
    wanted = deepcopy(objects)
    for manifest in wanted:
        mark(manifest, "staging")
    plan = prepare(OWN, cluster, Origin("deploy", "staging", "2026-01-01T00:00:00Z", "c0ffee"), wanted)
    assert plan.problems == ()
    execute(OWN, cluster, plan, lambda _: None)
    return plan


def actions(plan: Plan) -> dict[str, str]:
    return {str(step.key): step.action for step in plan.steps if step.key.kind == "CronJob"}


def test_a_deploy_plans_makes_changes_and_prunes_a_schedule_and_status_follows() -> None:
    cluster = Memory()
    _, made = of_job(OWN, SWEEP)
    plan = deploy(cluster, made)
    assert actions(plan) == {f"CronJob {HOME}/sweep": "create"}
    assert f"+ CronJob {HOME}/sweep" in "\n".join(show.plan_lines(plan, "staging"))
    (live,) = cluster.of_kind("CronJob")
    (row,) = status.status(OWN, cluster).rows
    assert (row.kind, row.runs, row.why) == ("CronJob", "no run yet", "")
    failed = {**run(1, 60, FAILED, owner=text(live, "metadata", "uid")), "apiVersion": "batch/v1"}
    cluster.keep({**failed, "metadata": {**failed["metadata"], "namespace": HOME}})
    found = status.status(OWN, cluster)
    assert not found.well and "its last run sweep-1 failed: reached its backoff limit" in found.rows[0].why
    _, later = of_job(OWN, replace(SWEEP, schedule="0 4 * * *"))
    plan = deploy(cluster, later)
    assert actions(plan) == {f"CronJob {HOME}/sweep": "change"}
    assert "0 3 * * *" in "\n".join(show.plan_lines(plan, "staging"))
    (live,) = cluster.of_kind("CronJob")  # as an API server has it, which notes who owns its fields
    cluster.keep({**live, "metadata": {**live["metadata"], "managedFields": [OURS]}})  # type: ignore[dict-item]
    plan = deploy(cluster, {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "c", "namespace": HOME}})
    assert actions(plan) == {f"CronJob {HOME}/sweep": "delete"}
    assert cluster.of_kind("CronJob") == [] and cluster.of_kind("Job") != []  # its garbage is the cluster's to collect
    back = plan_rollback(OWN, cluster)
    assert actions(back) == {f"CronJob {HOME}/sweep": "create"}
    cluster._pool.shutdown()


def test_a_schedule_that_was_suspended_by_hand_can_be_changed_and_the_plan_warns() -> None:
    cluster = Memory()
    _, made = of_job(OWN, SWEEP)
    deploy(cluster, made)
    (live,) = cluster.of_kind("CronJob")
    cluster.keep({**live, "spec": {**live["spec"], "suspend": True}})  # type: ignore[dict-item]
    _, later = of_job(OWN, replace(SWEEP, schedule="0 4 * * *"))
    plan = deploy(cluster, later)  # without a problem
    assert actions(plan) == {f"CronJob {HOME}/sweep": "change"}
    assert any("it is suspended, and no run begins" in warning for warning in plan.warnings)
    cluster._pool.shutdown()
