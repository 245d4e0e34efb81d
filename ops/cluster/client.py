"""The API server: JSON in, JSON out, through the `kubernetes` client's own connection, credentials and pool.

Its model classes are passed by: building them costs more than the request, and a server-side apply must send exactly
the fields that the manifest has.
"""

import json
import re
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from functools import partial
from typing import TYPE_CHECKING, Any, Final, Protocol, TypeVar
from urllib.parse import quote

from ops.cluster.objects import Json, Key, Object, group_of, rows, text
from ops.cluster.target import Target
from ops.errors import Failure

if TYPE_CHECKING:
    from kubernetes.client import ApiClient
    from urllib3 import BaseHTTPResponse, HTTPHeaderDict

THREADS = 8
CONNECT_SECONDS = 3.0
REQUEST_SECONDS = 30.0
APPLY: Final = "application/apply-patch+yaml"
MERGE: Final = "application/merge-patch+json"
NO_API_SERVER: Final = "Check that a Kubernetes API server answers at this address."
# Aggregated discovery (GA in Kubernetes 1.30): all kinds of a cluster in two answers.
DISCOVERY: Final = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList"

T = TypeVar("T")
R = TypeVar("R")


class ApiError(Failure):
    """The API server said no. `status` is the HTTP code, `body` its Status object."""

    def __init__(self, status: int, body: Object, what: str) -> None:
        self.status = status
        self.body = body
        self.message = text(body, "message") or f"HTTP {status}"
        remedy = "Check your rights in the cluster, and what the server says."
        if "system:anonymous" in self.message:
            remedy = "Your kubeconfig gives no credentials for this context: log in to the cluster, or name a user in the context."
        super().__init__(what, f"the API server refused: {self.message}", remedy)

    @property
    def reason(self) -> str:
        """The machine-readable reason, such as `AlreadyExists`."""
        return text(self.body, "reason")

    @property
    def causes(self) -> list[Object]:
        """What each cause says: `reason`, `message`, `field`."""
        return rows(self.body, "details", "causes")


@dataclass(frozen=True, slots=True)
class Resource:
    """How a kind is addressed."""

    api_version: str
    plural: str
    namespaced: bool
    kind: str

    def path(self, namespace: str = "", name: str = "", subresource: str = "") -> str:
        """The resource's path in the API."""
        parts = ["/apis" if "/" in self.api_version else "/api", self.api_version]
        if self.namespaced and namespace:
            parts += ["namespaces", quote(namespace)]
        parts.append(self.plural)
        parts += [quote(p, safe=":") for p in (name, subresource) if p]
        return "/".join(parts)


class Stream(Protocol):
    """An answer that does not end: lines, until it is closed."""

    def lines(self) -> Iterator[bytes]:
        """Each line of the answer. Where it breaks off the lines end, without the half one."""

    def close(self) -> None:
        """End it from any thread."""


@dataclass(slots=True)
class _Lines:
    response: "BaseHTTPResponse"
    closed: bool = False

    def lines(self) -> Iterator[bytes]:
        rest = b""
        try:
            for chunk in self.response.stream(64 * 1024, decode_content=False):
                *whole, rest = (rest + chunk).split(b"\n")
                yield from whole
        except Exception as error:
            from urllib3.exceptions import HTTPError

            # A stream that was shut under the reader's feet ends in whatever the reader was doing.
            if not self.closed and not isinstance(error, HTTPError | OSError):
                raise
            rest = b""  # half a line, which would be taken for a whole one
        finally:
            self.response.close()
        if rest:
            yield rest

    def close(self) -> None:
        # Wakes the thread that is blocked in a read, which then closes the connection; close() here would wait for it.
        self.closed = True
        with suppress(OSError, ValueError, RuntimeError):
            self.response.shutdown()


def events(stream: Stream) -> Iterator[Object]:
    """The events of a watch. Raises `Failure` for one that is no JSON."""
    for line in stream.lines():
        try:
            event: Json = json.loads(line) if line else {}
        except ValueError as error:
            raise Failure("watching the cluster", "its API server sent an event that is no JSON", NO_API_SERVER) from error
        yield event if isinstance(event, dict) else {}


@dataclass(slots=True)
class Client:
    """A connection to one cluster. Safe for threads."""

    target: Target
    _api: "ApiClient"
    _pool: ThreadPoolExecutor
    _resources: dict[tuple[str, str], Resource] = field(default_factory=dict)
    _discovery: threading.Lock = field(default_factory=threading.Lock)
    _met: tuple[datetime, float] = field(default_factory=lambda: (datetime.now(UTC), clock()))  # the server's time, and ours then
    _begun: "set[Future[Any]]" = field(default_factory=set)  # what is queued or runs in the pool
    _warnings: dict[str, None] = field(default_factory=dict)  # in the order in which they came

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
    ) -> Object:
        """Send one request and return its JSON. Raises `ApiError` when the server refuses, `Failure` when it does not answer."""
        response = self._send(
            method,
            path,
            query=query,
            body=body,
            headers={"Content-Type": content_type, "Accept": accept},
            timeout=(CONNECT_SECONDS, seconds),
        )
        return self._json(f"{method} {path}", self._whole(response))

    def read_text(self, path: str, query: Mapping[str, str] | None = None) -> str:
        """An answer that is text, such as a log."""
        response = self._send("GET", path, query=query, headers={"Accept": "*/*"}, timeout=(CONNECT_SECONDS, REQUEST_SECONDS))
        return self._whole(response).decode(errors="replace")

    def stream(self, path: str, query: Mapping[str, str] | None = None, *, seconds: float | None = None) -> Stream:
        """An answer that is read line by line while it comes. `seconds`: the longest silence."""
        return _Lines(self._send("GET", path, query=query, headers={"Accept": "*/*"}, timeout=(CONNECT_SECONDS, seconds)))

    def _send(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, str] | None = None,
        body: Json = None,
        headers: dict[str, str],
        timeout: tuple[float, float | None],
    ) -> "BaseHTTPResponse":
        from kubernetes.client.exceptions import ApiException
        from urllib3.exceptions import HTTPError

        try:
            # OpenAPI's generator gives call_api no types.
            response: BaseHTTPResponse = self._api.call_api(
                path,
                method,
                query_params=list((query or {}).items()),
                header_params=headers,
                body=body,
                auth_settings=["BearerToken"],
                _preload_content=False,
                _request_timeout=timeout,
            )
        except ApiException as error:
            self._warned(error.headers)
            if error.status:
                raise ApiError(error.status, _status(error.body), f"{method} {path}") from error
            raise unreachable(self.target, str(error.reason)) from error
        except AttributeError as error:
            # The client decodes an error's body without looking whether there is one: a failed TLS handshake has none.
            if not isinstance(error.__context__, ApiException):
                raise
            raise unreachable(self.target, str(error.__context__.reason).strip().rpartition("\n")[2]) from error
        except (HTTPError, OSError) as error:
            raise unreachable(self.target, _plain(error)) from error
        self._warned(response.headers)
        return response

    def _warned(self, headers: "HTTPHeaderDict | None") -> None:
        for warning in warnings_of(headers.getlist("Warning") if headers else ()):
            self._warnings[warning] = None

    @property
    def warnings(self) -> list[str]:
        """What the API server has warned of since this was last asked for (Pod Security, deprecations): each once, in its order."""
        found = list(self._warnings)
        for warning in found:
            self._warnings.pop(warning, None)
        return found

    def _whole(self, response: "BaseHTTPResponse") -> bytes:
        """The rest of an answer. Raises `Failure` when it breaks off."""
        from urllib3.exceptions import HTTPError

        try:
            return response.data
        except (HTTPError, OSError) as error:
            raise unreachable(self.target, _plain(error)) from error

    def _json(self, doing: str, raw: bytes) -> Object:
        try:
            answer: Json = json.loads(raw or b"{}")
        except ValueError as error:
            raise Failure(doing, f"{self.target.server} answers with something that is no JSON", NO_API_SERVER) from error
        return answer if isinstance(answer, dict) else {}

    def greet(self) -> None:
        """Make sure that a Kubernetes API server answers at once, and set our clock by it. Raises `Failure` for anything else."""
        doing = f"connecting to context {self.target.context}"
        try:
            answer = self._send("GET", "/version", headers={"Accept": "application/json"}, timeout=(2.5, 2.0))
        except ApiError as error:
            remedy = "Renew your credentials for this cluster." if error.status in (401, 403) else NO_API_SERVER
            raise Failure(doing, f"{self.target.server} refused: {error.message}", remedy) from error
        if not text(self._json(doing, self._whole(answer)), "gitVersion"):  # a proxy's page, another program
            raise Failure(doing, f"{self.target.server} answers, and not as a Kubernetes API server", NO_API_SERVER)
        self._met = _time_of(answer.headers.get("Date")), clock()

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

    def settle(self, seconds: float) -> bool:
        """Let nothing begin any more of what was given to the pool, and wait so many seconds for what runs: whether it has ended."""
        return not wait([future for future in tuple(self._begun) if not future.cancel()], timeout=seconds).not_done

    def resource(self, api_version: str, kind: str) -> Resource | None:
        """How a kind is addressed, or None when this cluster does not know it."""
        with self._discovery:
            if not self._resources:
                self._discover()
        return self._resources.get((api_version, kind))

    def resource_of(self, manifest: Object) -> Resource:
        """How the object's kind is addressed. Raises `Failure` when this cluster does not know it."""
        version, kind = text(manifest, "apiVersion"), text(manifest, "kind")
        found = self.resource(version, kind)
        if found is None:
            raise Failure(f"addressing {kind}", f"context {self.target.context} does not know {version} {kind}", "Install its definition.")
        return found

    def by_key(self, key: Key) -> Resource | None:
        """How the kind of a key is addressed, in the version that the cluster prefers."""
        self.resource("v1", "Pod")
        return next((r for (version, kind), r in self._resources.items() if kind == key.kind and group_of(version) == key.group), None)

    def forget_kinds(self) -> None:
        """Ask again which kinds there are: a definition was added."""
        self._resources.clear()

    def _discover(self) -> None:
        def ask(path: str) -> Object:
            return self.request("GET", path, accept=DISCOVERY + ",application/json")

        found: dict[tuple[str, str], Resource] = {}
        # Not through the pool: a task of the pool may be the one that asks.
        for group in [g for path in ("/api", "/apis") for g in rows(ask(path), "items")]:
            name = text(group, "metadata", "name")
            for version in rows(group, "versions"):
                api_version = f"{name}/{text(version, 'version')}" if name else text(version, "version")
                for row in rows(version, "resources"):
                    kind = text(row, "responseKind", "kind")
                    namespaced = text(row, "scope") == "Namespaced"
                    found[api_version, kind] = Resource(api_version, text(row, "resource"), namespaced, kind)
        self._resources = found

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

    def delete(self, resource: Resource, namespace: str, name: str, *, uid: str = "") -> bool:
        """Delete an object and, after it, what it owns (with `uid`: only that very object); False when it was gone already."""
        return self.delete_path(resource.path(namespace, name), uid=uid)

    def delete_path(self, path: str, *, uid: str = "") -> bool:
        """Delete what lies at a path; False when it was gone already."""
        body: Object = {"kind": "DeleteOptions", "apiVersion": "v1", "propagationPolicy": "Background"}
        if uid:
            body["preconditions"] = {"uid": uid}
        try:
            self.request("DELETE", path, body=body)
        except ApiError as error:
            if error.status == 404:
                return False
            raise
        return True

    def now(self) -> datetime:
        """The time by the cluster's clock, so that two machines with different clocks agree on what has lapsed, and nobody who sets
        this machine's clock meanwhile changes that."""
        met, then = self._met
        return met + timedelta(seconds=clock() - then)


def clock() -> float:
    """Seconds by a clock that nobody sets, and that counts the time in which the machine sleeps, where there is one."""
    which = getattr(time, "CLOCK_BOOTTIME", getattr(time, "CLOCK_MONOTONIC", None))  # macOS's monotonic clock counts sleep by itself
    return time.monotonic() if which is None else time.clock_gettime(which)


def _time_of(date: str | None) -> datetime:
    """The time that a server's answer says; this machine's where that is the same, as the header has whole seconds only."""
    here = datetime.now(UTC)
    there = parsedate_to_datetime(date) if date else here
    return there if abs(there - here) > timedelta(seconds=2) else here


def unreachable(target: Target, cause: str) -> Failure:
    """The error of a cluster that does not answer, or not in a way that can be trusted."""
    if re.search(r"CERTIFICATE|X509|PEM lib", cause):
        remedy = "Check the certificate authority and the client certificate of this context in your kubeconfig."
        return Failure(f"connecting to context {target.context}", f"{target.server}: not trusted: {cause}", remedy)
    return Failure(
        f"connecting to context {target.context}",
        f"{target.server} does not answer: {cause}",
        "Check the cluster, your network and VPN; `invoke doctor` shows more.",
    )


def warnings_of(headers: Iterable[str]) -> list[str]:
    """The texts of `Warning:` headers, whose form is `299 - "text"`, several to a header or one (RFC 7234, section 5.5)."""
    quoted = [found for header in headers for found in re.findall(r'\d{3} \S+ "((?:[^"\\]|\\.)*)"', header)]
    return [re.sub(r"\\(.)", r"\1", text) for text in quoted]


def _status(body: str | bytes | None) -> Object:
    try:
        status: Json = json.loads(body or "{}")
    except ValueError:
        return {"message": body.decode(errors="replace") if isinstance(body, bytes) else body}
    return status if isinstance(status, dict) else {}


def _plain(error: BaseException) -> str:
    """The words of urllib3's nested errors, without the name of the object that speaks them."""
    words = str(getattr(error, "reason", None) or error)
    return re.sub(r"^(<\S+ object at 0x[0-9a-f]+>|\w+\(host=.*?, port=\d+\)): ", "", words)
