"""One deploy at a time: a Lease that its holder renews, and that lapses by itself when the holder is gone."""

import getpass
import os
import socket
import threading
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from ops.cluster.client import ApiError, Client
from ops.cluster.objects import MANAGER, Object, number, table, text
from ops.errors import Failure, Refused

LEASE_SECONDS = 30
RENEW_SECONDS = 8


@dataclass(slots=True)
class Lock:
    """A held lock. `check()` before each write: it raises when the lock was lost, so that two never write."""

    holder: str
    since: str
    _lost: str = ""
    _done: threading.Event = field(default_factory=threading.Event)

    @property
    def lost(self) -> bool:
        """Whether this process may not write any more."""
        return bool(self._lost)

    def check(self) -> None:
        """Raise `Failure` when another took the lock, or when it could not be renewed in time."""
        if self._lost:
            raise Failure("holding the deploy lock", self._lost, "Run `invoke status`, then deploy again: it finishes what was left.")


def whoami() -> str:
    """Who is at work: `user@host/process`."""
    try:
        user = getpass.getuser()
    except (OSError, KeyError):
        user = str(os.getuid())
    return f"{user}@{socket.gethostname()}/{os.getpid()}"


@contextmanager
def hold(client: Client, namespace: str, who: str) -> Iterator[Lock]:
    """Take the lock, renew it in the background, give it back at the end.

    Raises `Refused` when someone else holds it. A lock whose holder has not renewed it for 30 s is taken over.
    """
    holder = f"{who}/{uuid.uuid4().hex[:8]}"
    lease = _take(client, namespace, holder)
    lock = Lock(holder, text(lease, "spec", "acquireTime"))
    renewer = threading.Thread(target=_renew, args=(client, namespace, lease, lock), name="lock", daemon=True)
    renewer.start()
    try:
        yield lock
    finally:
        lock._done.set()
        renewer.join(timeout=LEASE_SECONDS)
        with suppress(Failure):
            _give_back(client, namespace, holder)


def _path(namespace: str, name: str = "") -> str:
    return f"/apis/coordination.k8s.io/v1/namespaces/{namespace}/leases" + (f"/{name}" if name else "")


def _take(client: Client, namespace: str, holder: str) -> Object:
    stamp = _stamp(client.now())
    spec: Object = {"holderIdentity": holder, "leaseDurationSeconds": LEASE_SECONDS, "acquireTime": stamp, "renewTime": stamp}
    lease: Object = {
        "apiVersion": "coordination.k8s.io/v1",
        "kind": "Lease",
        "metadata": {"name": MANAGER, "namespace": namespace},
        "spec": spec,
    }
    try:
        return client.request("POST", _path(namespace), body=lease)
    except ApiError as error:
        if error.status != 409:
            raise
    try:
        found = client.request("GET", _path(namespace, MANAGER))
    except ApiError as error:
        if error.status == 404:  # given back between the two requests
            return _take(client, namespace, holder)
        raise
    if not lapsed(found, client.now()):
        raise _held(found)
    try:
        # With the resourceVersion that was read: of two that take over at once, one is refused.
        return client.request("PUT", _path(namespace, MANAGER), body={**lease, "metadata": _identity(found)})
    except ApiError as error:
        if error.status == 409:
            raise _held(client.request("GET", _path(namespace, MANAGER))) from error
        raise


def lapsed(lease: Object, now: datetime) -> bool:
    """Whether nobody holds a Lease any more."""
    renewed = text(lease, "spec", "renewTime")
    if not text(lease, "spec", "holderIdentity") or not renewed:
        return True
    seconds = number(lease, "spec", "leaseDurationSeconds", default=LEASE_SECONDS)
    return datetime.fromisoformat(renewed.replace("Z", "+00:00")) + timedelta(seconds=seconds) < now


def _held(lease: Object) -> Refused:
    who, _, _ = text(lease, "spec", "holderIdentity").rpartition("/")
    since, renewed = text(lease, "spec", "acquireTime"), text(lease, "spec", "renewTime")
    return Refused(
        "taking the deploy lock",
        f"{who} has held it since {since} (last sign of life {renewed})",
        f"Wait until that deploy is done. If it was killed, its lock lapses {LEASE_SECONDS} s after its last sign of life.",
    )


def _renew(client: Client, namespace: str, lease: Object, lock: Lock) -> None:
    renewed = client.now()
    while not lock._done.wait(RENEW_SECONDS):
        try:
            spec: Object = {**table(lease, "spec"), "renewTime": _stamp(client.now())}
            lease = client.request("PUT", _path(namespace, MANAGER), body={**lease, "spec": spec}, seconds=RENEW_SECONDS)
            renewed = client.now()
        except ApiError as error:
            if error.status in (404, 409):
                lock._lost = "another deploy took the lock, since this one had not renewed it in time"
                return
        except Failure as failure:
            if client.now() - renewed > timedelta(seconds=LEASE_SECONDS - RENEW_SECONDS):
                lock._lost = f"it could not be renewed: {failure.cause}"
                return


def _give_back(client: Client, namespace: str, holder: str) -> None:
    lease = client.request("GET", _path(namespace, MANAGER))
    if text(lease, "spec", "holderIdentity") == holder:
        preconditions: Object = {"resourceVersion": text(lease, "metadata", "resourceVersion")}
        body: Object = {"kind": "DeleteOptions", "apiVersion": "v1", "preconditions": preconditions}
        client.request("DELETE", _path(namespace, MANAGER), body=body)


def _identity(found: Object) -> Object:
    return {
        "name": MANAGER,
        "namespace": text(found, "metadata", "namespace"),
        "resourceVersion": text(found, "metadata", "resourceVersion"),
    }


def _stamp(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%S.%fZ")
