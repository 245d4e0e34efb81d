"""What a service's pods write, merged, while they write it; pods that come later included."""

import queue
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from ops.catalog.model import Catalog
from ops.console import heard
from ops.errors import Failure, UsageError
from ops.guess import did_you_mean
from ops.kube.client import ApiError, Client, Stream, events
from ops.kube.objects import WORKLOADS, Key, Object, at, pod_template, rows, statuses_of, table, text

_PAUSE_SECONDS = 1.0  # before a stream that ended is begun again
_SILENCE_SECONDS = 320.0  # longer than a watch, which ends after 290
_TRIES = 10  # after so many watches that failed, one after the other, the server is gone


@dataclass(frozen=True, slots=True)
class Line:
    """One line of one container."""

    pod: str
    container: str
    text: str


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which lines: the last `tail` of each container, those of the last `since` seconds, and (`follow`) those to come."""

    tail: int = 100
    since: int | None = None
    follow: bool = False
    previous: bool = False


@dataclass(slots=True)
class _Tap:
    client: Client
    wanted: Wanted
    lines: "queue.SimpleQueue[Line | Failure]" = field(default_factory=queue.SimpleQueue)
    streams: list[Stream] = field(default_factory=list)
    followed: set[tuple[str, str]] = field(default_factory=set)  # a pod's uid and a container: of those a thread reads the lines
    seen: set[tuple[str, str]] = field(default_factory=set)  # those whose lines were read at some time
    last: dict[tuple[str, str], str] = field(default_factory=dict)  # the time of the last line of each
    lock: threading.Lock = field(default_factory=threading.Lock)
    stopped: threading.Event = field(default_factory=threading.Event)

    @contextmanager
    def stream(self, path: str, query: dict[str, str], *, seconds: float | None = None) -> Iterator[Stream]:
        """A stream that ends with the tap. `seconds`: the longest silence. Raises `Failure` when it cannot be opened."""
        stream = self.client.stream(path, query, seconds=seconds)
        self.streams.append(stream)
        try:
            if self.stopped.is_set():
                stream.close()
            yield stream
        finally:
            self.streams.remove(stream)

    def stop(self) -> None:
        """End all threads and streams."""
        self.stopped.set()
        for stream in tuple(self.streams):
            stream.close()


def read(catalog: Catalog, client: Client, name: str, wanted: Wanted) -> Iterator[Line]:
    """The lines of all pods of a service, job or store: in order of time without `follow`, as they come with it.

    Raises `UsageError` when nothing of that name runs, `Failure` when the server may not be asked, or is gone for good.
    """
    namespace, selector = selector_of(catalog, client, name)
    pods = _pods(client, namespace, selector)
    if not wanted.follow:
        yield from _merged(client, pods, wanted)
        return
    tap = _Tap(client, wanted)
    threading.Thread(target=_watch_pods, args=(tap, namespace, selector), name="log-pods", daemon=True).start()
    try:
        while True:
            try:
                line = tap.lines.get(timeout=_PAUSE_SECONDS)
            except queue.Empty:
                if not heard():
                    return
                continue
            if isinstance(line, Failure):
                raise line
            yield line
    finally:
        tap.stop()


def selector_of(catalog: Catalog, client: Client, name: str) -> tuple[str, str]:
    """Namespace and label selector of the pods of what bears this name."""
    for namespace in catalog.namespaces:
        for kind in WORKLOADS:
            resource = client.by_key(Key(kind, "", "", "apps"))
            found = client.get(resource, namespace, name) if resource else None
            if found is not None:
                labels = table(found, "spec", "selector", "matchLabels")
                return namespace, ",".join(f"{k}={v}" for k, v in sorted(labels.items()))
        jobs = client.by_key(Key("Job", "", "", "batch"))
        named = [j for j in client.find(jobs, namespace) if text(j, "metadata", "name").startswith(f"{name}-")] if jobs else []
        if named:
            newest = max(named, key=lambda j: text(j, "metadata", "creationTimestamp"))
            return namespace, f"batch.kubernetes.io/job-name={text(newest, 'metadata', 'name')}"
    known = [*catalog.services, *catalog.jobs, *catalog.stores]
    raise UsageError(
        f"looking for the pods of {name}",
        f"nothing of that name runs in {', '.join(catalog.namespaces)}{did_you_mean(name, known)}",
        "`invoke status` shows what runs.",
    )


def _pods(client: Client, namespace: str, labels: str = "", *, fields: str = "") -> list[Object]:
    query = {k: v for k, v in (("labelSelector", labels), ("fieldSelector", fields)) if v}
    return rows(client.request("GET", f"/api/v1/namespaces/{namespace}/pods", query), "items")


def _merged(client: Client, pods: list[Object], wanted: Wanted) -> Iterator[Line]:
    """The API server writes each line's time before it; by that they are sorted, and it is cut off again."""

    def lines(place: tuple[Object, str]) -> list[tuple[str, Line]]:
        pod, container = place
        path = f"/api/v1/namespaces/{text(pod, 'metadata', 'namespace')}/pods/{text(pod, 'metadata', 'name')}/log"
        try:
            written = client.read_text(path, _query(wanted, container) | {"timestamps": "true"})
        except ApiError as error:
            if error.status in (400, 404):  # it has not started, or is gone
                return []
            raise
        return [_stamped(pod, container, line) for line in written.split("\n") if line]

    found = client.each(lines, [(pod, container) for pod in pods for container in _containers(pod)])
    for _, line in sorted((entry for part in found for entry in part), key=lambda entry: entry[0]):
        yield line


def _stamped(pod: Object, container: str, line: str) -> tuple[str, Line]:
    """A line's time and the line; a word of the kubelet's own, that a log cannot be read, has no time."""
    moment, blank, words = line.partition(" ")
    if not (blank and re.match(r"\d{4}-\d\d-\d\dT", moment)):
        moment, words = "", line
    return moment, Line(text(pod, "metadata", "name"), container, words)


def _containers(pod: Object) -> list[str]:
    template = pod_template({**pod, "kind": "Pod"}) or {}
    return [text(c, "name") for group in ("initContainers", "containers") for c in rows(template, "spec", group)]


def _query(wanted: Wanted, container: str) -> dict[str, str]:
    query = {"container": container, "tailLines": str(wanted.tail)}
    if wanted.since is not None:
        query["sinceSeconds"] = str(wanted.since)
    if wanted.previous:
        query["previous"] = "true"
    return query


def _watch_pods(tap: _Tap, namespace: str, selector: str) -> None:
    """Follow each container as soon as it runs, of pods that come later too. A watch that ends or breaks off is begun again."""
    failures = 0
    while not tap.stopped.is_set():
        try:
            # Without a resourceVersion the watch begins with what is there.
            query = {"labelSelector": selector, "watch": "1", "timeoutSeconds": "290"}
            with tap.stream(f"/api/v1/namespaces/{namespace}/pods", query, seconds=_SILENCE_SECONDS) as stream:
                for event in events(stream):
                    if text(event, "type") in ("ADDED", "MODIFIED"):
                        _follow(tap, table(event, "object"))
            failures = 0
        except Failure as failure:
            failures += 1
            if failures == _TRIES or _forbidden(failure):
                tap.lines.put(failure)
                return
        tap.stopped.wait(_PAUSE_SECONDS)


def _forbidden(failure: Failure) -> bool:
    """Whether trying again is of no use."""
    return isinstance(failure, ApiError) and failure.status in (401, 403)


def _follow(tap: _Tap, pod: Object) -> None:
    for status in statuses_of(pod):
        place = _place(pod, text(status, "name"))
        # What has ended before anyone looked has written too.
        ended = at(status, "state", "terminated") or at(status, "lastState", "terminated")
        if at(status, "state", "running") or (ended and place not in tap.seen):
            _begin(tap, pod, status)


def _begin(tap: _Tap, pod: Object, status: Object) -> None:
    """Copy a container's lines in a thread of their own, unless there is one."""
    place = _place(pod, text(status, "name"))
    with tap.lock:
        if place in tap.followed:
            return
        tap.followed.add(place)
        tap.seen.add(place)
    threading.Thread(target=_copy, args=(tap, pod, status), name=f"log-{place[1]}", daemon=True).start()


def _place(pod: Object, container: str) -> tuple[str, str]:
    return text(pod, "metadata", "uid"), container


def _copy(tap: _Tap, pod: Object, status: Object) -> None:
    """Copy lines until the stream ends: with its container, or because something on its way broke off, or never began."""
    try:
        _read(tap, pod, text(status, "name"))
    except Failure as failure:
        if _forbidden(failure):
            tap.lines.put(failure)
            return
    tap.followed.discard(_place(pod, text(status, "name")))  # before the pod is looked at, so that no event is missed
    _go_on(tap, pod, status)


def _read(tap: _Tap, pod: Object, container: str) -> None:
    """Copy lines from the beginning, or from those on that came after the last one that is known."""
    place = _place(pod, container)
    last = tap.last.get(place, "")
    query = {"container": container, "sinceTime": last} if last else _query(tap.wanted, container)
    path = f"/api/v1/namespaces/{text(pod, 'metadata', 'namespace')}/pods/{text(pod, 'metadata', 'name')}/log"
    # A silence of that length may be a connection that is gone, after a laptop's sleep say: it is begun again after the last line.
    with tap.stream(path, query | {"follow": "true", "timestamps": "true"}, seconds=_SILENCE_SECONDS) as stream:
        for written in stream.lines():
            moment, line = _stamped(pod, container, written.decode(errors="replace"))
            if last and moment <= last:  # the server begins with the whole second
                continue
            last = ""
            if moment:
                tap.last[place] = moment
            tap.lines.put(line)


def _go_on(tap: _Tap, pod: Object, former: Object) -> None:
    """Begin again where the container of a stream that ended still runs, or has begun another run that no event will tell of."""
    while not tap.stopped.wait(_PAUSE_SECONDS):
        try:
            pods = _pods(tap.client, text(pod, "metadata", "namespace"), fields=f"metadata.name={text(pod, 'metadata', 'name')}")
        except Failure:
            continue  # the watch of the pods tells when the server is gone
        for status in (s for p in pods if _place(p, "") == _place(pod, "") for s in statuses_of(p)):
            another = text(status, "containerID") not in ("", text(former, "containerID"))
            if text(status, "name") == text(former, "name") and (another or at(status, "state", "running")):
                _begin(tap, pod, status)
        return
