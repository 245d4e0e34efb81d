"""What a service's pods write from now on, merged; pods that come later included. A stream that breaks off is begun again."""

import queue
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from ops.cluster.loglines import Container, LogLine, LogSelection, container_of, stamped
from ops.cluster.pods import Selector, find
from ops.console import has_reader
from ops.errors import Failure
from ops.kube.client import ApiError, Client
from ops.kube.objects import Object, at, statuses_of, table, text
from ops.kube.stream import Stream, events

PAUSE_SECONDS = 1.0  # before a stream that ended is begun again
SILENCE_SECONDS = 320.0  # longer than a watch, which ends after 290
_TRIES = 10  # after so many watches that failed, one after the other, the server is gone


def follow(
    client: Client,
    selector: Selector,
    wanted: LogSelection,
    *,
    going: Callable[[], bool] = has_reader,
    pause: float = PAUSE_SECONDS,
) -> Iterator[LogLine]:
    """The last lines of the pods and those that come, as long as somebody hears them (`going`, asked where nothing comes).

    `pause`: seconds before a stream that ended is begun again. Raises `Failure` when the server may not be asked, or is gone for good.
    """
    followed = _Followed(client, wanted, pause)
    threading.Thread(target=_watch, args=(followed, selector), name="log-pods", daemon=True).start()
    try:
        while True:
            try:
                line = followed.lines.get(timeout=pause)
            except queue.Empty:
                if not going():
                    return
                continue
            if isinstance(line, Failure):
                raise line
            yield line
    finally:
        followed.stop()


@dataclass(slots=True)
class _Followed:
    """What the threads share: one watches the pods, one for each container reads its lines."""

    client: Client
    wanted: LogSelection
    pause: float
    lines: "queue.SimpleQueue[LogLine | Failure]" = field(default_factory=queue.SimpleQueue)
    streams: list[Stream] = field(default_factory=list)
    now: set[Container] = field(default_factory=set)  # those whose lines a thread reads
    seen: set[Container] = field(default_factory=set)  # those whose lines were read at some time
    last: dict[Container, str] = field(default_factory=dict)  # the time of the last line of each
    lock: threading.Lock = field(default_factory=threading.Lock)
    stopped: threading.Event = field(default_factory=threading.Event)

    @contextmanager
    def stream(self, path: str, query: dict[str, str]) -> Iterator[Stream]:
        """A stream that ends with all others, or after a long silence: that may be a connection that is gone, after a laptop's sleep say.

        Raises `Failure` when it cannot be opened.
        """
        stream = self.client.stream(path, query, seconds=SILENCE_SECONDS)
        self.streams.append(stream)
        try:
            if self.stopped.is_set():
                stream.close()
            yield stream
        finally:
            self.streams.remove(stream)

    def begin(self, container: Container, run: str) -> None:
        """Copy a container's lines in a thread of their own, unless there is one. `run`: the id of the run that writes them."""
        with self.lock:
            if container in self.now:
                return
            self.now.add(container)
            self.seen.add(container)
        threading.Thread(target=_copy, args=(self, container, run), name=f"log-{container.name}", daemon=True).start()

    def stop(self) -> None:
        """End all threads and streams."""
        self.stopped.set()
        for stream in tuple(self.streams):
            stream.close()


def _watch(followed: _Followed, selector: Selector) -> None:
    """Follow each container as soon as it runs, of pods that come later too. A watch that ends or breaks off is begun again."""
    failures = 0
    while not followed.stopped.is_set():
        try:
            # Without a resourceVersion the watch begins with what is there.
            with followed.stream(selector.path, selector.query | {"watch": "1", "timeoutSeconds": "290"}) as stream:
                for event in events(stream):
                    if text(event, "type") in ("ADDED", "MODIFIED"):
                        _begin_all(followed, table(event, "object"))
            failures = 0
        except Failure as failure:
            failures += 1
            if failures == _TRIES or _forbidden(failure):
                followed.lines.put(failure)
                return
        followed.stopped.wait(followed.pause)


def _forbidden(failure: Failure) -> bool:
    """Whether trying again is of no use."""
    return isinstance(failure, ApiError) and failure.status in (401, 403)


def _begin_all(followed: _Followed, pod: Object) -> None:
    """Follow the containers of a pod that run; and those that have ended before anyone looked, for they have written too."""
    for status in statuses_of(pod):
        container = container_of(pod, text(status, "name"))
        ended = at(status, "state", "terminated") or at(status, "lastState", "terminated")
        if at(status, "state", "running") or (ended and container not in followed.seen):
            followed.begin(container, text(status, "containerID"))


def _copy(followed: _Followed, container: Container, run: str) -> None:
    """Copy lines until the stream ends: with its container, or because something on its way broke off, or never began."""
    try:
        _read(followed, container)
    except Failure as failure:
        if _forbidden(failure):
            followed.lines.put(failure)
            return
    followed.now.discard(container)  # before the pod is looked at, so that no event is missed
    _go_on(followed, container, run)


def _read(followed: _Followed, container: Container) -> None:
    """Copy lines from the beginning, or from those on that came after the last one that is known."""
    last = followed.last.get(container, "")
    query = container.query(followed.wanted)
    if last:
        query = {"container": container.name, "sinceTime": last, "timestamps": "true"}
    with followed.stream(container.path, query | {"follow": "true"}) as stream:
        for written in stream.lines():
            moment, line = stamped(container, written.decode(errors="replace"))
            if last and moment <= last:  # the server begins with the whole second
                continue
            last = ""
            if moment:
                followed.last[container] = moment
            followed.lines.put(line)


def _go_on(followed: _Followed, container: Container, run: str) -> None:
    """Begin again where the container of a stream that ended still runs, or has begun another run that no event will tell of."""
    selector = Selector(container.namespace, fields=f"metadata.name={container.pod}")
    while not followed.stopped.wait(followed.pause):
        try:
            pods = find(followed.client, selector)
        except Failure:
            continue  # the watch of the pods tells when the server is gone
        for pod in pods:
            for status in statuses_of(pod):
                another = text(status, "containerID") not in ("", run)
                if container_of(pod, text(status, "name")) == container and (another or at(status, "state", "running")):
                    followed.begin(container, text(status, "containerID"))
        return
