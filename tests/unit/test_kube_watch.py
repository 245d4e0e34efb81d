"""What is waited for may be deleted meanwhile: that is told at once, and a watch that begins anew is no deletion."""

import json
import queue
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from ops.errors import Failure
from ops.kube import watch
from ops.kube.client import ApiError
from ops.kube.objects import Key
from ops.kube.readiness import Done
from ops.kube.stream import Stream
from tests.unit.memory import HOME, Memory

KEY = Key("Job", HOME, "sweep-run-1", "batch")
JOB: Any = {"apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": KEY.name, "namespace": HOME}, "spec": {}}
DONE: Any = {"status": {"conditions": [{"type": "Complete", "status": "True"}]}}
LONGEST = 60.0  # nothing here waits for it, unless what is tested is broken


Event = Callable[[], Any]


def expired() -> Any:
    return {"type": "ERROR", "object": {"code": 410}}


@dataclass
class Said:
    """A watch, until it is closed: each event is made when it is read."""

    events: "queue.SimpleQueue[Event | None]"

    def lines(self) -> Iterator[bytes]:
        while made := self.events.get():
            yield json.dumps(made()).encode()

    def close(self) -> None:
        self.events.put(None)


class Watched(Memory):
    """A cluster whose watches of Jobs say the events that are put into `events`; those of other kinds say nothing."""

    def __init__(self) -> None:
        super().__init__(JOB)
        self.events: queue.SimpleQueue[Event | None] = queue.SimpleQueue()
        self.path = next(path for path in self.kept if "/jobs/" in path)

    def stream(self, path: str, query: Any = None, *, seconds: float | None = None) -> Stream:
        return Said(self.events if path.endswith("/jobs") else queue.SimpleQueue())

    def deleted(self) -> Any:
        return {"type": "DELETED", "object": self.kept.pop(self.path)}

    def done(self) -> Any:
        return {"type": "MODIFIED", "object": self.keep({**JOB, **DONE})}


def wait(cluster: Watched, when_waiting: Callable[[], None]) -> list[str]:
    """Wait for the Job; `when_waiting` is called as soon as it was seen. Returns what was told."""
    told: list[str] = []

    def tell(notice: watch.Notice) -> None:
        told.append(f"{notice.state} {notice.text}".strip())
        if len(told) == 1:
            when_waiting()

    try:
        watch.wait(cluster, [KEY], seconds=LONGEST, tell=tell)
    finally:
        cluster._pool.shutdown()
    return told


def test_a_job_that_is_deleted_while_it_is_waited_for_is_told_at_once() -> None:
    cluster = Watched()
    with pytest.raises(Failure, match="it was deleted before it ended") as told:
        wait(cluster, lambda: cluster.events.put(cluster.deleted))
    assert "not ready within" not in told.value.cause


def test_a_job_that_a_fresh_list_has_no_more_was_deleted() -> None:
    """Its watch had expired while it was deleted: no event tells of it."""
    cluster = Watched()

    def gone() -> None:
        cluster.kept.pop(cluster.path)
        cluster.events.put(expired)

    with pytest.raises(Failure, match="it was deleted before it ended"):
        wait(cluster, gone)


def test_an_expired_watch_deletes_nothing_before_a_list_has_been_had() -> None:
    cluster = Watched()
    refused: list[str] = []

    def breaks() -> None:
        def lists(method: str, path: str) -> None:
            if path.endswith("/jobs") and len(refused) < 2:  # the first lists after it fail
                refused.append(path)
                raise ApiError(503, {}, "GET jobs")

        cluster.answering = lists
        cluster.events.put(expired)
        cluster.events.put(cluster.done)

    assert wait(cluster, breaks) == ["waiting its end", "ready"]
    assert len(refused) == 2


def test_what_has_not_appeared_yet_was_not_deleted() -> None:
    cluster = Watched()
    cluster.kept.pop(cluster.path)
    told = wait(cluster, lambda: cluster.events.put(cluster.done))
    assert told == ["waiting it to appear", "ready"]


def test_a_job_that_ended_and_was_cleaned_up_is_ready_while_others_are_waited_for() -> None:
    assert watch._away(KEY, Done()) == Done()
