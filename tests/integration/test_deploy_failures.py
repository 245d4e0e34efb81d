"""Deploys of a small platform that fail: each says its cause within seconds, and the last good record is there again."""

from typing import Any

import pytest

from ops.errors import Exit, Failure, RolledBack
from tests.integration.cluster import Cluster

DEFINITE = 45.0  # a failure is told within this time after the object was applied, on a machine that is busy with other things


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
