"""Deploys of a small platform whose migrations matter: what is not gone back behind, and what is waited for."""

from dataclasses import replace

import pytest

from ops.cluster.record import RecordedMigration
from ops.cluster.release import execute
from ops.cluster.rollback import plan_rollback
from ops.cluster.scale import plan_scale
from ops.errors import Exit, Failure, Refused, RolledBack
from ops.kube.progress import Notice
from tests.integration.cluster import Cluster


def test_nothing_goes_back_behind_a_migration_that_took_something_away(cluster: Cluster, digests: dict[str, str]) -> None:
    cluster.deploy()
    catalog = cluster.platform.catalog()

    def broken() -> None:
        raise Failure("checking the platform", "sign-up answered 500", "Read the logs.")

    cluster.platform.job_env = {"SECONDS": "0"}  # another Job: the one of the new migration
    plan = cluster.plan()
    taken = replace(plan, origin=replace(plan.origin, migrations=(RecordedMigration("0001_drop", "h", ("drops a column",)),)))
    for attempt in (taken, None):  # the second finds that the Job has run already
        cluster.platform.env = {"ATTEMPT": str(attempt is None)}
        with pytest.raises(Failure, match=r"Not rolled back[\s\S]*0001_drop drops a column") as failed:
            cluster.execute(attempt or cluster.plan(), broken)
        assert failed.value.code == Exit.FAILED
    # The former code again, and it does well; but what the database has may yet become too new for it.
    job_env, cluster.platform.job_env, cluster.platform.env = cluster.platform.job_env, {}, {}
    cluster.deploy()
    cluster.platform.job_env = job_env
    with pytest.raises(Failure, match=r"Not rolled back[\s\S]*0001_drop drops a column"):
        cluster.execute(cluster.plan(), broken)
    with pytest.raises(Refused, match="0001_drop drops a column"):
        plan_scale(catalog, cluster.client, "web", least=2)
    with pytest.raises(Refused, match="0001_drop drops a column"):
        plan_rollback(catalog, cluster.client, to=1)
    assert [h.outcome for h in cluster.history()] == ["good", "failed", "failed", "good", "failed"]


def test_a_deploy_that_fails_before_its_migration_goes_back(cluster: Cluster) -> None:
    cluster.deploy()
    good = cluster.platform.digests
    cluster.platform.job_env, cluster.platform.digests = {"SECONDS": "0"}, {**good, "ct-store": "sha256:" + "1" * 64}
    plan = cluster.plan()
    taken = replace(plan, origin=replace(plan.origin, migrations=(RecordedMigration("0001_drop", "h", ("drops a column",)),)))
    with pytest.raises(RolledBack, match="cannot be pulled"):
        cluster.execute(taken)
    cluster.platform.job_env, cluster.platform.digests, cluster.platform.config = {}, good, {"GREETING": "bye"}
    cluster.deploy()
    cluster.execute(plan_rollback(cluster.platform.catalog(), cluster.client, to=1))  # nobody has met what never ran
    assert cluster.greeting() == "hello"


def test_a_migration_that_still_runs_is_waited_for_by_the_next_deploy(cluster: Cluster, digests: dict[str, str]) -> None:
    cluster.deploy()
    cluster.platform.job_env = {"SECONDS": "20"}
    cluster.platform.digests = {**cluster.platform.digests, "ct-web": digests["two"]}

    def press_ctrl_c(notice: Notice) -> None:  # a deploy that fails stops its Job on the way back; this one ends before
        if (notice.key.kind, notice.state) == ("Job", "waiting"):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt, match="record 2 has no end"):
        execute(cluster.platform.catalog(), cluster.client, cluster.plan(), press_ctrl_c)
    plan = cluster.plan()
    assert [step.key.name for step in plan.steps if step.doing == "running"], plan.steps
    cluster.notices.clear()
    cluster.execute(plan)
    ready = next(i for i, n in enumerate(cluster.notices) if n.key.kind == "Job" and n.state == "ready")
    applied = next(i for i, n in enumerate(cluster.notices) if n.key.kind == "Deployment" and n.state == "applied")
    assert ready < applied
