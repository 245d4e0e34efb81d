"""The deploy lock, against an API server that answers late, wrongly or never: who may write, and until when."""

import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor, wait
from copy import deepcopy
from dataclasses import replace
from typing import Any

import pytest

from ops.cluster import apply, lock
from ops.cluster.lock import LockTimes
from ops.cluster.step import Step
from ops.errors import Failure
from ops.kube import client
from ops.kube.client import ApiError, Client
from ops.kube.clock import clock
from ops.kube.discovery import Resource
from ops.kube.objects import Key
from ops.kube.order import Phase
from tests.unit.memory import TARGET

OFTEN = LockTimes(renew=0.02, retry=0.02)  # renewed much more often than in earnest
SILENT = Failure("connecting", "no answer", "Check the cluster.")


class Leases(Client):
    """The API server's leases. `spoil` may raise instead of an answer, before (`done` False) or after the change was made."""

    def __init__(self) -> None:
        api: Any = None
        super().__init__(TARGET, api, ThreadPoolExecutor(4))
        self.lease: dict[str, Any] | None = None
        self.version = 0
        self.asked: list[str] = []
        self.spoil: Callable[[str, bool], None] = lambda method, done: None

    def request(self, method: str, path: str, query: Any = None, body: Any = None, **_: Any) -> Any:
        self.asked.append(method)
        self.spoil(method, False)
        if method == "POST":
            assert self.lease is None
        elif self.lease is None:
            raise ApiError(404, {}, method)
        elif method == "PUT" and body["metadata"].get("resourceVersion") != self.lease["metadata"]["resourceVersion"]:
            raise ApiError(409, {}, method)
        if method in ("POST", "PUT"):
            self.version += 1
            self.lease = deepcopy(body)
            self.lease["metadata"]["resourceVersion"] = str(self.version)
        answer = deepcopy(self.lease)
        if method == "DELETE":
            self.lease = None
        self.spoil(method, True)
        return answer

    def renewed(self, times: int) -> None:
        """Wait until so many renewals more were asked for."""
        wanted = self.asked.count("PUT") + times
        until(lambda: self.asked.count("PUT") >= wanted)


def until(true: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 10
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.005)


@pytest.fixture
def leases() -> Iterator[Leases]:
    made = Leases()
    yield made
    made._pool.shutdown()


def test_a_renewal_whose_answer_is_lost_does_not_lose_the_lock(leases: Leases) -> None:
    lost: list[str] = []

    def once(method: str, done: bool) -> None:
        if method == "PUT" and done and not lost:
            lost.append(method)
            raise SILENT

    with lock.hold(leases, "n", "me", times=OFTEN) as held:
        leases.spoil = once
        leases.renewed(5)
        held.check()
        assert lost and not held.lost
    assert leases.lease is None


@pytest.mark.parametrize("taken", [True, False], ids=["taken", "deleted"])
def test_a_lease_that_another_has_is_lost(leases: Leases, taken: bool) -> None:
    with lock.hold(leases, "n", "me", times=OFTEN) as held:
        assert leases.lease is not None
        other = {**leases.lease, "spec": {**leases.lease["spec"], "holderIdentity": "you/1"}, "metadata": {"resourceVersion": "x"}}
        leases.lease = other if taken else None
        until(lambda: held.lost)
        with pytest.raises(Failure, match="another deploy took the lock"):
            held.check()
    assert leases.lease == (other if taken else None)


@pytest.mark.parametrize("status", [403, 409, 429, 503])
def test_a_lease_that_the_server_will_not_renew_is_lost_before_it_lapses(leases: Leases, status: int) -> None:
    def refuse(method: str, done: bool) -> None:
        if method == "PUT":
            raise ApiError(status, {"message": "not now"}, "PUT lease")

    with lock.hold(leases, "n", "me", times=replace(OFTEN, lease=1.0)) as held:
        leases.spoil = refuse
        leases.renewed(2)
        held.check()
        time.sleep(1.0)
        with pytest.raises(Failure, match="not now"):
            held.check()


def test_after_a_sleep_the_loss_is_known_before_anything_is_renewed(leases: Leases) -> None:
    slept = 0.0
    with lock.hold(leases, "n", "me", clock=lambda: clock() + slept) as held:
        slept = 21.0
        held.check()
        slept = 23.0
        with pytest.raises(Failure, match="not been renewed for 22 s"):
            held.check()
        slept = 0.0
        assert held.lost


def test_after_an_interrupt_nothing_is_written_when_the_lock_was_given_back(leases: Leases, monkeypatch: pytest.MonkeyPatch) -> None:
    begun = threading.Barrier(5)

    def interrupted(futures: Any, *arguments: Any, **options: Any) -> Any:
        monkeypatch.setattr(client, "wait", wait)
        begun.wait(10)
        raise KeyboardInterrupt

    def write(number: int) -> None:
        held.check()
        if number < 4:
            begun.wait(10)
        time.sleep(0.1)
        leases.asked.append("write")

    monkeypatch.setattr(client, "wait", interrupted)
    with pytest.raises(KeyboardInterrupt), lock.hold(leases, "n", "me", times=OFTEN) as held:
        leases.each(write, range(20))
    leases._pool.shutdown()
    assert leases.asked.count("write") == 4
    assert leases.asked[-1] == "DELETE"


def test_work_that_outlasts_the_lock_may_not_write(leases: Leases) -> None:
    go_on = threading.Event()
    with lock.hold(leases, "n", "me", times=replace(OFTEN, drain=0.05)) as held:

        def write() -> None:
            go_on.wait(10)
            held.check()

        written = leases.start(write)
    assert leases.lease is not None  # it lapses: what is on its way cannot be called back
    go_on.set()
    with pytest.raises(Failure, match="given back"):
        written.result()


def test_a_job_is_not_made_anew_when_the_lock_was_lost_while_the_former_one_went(leases: Leases, monkeypatch: pytest.MonkeyPatch) -> None:
    lost: list[bool] = []

    def check() -> None:
        if lost:
            raise SILENT

    job = Resource("batch/v1", "jobs", True, "Job")
    monkeypatch.setattr(Client, "resource_of", lambda *_: job)
    monkeypatch.setattr(apply, "left_after", lambda *_: lost.append(True))
    leases.lease = {}
    step = Step(Key("Job", "n", "j", "batch"), "replace", Phase.MIGRATION, {"kind": "Job", "metadata": {"name": "j", "namespace": "n"}})
    with pytest.raises(Failure, match="no answer"):
        apply._apply(leases, step, apply.Pace(lambda _: None, check))
    assert leases.asked == ["DELETE"]


def test_the_clusters_time_is_not_that_of_a_clock_which_somebody_sets(monkeypatch: pytest.MonkeyPatch) -> None:
    leases = Leases()
    server, then = leases._server_time
    monkeypatch.setattr(client, "clock", lambda: then + 100)
    assert (leases.now() - server).total_seconds() == 100
