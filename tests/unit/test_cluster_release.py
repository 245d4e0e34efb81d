"""The end of a change, when not all of it could be done: what is told is what there is."""

from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest

from ops.cluster import release
from ops.cluster.apply import Pace
from ops.cluster.plan import Origin, Plan
from ops.cluster.record import Header, Record
from ops.errors import Failure
from ops.kube.client import ApiError

LEFT = "Deployment n/web: another manager owns .spec.replicas"
FORBIDDEN = ApiError(403, {"message": "secrets is forbidden"}, "GET secrets")
GOAL = Record(Header(1, "deploy", "staging", "me", "", "", outcome="good"), ())
PLAN = Plan(Origin("rollback", "staging", "", target=1), "id", 2, ())


@pytest.fixture
def written(monkeypatch: pytest.MonkeyPatch) -> list[object]:
    """What is applied, and how its record ends, without a cluster; none lets its records be listed."""
    done: list[object] = []

    def forbidden(*_: object) -> None:
        raise FORBIDDEN

    monkeypatch.setattr(release, "origin_of", lambda *_: PLAN.origin)
    monkeypatch.setattr(release, "_open", lambda *_: replace(GOAL.header, number=3))
    monkeypatch.setattr(release, "apply_plan", lambda _, plan, __: done.append(plan))
    monkeypatch.setattr(release.record, "close", lambda _, __, header, outcome, *, cause="": done.append((header.number, outcome, cause)))
    monkeypatch.setattr(release.record, "history", forbidden)
    return done


def restore(monkeypatch: pytest.MonkeyPatch, back: Plan) -> int:
    change: Any = SimpleNamespace(client=None, home="n", catalog=None, pace=Pace(lambda _: None, lambda: None))
    monkeypatch.setattr(release, "prepare", lambda *_: back)
    return release._restore(change, GOAL, GOAL.header)


def test_going_back_in_part_is_no_success(monkeypatch: pytest.MonkeyPatch, written: list[object]) -> None:
    back = replace(PLAN, problems=(LEFT,))
    with pytest.raises(Failure, match="another manager owns"):
        restore(monkeypatch, back)
    assert written == [back, (3, "failed", LEFT)]


def test_records_that_cannot_be_forgotten_now_do_not_make_a_change_fail(monkeypatch: pytest.MonkeyPatch, written: list[object]) -> None:
    assert restore(monkeypatch, PLAN) == 3
    assert written == [PLAN, (3, "good", "")]
