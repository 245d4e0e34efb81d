"""Waiting for a rollout: streams of changes into the readiness functions. Nothing is polled."""

import queue
import threading
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from ops.cluster.client import ApiError, Client, Resource, Stream, Unavailable, events
from ops.cluster.objects import SCALED, Key, Object, key_of, rows, table, text
from ops.cluster.readiness import Done, Failed, LogOf, Scene, State, Stuck, Waiting, judge
from ops.errors import Failure

_TICK_SECONDS = 1.0  # some causes become definite by time alone
_STREAM_SECONDS = 290  # the API server ends a watch after this; then a new one begins
_AROUND = (("v1", "Pod"), ("v1", "Event"), ("v1", "PersistentVolumeClaim"), ("apps/v1", "ReplicaSet"))
_LOG_LINES = 12


@dataclass(frozen=True, slots=True)
class Notice:
    """Something a person may want to see while it happens."""

    key: Key
    state: str  # applied, waiting, ready, failed, deleted, replaced
    text: str = ""


Tell = Callable[[Notice], None]


@dataclass(slots=True)
class _Mirror:
    """What a kind in a namespace looks like now, kept true by a list and a watch in a thread of its own."""

    client: Client
    resource: Resource
    namespace: str
    changed: "queue.SimpleQueue[_Mirror]"
    objects: dict[str, Object] = field(default_factory=dict)
    listed: threading.Event = field(default_factory=threading.Event)
    error: Failure | None = None
    _stopped: threading.Event = field(default_factory=threading.Event)
    _stream: Stream | None = None

    def start(self) -> None:
        threading.Thread(target=self._follow, name=f"watch-{self.resource.plural}", daemon=True).start()

    def stop(self) -> None:
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


def wait(
    client: Client,
    keys: Sequence[Key],
    *,
    seconds: float,
    tell: Tell,
    check: Callable[[], None] = lambda: None,
    since: datetime | None = None,
) -> None:
    """Wait until all objects are ready. `check` is called often and may raise, to give up.

    Raises `Failure` with the cause as soon as one of them is known not to become ready, or after `seconds`.
    """
    awaited = [key for key in keys if _judged(key)]
    if not awaited:
        return
    changed: queue.SimpleQueue[_Mirror] = queue.SimpleQueue()
    mirrors = _mirrors(client, awaited, changed)
    for mirror in mirrors:
        mirror.start()
    try:
        _until_ready(client, awaited, mirrors, changed, _Limits(client.now(), since or client.now(), seconds, tell, check))
    finally:
        for mirror in mirrors:
            mirror.stop()


@dataclass(frozen=True, slots=True)
class _Limits:
    start: datetime
    since: datetime
    seconds: float
    tell: Tell
    check: Callable[[], None]


def _judged(key: Key) -> bool:
    from ops.cluster.readiness import JUDGES

    return key.kind in JUDGES


def _mirrors(client: Client, awaited: Iterable[Key], changed: "queue.SimpleQueue[_Mirror]") -> list[_Mirror]:
    awaited = list(awaited)
    wanted = {(resource, key.namespace) for key in awaited if (resource := client.by_key(key))}
    around = [(kind, key.namespace) for key in awaited if key.namespace for kind in _AROUND]
    around += [(("apps/v1", kind), key.namespace) for key in awaited if key.kind == "HorizontalPodAutoscaler" for kind in SCALED]
    wanted |= {(resource, namespace) for (version, kind), namespace in around if (resource := client.resource(version, kind))}
    return [_Mirror(client, resource, namespace, changed) for resource, namespace in sorted(wanted, key=lambda w: (w[0].plural, w[1]))]


def _until_ready(
    client: Client, awaited: Sequence[Key], mirrors: Sequence[_Mirror], changed: "queue.SimpleQueue[_Mirror]", limits: _Limits
) -> None:
    told: dict[Key, str] = {}
    freed: set[str] = set()
    while True:
        _drain(changed)
        limits.check()
        states = _judge_all(client, awaited, mirrors, limits.since)
        for key, state in states.items():
            _report(key, state, told, limits.tell)
            if isinstance(state, Stuck) and state.uid not in freed:
                freed.add(state.uid)
                _free(client, key, state, limits.tell)
        failed = {key: state for key, state in states.items() if isinstance(state, Failed)}
        if failed:
            raise _failure(client, failed)
        if states and all(isinstance(state, Done) for state in states.values()):
            return
        if (client.now() - limits.start).total_seconds() > limits.seconds:
            waits = [f"{key}: waiting for {s.reason}" for key, s in states.items() if isinstance(s, Waiting | Stuck)]
            raise Failure("waiting for the rollout", f"not ready within {limits.seconds:g} s\n" + "\n".join(waits), "Read `invoke logs`.")


def _drain(changed: "queue.SimpleQueue[_Mirror]") -> None:
    """Wait for a change (or a tick), and take all that have come with it."""
    try:
        mirror = changed.get(timeout=_TICK_SECONDS)
        while True:
            if mirror.error is not None:
                kind = Unavailable if isinstance(mirror.error, Unavailable) else Failure
                raise kind("watching the rollout", str(mirror.error), "Check the cluster, then run `invoke status`.")
            mirror = changed.get_nowait()
    except queue.Empty:
        return


def _judge_all(client: Client, awaited: Sequence[Key], mirrors: Sequence[_Mirror], since: datetime) -> dict[Key, State]:
    if not all(mirror.listed.is_set() for mirror in mirrors):
        return {}
    scenes = {namespace: _scene(client, mirrors, namespace, since) for namespace in {key.namespace for key in awaited}}
    live = {key_of(o): o for mirror in mirrors for o in mirror.objects.values()}
    return {key: judge(live[key], scenes[key.namespace]) if key in live else Waiting("it to appear") for key in awaited}


def _scene(client: Client, mirrors: Sequence[_Mirror], namespace: str, since: datetime) -> Scene:
    def of(kind: str) -> list[Object]:
        return [o for m in mirrors if m.resource.kind == kind and m.namespace == namespace for o in m.objects.values()]

    workloads = [o for kind in SCALED for o in of(kind)]
    return Scene(client.now(), since, of("Pod"), of("ReplicaSet"), of("PersistentVolumeClaim"), of("Event"), workloads)


def _report(key: Key, state: State, told: dict[Key, str], tell: Tell) -> None:
    match state:
        case Done():
            kind, words = "ready", ""
        case Waiting(reason) | Stuck(reason=reason):
            kind, words = "waiting", reason
        case Failed(cause):
            kind, words = "failed", cause
    if told.get(key) != kind + words:
        told[key] = kind + words
        tell(Notice(key, kind, words))


def _free(client: Client, key: Key, stuck: Stuck, tell: Tell) -> None:
    """Delete a broken pod that its StatefulSet waits for."""
    client.delete_path(f"/api/v1/namespaces/{stuck.namespace}/pods/{stuck.pod}", uid=stuck.uid)
    tell(Notice(key, "replaced", f"deleted pod {stuck.pod} of the former revision, which was broken: {stuck.reason}"))


def _failure(client: Client, failed: dict[Key, Failed]) -> Failure:
    causes = []
    for key, state in failed.items():
        lines = last_lines(client, state.log) if state.log else []
        causes.append("\n".join([f"{key}: {state.cause}", *(f"    {line}" for line in lines)]))
    return Failure("waiting for the rollout", "\n".join(causes), "Correct the cause, and deploy again.")


def last_lines(client: Client, log: LogOf) -> list[str]:
    """The last lines that a container wrote; none when the log is gone."""
    path = f"/api/v1/namespaces/{log.namespace}/pods/{log.pod}/log"
    query = {"container": log.container, "tailLines": str(_LOG_LINES)} | ({"previous": "true"} if log.previous else {})
    try:
        return client.read_text(path, query).splitlines()[-_LOG_LINES:]
    except Failure:
        return []
