"""One deploy at a time: a Lease that its holder renews, and that expires by itself when the holder is gone."""

import getpass
import math
import os
import socket
import threading
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from ops.catalog.names import MANAGER
from ops.errors import Failure, Refused
from ops.kube import write
from ops.kube.client import ApiError, Client
from ops.kube.clock import clock
from ops.kube.objects import Object, number, table, text
from ops.retry import ONCE


@dataclass(frozen=True, slots=True)
class LockTimes:
    """Seconds. `lease`: after them a lock that was not renewed is nobody's. `renew`: between two renewals; also how long before the others
    this holder takes its lock for lost, for their clocks may be ahead. `retry`: after a renewal that failed, so that several fit into the
    time that is left. `answer`: for the answer to a renewal. `drain`: for the writes that run when a deploy is interrupted."""

    lease: float = 30
    renew: float = 8
    retry: float = 1
    answer: float = 4
    drain: float = 5


USUAL = LockTimes()


@dataclass(slots=True)
class Lock:
    """A held lock. `check()` before each write: it raises when the lock was lost, so that two never write."""

    holder: str
    since: str
    times: LockTimes = USUAL
    clock: Callable[[], float] = clock
    _renewed: float = field(init=False)  # when the last renewal that succeeded was sent
    _trouble: str = ""  # why the last one failed
    _lost: str = ""
    _done: threading.Event = field(default_factory=threading.Event)

    def __post_init__(self) -> None:
        self._renewed = self.clock()

    @property
    def lost(self) -> bool:
        """Whether this process may not write any more. What is lost stays lost."""
        limit = self.times.lease - self.times.renew
        # Asked of the clock here, not of the renewing thread: after a sleep this thread may be the first to wake.
        if not self._lost and self.clock() - self._renewed > limit:
            self._lost = f"it has not been renewed for {limit:g} s" + (f": {self._trouble}" if self._trouble else "")
        return bool(self._lost)

    def check(self) -> None:
        """Raise `Failure` when another took the lock, when it was not renewed in time, or when it was given back."""
        if self.lost:
            raise Failure("holding the deploy lock", self._lost, "Run `invoke status`, then deploy again: it finishes what was left.")

    def end(self) -> None:
        """Let nothing be written under this lock any more."""
        self._lost = self._lost or "it was given back, since this deploy is ending"
        self._done.set()


def whoami() -> str:
    """Who is at work: `user@host/process`."""
    try:
        user = getpass.getuser()
    except (OSError, KeyError):
        user = str(os.getuid())
    return f"{user}@{socket.gethostname()}/{os.getpid()}"


@contextmanager
def hold(client: Client, namespace: str, who: str, *, times: LockTimes = USUAL, clock: Callable[[], float] = clock) -> Iterator[Lock]:
    """Take the lock, renew it in the background, and give it back at the end, when the writes under way have ended.

    A write that takes longer than `times.drain` more keeps the lock, which then expires by itself.

    Raises `Refused` when someone else holds it. A lock whose holder has not renewed it in time is taken over.
    """
    holder = f"{who}/{uuid.uuid4().hex[:8]}"
    sent = clock()
    lease = _take(client, namespace, holder, times)
    lock = Lock(holder, text(lease, "spec", "acquireTime"), times, clock)
    lock._renewed = sent
    client.guard = lock.check
    renewer = threading.Thread(target=_renew, args=(client, namespace, lease, lock), name="lock", daemon=True)
    renewer.start()
    try:
        yield lock
    finally:
        lock.end()  # first of all: what still runs in the pool asks before it writes
        drained = client.drain(times.drain)
        renewer.join(timeout=times.lease)
        client.guard = lambda: None
        if drained:  # else a write is still on its way, and the lock expires by itself
            with suppress(Failure):
                _give_back(client, namespace, holder)


def _path(namespace: str, name: str = "") -> str:
    return f"/apis/coordination.k8s.io/v1/namespaces/{namespace}/leases" + (f"/{name}" if name else "")


def _take(client: Client, namespace: str, holder: str, times: LockTimes) -> Object:
    stamp = _stamp(client.now())
    spec: Object = {"holderIdentity": holder, "leaseDurationSeconds": math.ceil(times.lease), "acquireTime": stamp, "renewTime": stamp}
    lease: Object = {
        "apiVersion": "coordination.k8s.io/v1",
        "kind": "Lease",
        "metadata": {"name": MANAGER, "namespace": namespace},
        "spec": spec,
    }
    try:
        return write.create(client, _path(namespace), lease)
    except ApiError as error:
        if error.status != 409:
            raise
    try:
        found = client.request("GET", _path(namespace, MANAGER))
    except ApiError as error:
        if error.status == 404:  # given back between the two requests
            return _take(client, namespace, holder, times)
        raise
    if not expired(found, client.now()):
        raise _held(found)
    try:
        # With the resourceVersion that was read: of two that take over at once, one is refused.
        return write.replace(client, _path(namespace, MANAGER), {**lease, "metadata": _identity(found)})
    except ApiError as error:
        if error.status == 409:
            raise _held(client.request("GET", _path(namespace, MANAGER))) from error
        raise


def held(client: Client, namespace: str) -> bool:
    """Whether the lock is held now."""
    try:
        return not expired(client.request("GET", _path(namespace, MANAGER)), client.now())
    except ApiError as error:
        if error.status == 404:
            return False
        raise


def expired(lease: Object, now: datetime) -> bool:
    """Whether a Lease has no holder, or its holder has not renewed it in time."""
    renewed = text(lease, "spec", "renewTime")
    if not text(lease, "spec", "holderIdentity") or not renewed:
        return True
    seconds = number(lease, "spec", "leaseDurationSeconds", default=int(USUAL.lease))
    return datetime.fromisoformat(renewed.replace("Z", "+00:00")) + timedelta(seconds=seconds) < now


def _held(lease: Object) -> Refused:
    who, _, _ = text(lease, "spec", "holderIdentity").rpartition("/")
    since, renewed = text(lease, "spec", "acquireTime"), text(lease, "spec", "renewTime")
    return Refused(
        "taking the deploy lock",
        f"{who} has held it since {since} (last renewed {renewed})",
        f"Wait until that deploy is done. If it was killed, its lock expires {USUAL.lease:g} s after it was last renewed.",
    )


def _renew(client: Client, namespace: str, lease: Object, lock: Lock) -> None:
    pause = lock.times.renew
    while not lock._done.wait(pause) and not lock.lost:
        sent = lock.clock()
        try:
            found = _renewal(client, namespace, lease, lock.times.answer)
        except Failure as failure:  # of any kind: the server may be overloaded, or its rights be reloading
            lock._trouble, pause = failure.cause, lock.times.retry
            continue
        if found is None:
            lock._lost = lock._lost or "another deploy took the lock, since this one had not renewed it in time"
            return
        lease, lock._renewed, lock._trouble, pause = found, sent, "", lock.times.renew


def _renewal(client: Client, namespace: str, lease: Object, seconds: float) -> Object | None:
    """The renewed Lease, or None where this process does not hold it any more. Raises `Failure` where that is not known."""
    path = _path(namespace, MANAGER)

    def put(version: Object) -> Object:
        spec: Object = {**table(version, "spec"), "renewTime": _stamp(client.now())}
        return write.replace(client, path, {**version, "spec": spec}, seconds=seconds, policy=ONCE)

    try:
        try:
            return put(lease)
        except ApiError as error:
            if error.status != 409:
                raise
        # Perhaps by ourselves: a renewal whose answer was lost has been written all the same.
        found = client.request("GET", path, seconds=seconds, policy=ONCE)
        ours = text(found, "spec", "holderIdentity") == text(lease, "spec", "holderIdentity")
        return put(found) if ours else None
    except ApiError as error:
        if error.status == 404:
            return None
        raise


def _give_back(client: Client, namespace: str, holder: str) -> None:
    lease = client.request("GET", _path(namespace, MANAGER))
    if text(lease, "spec", "holderIdentity") == holder:
        version = text(lease, "metadata", "resourceVersion")
        write.delete(client, _path(namespace, MANAGER), preconditions={"resourceVersion": version})


def _identity(found: Object) -> Object:
    return {
        "name": MANAGER,
        "namespace": text(found, "metadata", "namespace"),
        "resourceVersion": text(found, "metadata", "resourceVersion"),
    }


def _stamp(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%S.%fZ")
