"""What is tried again, how long, and which cause is told."""

from datetime import UTC, datetime

import pytest

from ops.errors import Failure
from ops.retry import ONCE, Policy, Transient, begun, passes, persist, retry_after


class Time:
    """A clock that only pauses move."""

    def __init__(self) -> None:
        self.now = 0.0
        self.pauses: list[float] = []

    def sleep(self, seconds: float) -> None:
        self.pauses.append(seconds)
        self.now += seconds

    def clock(self) -> float:
        return self.now


def tried(outcomes: list[object], policy: Policy) -> tuple[object, Time]:
    """What comes of it where each try ends as the list says."""
    time, left = Time(), list(outcomes)

    def work(_: int) -> object:
        outcome = left.pop(0)
        if isinstance(outcome, Exception):
            raise outcome
        return outcome

    try:
        return persist(work, policy, sleep=time.sleep, clock=time.clock), time
    except Failure as failure:
        return failure, time


def passing(cause: str, asked: float | None = None) -> Transient:
    return Transient(Failure("asking", cause, "again"), asked)


def test_what_passes_is_tried_until_it_has_passed() -> None:
    answer, time = tried([passing("one"), passing("two"), "answer"], Policy())
    assert answer == "answer"
    assert len(time.pauses) == 2


def test_the_first_cause_is_told_and_how_often_it_was_tried() -> None:
    failure, time = tried([passing("one"), passing("two"), passing("three")], Policy(tries=3))
    assert isinstance(failure, Failure)
    assert failure.cause == f"one (tried 3 times in {sum(time.pauses):.0f} s)"


def test_what_does_not_pass_is_raised_at_once() -> None:
    failure, time = tried([passing("one"), Failure("asking", "no", "")], Policy())
    assert isinstance(failure, Failure)
    assert (failure.cause, len(time.pauses)) == ("no", 1)


def test_once_is_once() -> None:
    failure, time = tried([passing("one")], ONCE)
    assert isinstance(failure, Failure)
    assert (failure.cause, time.pauses) == ("one", [])


def test_a_server_is_taken_at_its_word_and_not_waited_for_longer_than_the_limit() -> None:
    assert tried([passing("busy", 7.0), "answer"], Policy())[1].pauses == [7.0]
    failure, time = tried([passing("busy", 3600.0), "answer"], Policy())
    assert isinstance(failure, Failure)
    assert failure.cause == "busy (it asks to wait 3600 s)"
    assert time.pauses == []


def test_no_try_begins_after_the_limit() -> None:
    _, time = tried([passing("x")] * 1000, Policy(tries=1000, seconds=30.0))
    assert time.now <= 30.0


@pytest.mark.parametrize("chance", [0.0, 1.0])
def test_pauses_double_up_to_the_longest_and_are_never_all_the_same(chance: float) -> None:
    pauses = [Policy().pause(n, None, lambda: chance) for n in range(1, 9)]
    share = 0.5 + chance / 2
    assert pauses == [pytest.approx(share * full) for full in (0.25, 0.5, 1, 2, 4, 8, 8, 8)]


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        ("0", 0.0),
        (" 120 ", 120.0),
        ("Mon, 30 Nov 2026 12:00:30 GMT", 30.0),
        ("Mon, 30 Nov 2026 11:00:00 GMT", 0.0),
        ("Mon, 30 Nov 2026 12:00:30 -0000", 30.0),
        ("soon", None),
        ("-1", None),
        ("1.5", None),
        ("٣", None),
        ("", None),
        (None, None),
        ("9" * 400, 999999999.0),
    ],
)
def test_retry_after_is_a_number_or_a_date(header: str | None, seconds: float | None) -> None:
    assert retry_after(header, datetime(2026, 11, 30, 12, tzinfo=UTC)) == seconds


def test_which_answers_pass() -> None:
    assert [status for status in range(100, 600) if passes(status)] == [408, 425, 429, 500, 502, 503, 504]
    assert [status for status in range(400, 600) if passes(status) and not begun(status)] == [425, 429]
