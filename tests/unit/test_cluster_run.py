"""A run of a job now, in an environment's cluster: what is planned, what is made and under which lock, what is refused."""

from collections.abc import Iterator
from contextlib import contextmanager
from copy import deepcopy
from dataclasses import replace
from typing import Any

import pytest

from ops.catalog import Job, load
from ops.cluster import lock, run
from ops.cluster.loglines import LogLine
from ops.cluster.plan import Origin
from ops.cluster.prepare import prepare
from ops.cluster.release import execute
from ops.errors import Exit, Failure, Refused, UsageError
from ops.kube import watch
from ops.kube.broken import Broken, failure
from ops.kube.client import ApiError, Unavailable
from ops.kube.objects import Key, Object, key_of, text
from ops.manifests.jobs import of_job
from ops.manifests.render import mark
from ops.verbs import run as story
from tests.unit.memory import HOME, TARGET, Memory

SWEEP = Job("sweep", load().stacks["python"], "services/sweep", "x", HOME, schedule="0 3 * * *", deadline="10m")
FILL = replace(SWEEP, name="fill", schedule="")
OWN = replace(load(), jobs={**load().jobs, "sweep": SWEEP, "fill": FILL})


@pytest.fixture
def cluster() -> Iterator[Memory]:
    cluster = Memory()
    yield cluster
    cluster._pool.shutdown()


def deploy(cluster: Memory, job: Job) -> Object:
    """Deploy a job, and return its object as it was deployed. A Job has ended, as a deploy waits for it."""
    _, manifest = deepcopy(of_job(OWN, job))
    if not job.schedule:
        manifest["metadata"]["name"] += "-0a1b2c3d"  # type: ignore[index,operator,call-overload]
    mark(manifest, "staging")
    plan = prepare(OWN, cluster, Origin("deploy", "staging", "2026-01-01T00:00:00Z", "c0ffee"), [manifest])
    if job.schedule:
        execute(OWN, cluster, plan, lambda _: None)
    else:  # nothing here runs a Job to its end, which the deploy would wait for
        from ops.cluster import record

        number = len(record.history(cluster, HOME)) + 1
        header = record.Header(number, "deploy", "staging", "me", "", "2026-01-01T00:00:00Z", outcome="good")
        record.write(cluster, HOME, record.Record(header, (manifest,)))
    return manifest


def test_a_run_of_a_schedule_is_its_template_owned_by_it_and_nothing_is_made_by_planning(cluster: Memory) -> None:
    deploy(cluster, SWEEP)
    writes = [*cluster.writes]
    plan = run.plan_run(OWN, cluster, SWEEP)
    assert cluster.writes == writes and cluster.of_kind("Job") == []
    (live,) = cluster.of_kind("CronJob")
    made: Any = plan.manifest
    assert made["spec"] == live["spec"]["jobTemplate"]["spec"]  # type: ignore[index,call-overload]
    (owner,) = made["metadata"]["ownerReferences"]
    assert (owner["kind"], owner["uid"], owner["controller"]) == ("CronJob", text(live, "metadata", "uid"), True)
    assert made["metadata"]["name"].startswith("sweep-run-") and made["metadata"]["annotations"] == {run.STARTED_BY: "manual"}
    assert (plan.seconds, plan.image) == (600, OWN.repository("sweep"))


def test_a_run_is_made_under_the_lock_which_is_given_back_while_it_runs(cluster: Memory) -> None:
    deploy(cluster, SWEEP)
    plan = run.plan_run(OWN, cluster, SWEEP)
    cluster.writes.clear()
    assert run.begin(OWN, cluster, plan) == plan.key
    jobs = f"/apis/batch/v1/namespaces/{HOME}/jobs"
    leases = [write for write in cluster.writes if "/leases" in write]
    assert cluster.writes[0] == leases[0] and cluster.writes[-1] == leases[-1] and f"POST {jobs}" in cluster.writes
    with lock.hold(cluster, HOME, "another"):  # a deploy may begin, though the run has not ended
        assert [text(job, "metadata", "name") for job in cluster.of_kind("Job")] == [plan.key.name]


def test_a_run_of_a_job_without_a_schedule_is_as_it_was_deployed_and_no_object_of_the_deploy(cluster: Memory) -> None:
    manifest = deploy(cluster, FILL)
    plan = run.plan_run(OWN, cluster, FILL)
    made: Any = plan.manifest
    week: Any = {"ttlSecondsAfterFinished": 604_800}  # nothing else would ever delete it
    assert made["spec"] == {**manifest["spec"], **week} and made["metadata"]["name"].startswith("fill-run-")  # type: ignore[dict-item]
    assert "labels" not in made["metadata"] and "ownerReferences" not in made["metadata"]


@pytest.mark.parametrize("job", [SWEEP, FILL], ids=["scheduled", "without a schedule"])
def test_what_was_not_deployed_cannot_run(cluster: Memory, job: Job) -> None:
    with pytest.raises(Refused, match="has not been deployed to staging") as refusal:
        run.plan_run(OWN, cluster, job)
    assert "`invoke deploy --env staging`" in refusal.value.remedy


@pytest.mark.parametrize("other", ["sweep-29384756", "sweep-run-0a1b2c3d"])
def test_no_run_is_begun_beside_another_whoever_began_that(cluster: Memory, other: str) -> None:
    deploy(cluster, SWEEP)
    free = run.plan_run(OWN, cluster, SWEEP)
    going: Any = {"apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": other, "namespace": HOME}}
    cluster.keep(going)
    with pytest.raises(Refused, match=f"its run {other} has not ended") as refusal:
        run.check_free(run.plan_run(OWN, cluster, SWEEP))
    assert f"delete job/{other}" in refusal.value.remedy
    with pytest.raises(Refused, match=other):  # it began after the plan was made
        run.begin(OWN, cluster, free)
    cluster.keep({**going, "status": {"conditions": [{"type": "Failed", "status": "True"}]}})
    run.begin(OWN, cluster, free)


@pytest.mark.parametrize("job", [SWEEP, FILL], ids=["scheduled", "without a schedule"])
def test_a_deploy_after_the_plan_was_shown_keeps_a_run_from_beginning(cluster: Memory, job: Job) -> None:
    """The old image would run on the new schema."""
    deploy(cluster, job)
    plan = run.plan_run(OWN, cluster, job)
    deploy(cluster, replace(job, deadline="20m"))
    with pytest.raises(Refused, match="it was deployed anew since the plan was shown") as refusal:
        run.begin(OWN, cluster, plan)
    assert refusal.value.code == Exit.REFUSED and cluster.of_kind("Job") == []
    run.begin(OWN, cluster, run.plan_run(OWN, cluster, job))


def test_the_same_schedule_under_another_owner_is_deployed_anew(cluster: Memory) -> None:
    """The garbage collector would delete a Job whose owner is gone."""
    deploy(cluster, SWEEP)
    plan = run.plan_run(OWN, cluster, SWEEP)
    place = next(path for path in cluster.kept if "/cronjobs/" in path)
    cluster.keep(cluster.kept.pop(place))
    with pytest.raises(Refused, match="deployed anew"):
        run.begin(OWN, cluster, plan)
    cluster.kept.pop(place)
    with pytest.raises(Refused, match="it has been removed"):
        run.begin(OWN, cluster, plan)


def test_another_change_of_the_environment_keeps_a_run_from_beginning(cluster: Memory) -> None:
    deploy(cluster, SWEEP)
    plan = run.plan_run(OWN, cluster, SWEEP)
    with lock.hold(cluster, HOME, "another"), pytest.raises(Refused, match="another"):
        run.begin(OWN, cluster, plan)
    assert cluster.of_kind("Job") == []


def test_what_the_api_server_would_refuse_is_said_before_the_question(cluster: Memory) -> None:
    deploy(cluster, SWEEP)

    def quota(method: str, path: str) -> None:
        if method == "POST" and path.endswith("/jobs"):
            raise ApiError(403, {"message": "exceeded quota"}, "creating a Job")

    cluster.answering = quota
    with pytest.raises(Failure, match="exceeded quota"):
        run.plan_run(OWN, cluster, SWEEP)


def test_a_suspended_schedule_is_warned_of(cluster: Memory) -> None:
    deploy(cluster, SWEEP)
    (live,) = cluster.of_kind("CronJob")
    cluster.keep({**live, "spec": {**live["spec"], "suspend": True}})  # type: ignore[dict-item]
    assert "! its schedule is suspended: this run begins all the same" in story.lines(run.plan_run(OWN, cluster, SWEEP), TARGET)


def test_what_a_schedule_may_begin_beside_a_run_is_warned_of(cluster: Memory) -> None:
    deploy(cluster, SWEEP)
    assert "! its schedule does not count this run, and may begin another beside it" in story.lines(
        run.plan_run(OWN, cluster, SWEEP), TARGET
    )
    deploy(cluster, FILL)
    assert run.plan_run(OWN, cluster, FILL).warnings == ()


def test_a_refusal_promises_nothing_of_the_runs_that_a_schedule_begins(cluster: Memory) -> None:
    deploy(cluster, SWEEP)
    with pytest.raises(Refused, match="none is begun beside another") as refusal:
        run.check_free(replace(run.plan_run(OWN, cluster, SWEEP), busy="sweep-1"))
    assert "never overlap" not in refusal.value.cause


@pytest.fixture
def reached(cluster: Memory, monkeypatch: pytest.MonkeyPatch) -> Memory:
    """The environment's cluster is the one in memory."""

    @contextmanager
    def connected(*_: object) -> Iterator[object]:
        yield OWN, cluster, TARGET

    monkeypatch.setattr(story, "connected", connected)
    return cluster


def test_the_verb_shows_its_plan_and_changes_nothing_with_dry_run_or_without_an_answer(
    reached: Memory, capsys: pytest.CaptureFixture[str]
) -> None:
    deploy(reached, SWEEP)
    assert story.run(OWN, "sweep", "staging", dry_run=True) == 0
    said = "".join(capsys.readouterr())
    assert f"+ Job {HOME}/sweep-run-" in said and f"from CronJob {HOME}/sweep" in said and "600 s at the latest" in said
    with pytest.raises(Refused, match="no terminal to ask on"):
        story.run(OWN, "sweep", "staging")
    assert reached.of_kind("Job") == []


def test_a_failed_run_says_why_and_what_to_do(cluster: Memory) -> None:
    deploy(cluster, SWEEP)
    plan = run.plan_run(OWN, cluster, SWEEP)
    broken = {"objects": [{"reason": "job", "remedy": "Correct the program."}]}
    told = run.told(
        plan, Failure("waiting for the rollout", "exit code 7", "Correct the program. Then deploy again.", details=broken), "--env x"
    )
    assert (told.doing, told.cause) == ("running sweep", "exit code 7")
    assert told.remedy == "Correct the program. Then run it again. `invoke logs sweep --env x` shows its lines."


def test_a_log_that_cannot_be_shown_is_said_and_the_end_is_waited_for(
    reached: Memory, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    deploy(reached, SWEEP)
    waited = []

    def no_lines(*_: object) -> Iterator[LogLine]:
        raise ApiError(403, {"message": "pods/log is forbidden"}, "GET log")
        yield

    monkeypatch.setattr(run, "follow", no_lines)
    monkeypatch.setattr(watch, "wait", lambda _, keys, **__: waited.extend(keys))
    assert story.run(OWN, "sweep", "staging", yes=True) == 0
    (made,) = reached.of_kind("Job")
    assert waited == [key_of(made)]
    said = "".join(capsys.readouterr())
    assert "its lines cannot be shown" in said and "log is forbidden" in said and "sweep: done" in said


@pytest.mark.parametrize(
    "broken",
    [
        Unavailable("watching the rollout", "https://server does not answer", "Check the cluster."),
        failure([Broken(Key("Job", HOME, "sweep-run-1", "batch"), "waiting for its end", "waiting")], 720),
    ],
    ids=["the API server is gone", "nothing was heard of its end"],
)
def test_a_run_whose_end_cannot_be_watched_is_not_told_as_failed(reached: Memory, monkeypatch: pytest.MonkeyPatch, broken: Failure) -> None:
    deploy(reached, SWEEP)

    def wait(*_: object, **__: object) -> None:
        raise broken

    monkeypatch.setattr(run, "follow", lambda *_: iter(()))
    monkeypatch.setattr(watch, "wait", wait)
    with pytest.raises(Failure, match="could not be watched") as told:
        story.run(OWN, "sweep", "staging", yes=True)
    name = text(reached.of_kind("Job")[0], "metadata", "name")
    remedy = told.value.remedy
    assert "The run may go on" in remedy and f"get job/{name}" in remedy and f"delete job/{name}" in remedy
    assert "run it again" not in remedy and told.value.details["state"] == "unknown"


def test_the_migrations_are_no_run() -> None:
    with pytest.raises(UsageError, match="migrations"):
        story.run(OWN, OWN.database.job, "staging")
