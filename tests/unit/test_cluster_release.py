"""The end of a change, when not all of it could be done: what is told is what there is."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from ops import catalog
from ops.cluster import record
from ops.cluster.apply import Pace
from ops.cluster.change import Change, begin
from ops.cluster.plan import Origin, Plan
from ops.cluster.prepare import prepare
from ops.cluster.record import Header, Record
from ops.cluster.release import execute
from ops.cluster.undo import restore
from ops.errors import Failure, RolledBack
from ops.kube.client import ApiError
from ops.kube.objects import Object
from tests.unit.memory import HOME, TARGET, Memory

CATALOG = catalog.load()
GOAL_HEADER = Header(1, "deploy", "staging", "me", "", "2026-01-01T00:00:00Z")


def config(value: str, **metadata: Any) -> Object:
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "c", "namespace": HOME, **metadata}, "data": {"a": value}}


@pytest.fixture
def cluster() -> Iterator[Memory]:
    """A cluster with one good record."""
    made = Memory()
    written = record.write(made, HOME, Record(GOAL_HEADER, (config("1"),)))
    record.close(made, HOME, written, "good")
    made.keep(config("1"))
    made.writes.clear()
    yield made
    made._pool.shutdown()


def outcomes(cluster: Memory) -> list[tuple[int, str]]:
    return [(header.number, header.outcome) for header in record.history(cluster, HOME)]


def pace() -> Pace:
    return Pace(lambda _: None, lambda: None)


def failed_change(cluster: Memory) -> Change:
    """A change whose record has failed already."""
    plan = Plan(Origin("deploy", "staging", "", ""), "id", 1, ())
    change = Change(CATALOG, cluster, plan, pace(), "me")
    record.close(cluster, HOME, begin(change), "failed", cause="broken")
    return change


def last_good(cluster: Memory) -> Record:
    header = record.last_good(record.history(cluster, HOME))
    assert header
    return record.load(cluster, HOME, header)


def test_going_back_in_part_is_no_success(cluster: Memory) -> None:
    change, goal = failed_change(cluster), last_good(cluster)
    cluster.keep(config("1", deletionTimestamp="2026-01-01T00:00:00Z", finalizers=["a/b"]))
    with pytest.raises(Failure, match="it is being deleted") as failure:
        restore(change, goal)
    assert failure.value.doing == "going back to record 1"
    assert outcomes(cluster) == [(1, "good"), (2, "failed"), (3, "failed")]
    assert "it is being deleted" in record.history(cluster, HOME)[-1].cause


def test_records_that_cannot_be_forgotten_now_do_not_make_a_change_fail(cluster: Memory) -> None:
    change, goal, closed = failed_change(cluster), last_good(cluster), f"/api/v1/namespaces/{HOME}/secrets/nextai-record-000003.0"

    def answer(method: str, path: str) -> None:
        if method == "GET" and path.endswith("/secrets") and f"PATCH {closed}" in cluster.writes:
            raise ApiError(403, {"message": "secrets is forbidden"}, "GET secrets")

    cluster.answering = answer
    assert restore(change, goal) == 3
    cluster.answering = lambda method, path: None
    assert outcomes(cluster) == [(1, "good"), (2, "failed"), (3, "good")]


def test_a_deploy_whose_verification_fails_is_undone(cluster: Memory) -> None:
    def verify() -> None:
        assert cluster.of_kind("ConfigMap")[0]["data"] == {"a": "2"}
        raise Failure("verifying", "the page does not answer", "See its logs.")

    origin = Origin("deploy", "staging", record.stamp(cluster), digests={})
    plan = prepare(CATALOG, cluster, origin, [config("2")])
    with pytest.raises(RolledBack) as failure:
        execute(CATALOG, cluster, plan, lambda _: None, verify=verify)
    assert failure.value.cause == "the page does not answer\nRecord 1 is there again (as record 3)."
    assert cluster.of_kind("ConfigMap")[0]["data"] == {"a": "1"}
    assert outcomes(cluster) == [(1, "good"), (2, "failed"), (3, "good")]
    assert cluster.of_kind("Lease") == []


def test_a_plan_for_another_environment_changes_nothing(cluster: Memory) -> None:
    origin = replace(Origin("deploy", "production", ""), digests={})
    with pytest.raises(Failure, match="it is for production"):
        execute(CATALOG, cluster, Plan(origin, "id", 1, ()), lambda _: None)
    assert TARGET.environment.name == "staging" and cluster.writes == []
