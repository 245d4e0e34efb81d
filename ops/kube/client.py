"""The API server: JSON in, JSON out. What may pass is tried again here, and nowhere else (ops/retry.py says how).

A write whose answer was lost is sent again: a PATCH does the same twice; a POST, PUT or DELETE that is refused then, since it has been
carried out, is looked up and has succeeded.
"""

import json
import threading
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING, Any, Final, TypeVar
from urllib.parse import quote

from ops.documents import Json
from ops.errors import Failure
from ops.kube.answer import holds, register_secrets, warnings_of
from ops.kube.clock import clock, time_of
from ops.kube.cluster import ClusterAccess
from ops.kube.discovery import Resource, kinds
from ops.kube.errors import NO_API_SERVER, ApiError, Unavailable
from ops.kube.objects import Key, Object, group_of, rows, text
from ops.kube.stream import Lines, Stream
from ops.kube.transport import Call, Transport
from ops.retry import USUAL, Policy, Transient, persist
from ops.secret import hide

if TYPE_CHECKING:
    from urllib3 import BaseHTTPResponse, HTTPHeaderDict

__all__ = ["APPLY", "MERGE", "THREADS", "ApiError", "Client", "Unavailable"]

THREADS = 8
CONNECT_SECONDS = 3.0
REQUEST_SECONDS = 30.0
APPLY: Final = "application/apply-patch+yaml"
MERGE: Final = "application/merge-patch+json"
FIRST_SECONDS: Final = 5.0  # of silence, before a request is sent again; each later time twice as long
PING: Final = Policy(tries=4, seconds=2.5)  # whoever waits for a cluster that is not there waits for less than 5 s

T = TypeVar("T")
R = TypeVar("R")


@dataclass(slots=True)
class Client:
    """A connection to one cluster. Safe for threads."""

    cluster: ClusterAccess
    _transport: Transport
    _pool: ThreadPoolExecutor
    _resources: dict[tuple[str, str], Resource] = field(default_factory=dict)
    _discovery: threading.Lock = field(default_factory=threading.Lock)
    _server_time: tuple[datetime, float] = field(default_factory=lambda: (datetime.now(UTC), clock()))  # the server's time, and ours then
    _begun: "set[Future[Any]]" = field(default_factory=set)  # what is queued or runs in the pool
    _warnings: dict[tuple[str, str], None] = field(default_factory=dict)  # (path of the request, text), in the order in which they came
    guard: Callable[[], None] = lambda: None  # asked before each try of a write, and may raise

    def request(
        self,
        method: str,
        path: str,
        query: Mapping[str, str] | None = None,
        body: Json = None,
        *,
        content_type: str = "application/json",
        accept: str = "application/json",
        seconds: float = REQUEST_SECONDS,
        policy: Policy | None = None,
    ) -> Object:
        """Send one request and return its JSON. What may pass is tried again; the body of a POST has a name, so that it can be looked up.

        Raises `ApiError` when the server refuses, `Unavailable` when it does not answer, however often it was asked.
        """
        call = Call(method, path, query or {}, body, content_type, accept, seconds, CONNECT_SECONDS)
        if text(body, "kind") == "Secret":
            register_secrets([body])
        try:
            answer = self._json(str(call), self._persist(call, self._transport.data, policy))
        except ApiError as error:
            done = self._done(call, error) if error.repeated else None
            if done is None:
                raise
            answer = done
        if "/secrets" in path and not accept.endswith("g=meta.k8s.io;v=v1"):
            register_secrets(rows(answer, "items") or [answer])
        return answer

    def read_text(self, path: str, query: Mapping[str, str] | None = None) -> str:
        """An answer that is text, such as a log."""
        return self._persist(Call("GET", path, query or {}, accept="*/*", connect=CONNECT_SECONDS), self._transport.data).decode(
            errors="replace"
        )

    def stream(self, path: str, query: Mapping[str, str] | None = None, *, seconds: float | None = None) -> Stream:
        """An answer that is read line by line while it comes. `seconds`: the longest silence."""

        def begun(response: "BaseHTTPResponse") -> Stream:
            sock = getattr(response.connection, "sock", None)
            if sock is not None:
                sock.settimeout(seconds)
            return Lines(response)

        return self._persist(Call("GET", path, query or {}, accept="*/*", connect=CONNECT_SECONDS), begun)

    def _persist(self, call: Call, read: "Callable[[BaseHTTPResponse], R]", policy: Policy | None = None) -> R:
        """Send it until it is answered, and read the answer."""
        perhaps = False  # whether it may have been done already, and its answer was lost

        def once(tried: int) -> R:
            nonlocal perhaps
            if call.writes:
                self.guard()  # before each try: what held before the first may hold no more
            try:
                return read(self._sent(_longer(call, tried)))
            except ApiError as error:
                error.repeated = perhaps
                raise
            except Transient as passing:
                perhaps = perhaps or (passing.perhaps and call.writes)
                if perhaps and not call.repeatable:
                    raise passing.failure from passing
                raise

        return persist(once, policy or USUAL)

    def _done(self, call: Call, error: ApiError) -> Object | None:
        """What there is, where the server refuses since an earlier try, whose answer was lost, has been carried out."""
        if call.method == "DELETE" and error.status == 404:
            return {}
        if call.method not in ("POST", "PUT") or error.status != 409:
            return None
        found = self.request("GET", f"{call.path}/{quote(call.name)}" if call.method == "POST" else call.path)
        return found if holds(found, call.body) else None

    def _sent(self, call: Call) -> "BaseHTTPResponse":
        response = self._transport.send(call)
        self._warned(call.path, response.headers)
        return response

    def _warned(self, path: str, headers: "HTTPHeaderDict | None") -> None:
        for warning in warnings_of(headers.getlist("Warning") if headers else ()):
            self._warnings[path, hide(warning)] = None

    @property
    def warnings(self) -> list[str]:
        """What the API server has warned of since this was last asked for (Pod Security, deprecations): each once, in its order."""
        found = list(self._warnings)
        for warning in found:
            self._warnings.pop(warning, None)
        return list(dict.fromkeys(words for _, words in found))

    def warnings_at(self, path: str) -> tuple[str, ...]:
        """What the API server has warned of since then about requests to this path."""
        return tuple(words for there, words in tuple(self._warnings) if there == path)

    def _json(self, doing: str, raw: bytes) -> Object:
        try:
            answer: Json = json.loads(raw or b"{}")
        except ValueError as error:
            raise Failure(doing, f"{self.cluster.server} answers with something that is no JSON", NO_API_SERVER) from error
        return answer if isinstance(answer, dict) else {}

    def ping(self) -> None:
        """Make sure that a Kubernetes API server answers at once, and set our clock by it. Raises `Failure` for anything else."""
        doing = f"connecting to context {self.cluster.context}"
        call = Call("GET", "/version", seconds=2.0, connect=2.5)
        try:
            raw, dates = self._persist(call, lambda r: (self._transport.data(r), r.headers.getlist("Date")), PING)
        except ApiError as error:
            remedy = "Renew your credentials for this cluster." if error.status in (401, 403) else NO_API_SERVER
            raise Failure(doing, f"{self.cluster.server} refused: {error.message}", remedy) from error
        if not text(self._json(doing, raw), "gitVersion"):  # a proxy's page, another program
            raise Failure(doing, f"{self.cluster.server} answers, and not as a Kubernetes API server", NO_API_SERVER)
        self._server_time = time_of(dates[0] if dates else None), clock()

    def each(self, work: Callable[[T], R], things: Iterable[T]) -> list[R]:
        """Do the same for each thing, eight at once; results in order. The first error is raised when all have ended."""
        running = [self.start(partial(work, thing)) for thing in things]
        wait(running)
        return [future.result() for future in running]

    def start(self, work: Callable[[], R]) -> "Future[R]":
        """Begin something in the pool. It must not itself wait for the pool."""
        future = self._pool.submit(work)
        self._begun.add(future)
        future.add_done_callback(self._begun.discard)
        return future

    def drain(self, seconds: float) -> bool:
        """Let nothing begin any more of what was given to the pool, and wait so many seconds for what runs: whether it has ended."""
        return not wait([future for future in tuple(self._begun) if not future.cancel()], timeout=seconds).not_done

    def resource(self, api_version: str, kind: str) -> Resource | None:
        """How a kind is addressed, or None when this cluster does not know it."""
        with self._discovery:
            if not self._resources:
                # Not through the pool: a task of the pool may be the one that asks.
                self._resources = kinds(lambda path, form: self.request("GET", path, accept=form))
        return self._resources.get((api_version, kind))

    def resource_of(self, manifest: Object) -> Resource:
        """How the object's kind is addressed. Raises `Failure` when this cluster does not know it."""
        version, kind = text(manifest, "apiVersion"), text(manifest, "kind")
        found = self.resource(version, kind)
        if found is None:
            raise Failure(f"addressing {kind}", f"context {self.cluster.context} does not know {version} {kind}", "Install its definition.")
        return found

    def by_key(self, key: Key) -> Resource | None:
        """How the kind of a key is addressed, in the version that the cluster prefers."""
        self.resource("v1", "Pod")
        return next((r for (version, kind), r in self._resources.items() if kind == key.kind and group_of(version) == key.group), None)

    def forget_kinds(self) -> None:
        """Ask again which kinds there are: a definition was added."""
        self._resources.clear()

    def get(self, resource: Resource, namespace: str, name: str) -> Object | None:
        """An object, or None when there is none."""
        try:
            return self.request("GET", resource.path(namespace, name))
        except ApiError as error:
            if error.status == 404:
                return None
            raise

    def find(self, resource: Resource, namespace: str = "", *, labels: str = "", fields: str = "") -> list[Object]:
        """The objects of a kind. A namespace that does not exist has none."""
        query = {k: v for k, v in (("labelSelector", labels), ("fieldSelector", fields)) if v}
        answer = self.request("GET", resource.path(namespace), query)
        for item in rows(answer, "items"):
            item["apiVersion"], item["kind"] = resource.api_version, resource.kind
        return rows(answer, "items")

    def now(self) -> datetime:
        """The time by the cluster's clock, so that two machines with different clocks agree on what has lapsed, and nobody who sets
        this machine's clock meanwhile changes that."""
        server, then = self._server_time
        return server + timedelta(seconds=clock() - then)


def _longer(call: Call, tried: int) -> Call:
    """The same request, with more time for its answer: a server that is slow must not be asked for ever."""
    most = FIRST_SECONDS * 2**tried
    return replace(call, seconds=most if call.seconds is None else min(call.seconds, most))
