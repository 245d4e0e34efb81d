"""What the objects of a kind look like now: a list, and a stream of its changes. Nothing is polled."""

import queue
import threading
from dataclasses import dataclass, field

from ops.errors import Failure
from ops.kube.client import ApiError, Client
from ops.kube.discovery import Resource
from ops.kube.objects import Object, rows, table, text
from ops.kube.stream import Stream, events

_STREAM_SECONDS = 290  # the API server ends a watch after this; then a new one begins


@dataclass(slots=True)
class Mirror:
    """What a kind in a namespace looks like now, kept true by a list and a watch in a thread of its own. `changed` gets each change."""

    client: Client
    resource: Resource
    namespace: str
    changed: "queue.SimpleQueue[Mirror]"
    objects: dict[str, Object] = field(default_factory=dict)
    listed: threading.Event = field(default_factory=threading.Event)
    error: Failure | None = None
    _stopped: threading.Event = field(default_factory=threading.Event)
    _stream: Stream | None = None

    def start(self) -> None:
        """Begin to follow."""
        threading.Thread(target=self._follow, name=f"watch-{self.resource.plural}", daemon=True).start()

    def stop(self) -> None:
        """Follow no more."""
        self._stopped.set()
        if self._stream is not None:
            self._stream.close()

    def _follow(self) -> None:
        version, failures = "", 0
        while not self._stopped.is_set():
            try:
                version = version or self._list()
                version = self._watch(version)
                failures = 0
            except Failure as error:
                expired = isinstance(error, ApiError) and error.status == 410
                version = ""
                failures += 0 if expired else 1
                if failures > 5:
                    self.error = error
                    self.changed.put(self)
                    return
                self._stopped.wait(0 if expired else min(2**failures, 10) / 4)

    def _list(self) -> str:
        answer = self.client.request("GET", self.resource.path(self.namespace))
        for item in rows(answer, "items"):
            item["apiVersion"], item["kind"] = self.resource.api_version, self.resource.kind
        self.objects = {text(item, "metadata", "uid"): item for item in rows(answer, "items")}
        self.listed.set()
        self.changed.put(self)
        return text(answer, "metadata", "resourceVersion")

    def _watch(self, version: str) -> str:
        """Follow the changes until the stream ends; returns where to go on, or nothing to list again."""
        query = {"watch": "1", "resourceVersion": version, "allowWatchBookmarks": "true", "timeoutSeconds": str(_STREAM_SECONDS)}
        self._stream = self.client.stream(self.resource.path(self.namespace), query, seconds=_STREAM_SECONDS + 30)
        if self._stopped.is_set():
            self._stream.close()
        for event in events(self._stream):
            if self._stopped.is_set():
                return version
            found = table(event, "object")
            if text(event, "type") == "ERROR":
                raise ApiError(_code(found), found, f"watching {self.resource.plural}")
            version = text(found, "metadata", "resourceVersion") or version
            self._take(text(event, "type"), found)
        return version

    def _take(self, kind: str, found: Object) -> None:
        uid = text(found, "metadata", "uid")
        if kind == "DELETED":
            self.objects = {k: v for k, v in self.objects.items() if k != uid}
        elif kind in ("ADDED", "MODIFIED"):
            self.objects = {**self.objects, uid: found}
        else:
            return
        self.changed.put(self)


def _code(status: Object) -> int:
    code = status.get("code")
    return code if isinstance(code, int) else 500
