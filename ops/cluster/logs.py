"""What a service's pods write, merged, while they write it; pods that come later included."""

import queue
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field

from ops.catalog.model import Catalog
from ops.cluster.client import ApiError, Client, Stream
from ops.cluster.objects import Key, Object, at, pod_template, rows, table, text
from ops.errors import Failure, UsageError


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
    lines: "queue.SimpleQueue[Line | None]" = field(default_factory=queue.SimpleQueue)
    streams: list[Stream] = field(default_factory=list)
    seen: set[tuple[str, str]] = field(default_factory=set)
    stopped: bool = False


def read(catalog: Catalog, client: Client, name: str, wanted: Wanted) -> Iterator[Line]:
    """The lines of all pods of a service, job or store: in order of time without `follow`, as they come with it.

    Raises `UsageError` when nothing of that name runs.
    """
    namespace, selector = selector_of(catalog, client, name)
    pods = _pods(client, namespace, selector)
    if not wanted.follow:
        yield from _merged(client, pods, wanted)
        return
    tap = _Tap(client, wanted)
    threading.Thread(target=_watch_pods, args=(tap, namespace, selector), name="log-pods", daemon=True).start()
    try:
        while (line := tap.lines.get()) is not None:
            yield line
    finally:
        tap.stopped = True
        for stream in tap.streams:
            stream.close()


def selector_of(catalog: Catalog, client: Client, name: str) -> tuple[str, str]:
    """Namespace and label selector of the pods of what bears this name."""
    for namespace in catalog.namespaces:
        for kind in ("Deployment", "StatefulSet", "DaemonSet"):
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
    raise UsageError(
        f"looking for the pods of {name}",
        f"nothing of that name runs in {', '.join(catalog.namespaces)}",
        "`invoke status` shows what runs.",
    )


def _pods(client: Client, namespace: str, selector: str) -> list[Object]:
    answer = client.request("GET", f"/api/v1/namespaces/{namespace}/pods", {"labelSelector": selector})
    return rows(answer, "items")


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
        return [_stamped(pod, container, line) for line in written.splitlines()]

    found = client.each(lines, [(pod, container) for pod in pods for container in _containers(pod)])
    for _, line in sorted((entry for part in found for entry in part), key=lambda entry: entry[0]):
        yield line


def _stamped(pod: Object, container: str, line: str) -> tuple[str, Line]:
    moment, _, words = line.partition(" ")
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
    """Follow each container as soon as it runs, of pods that come later too."""
    import json

    path = f"/api/v1/namespaces/{namespace}/pods"
    try:
        while not tap.stopped:
            # Without a resourceVersion the watch begins with what is there.
            stream = tap.client.stream(path, {"labelSelector": selector, "watch": "1", "timeoutSeconds": "290"}, seconds=320)
            tap.streams.append(stream)
            for line in stream.lines():
                event: Object = json.loads(line) if line else {}
                if text(event, "type") in ("ADDED", "MODIFIED"):
                    _follow(tap, table(event, "object"))
            tap.streams.remove(stream)
    except Failure:
        tap.lines.put(None)


def _follow(tap: _Tap, pod: Object) -> None:
    for status in [*rows(pod, "status", "initContainerStatuses"), *rows(pod, "status", "containerStatuses")]:
        run = (text(pod, "metadata", "name"), text(status, "containerID"))
        if at(status, "state", "running") and run not in tap.seen:
            tap.seen.add(run)
            threading.Thread(target=_copy, args=(tap, pod, text(status, "name")), name=f"log-{run[0]}", daemon=True).start()


def _copy(tap: _Tap, pod: Object, container: str) -> None:
    name = text(pod, "metadata", "name")
    path = f"/api/v1/namespaces/{text(pod, 'metadata', 'namespace')}/pods/{name}/log"
    try:
        stream = tap.client.stream(path, _query(tap.wanted, container) | {"follow": "true"})
    except Failure:
        return  # it ended meanwhile; when it runs again there is a new event
    tap.streams.append(stream)
    for line in stream.lines():
        tap.lines.put(Line(name, container, line.decode(errors="replace")))
