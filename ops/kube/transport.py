"""One request to the API server, and one answer: connections, credentials, and what a failure means. It is tried again elsewhere."""

import json
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final
from urllib.parse import urlencode

from ops.documents import Json
from ops.errors import Failure
from ops.kube.cluster import ClusterAccess
from ops.kube.credentials import Credentials, PluginFailed, Source
from ops.kube.errors import Unavailable, behind, failing, reason_of, status_of, unreachable
from ops.kube.kubeconfig import Context, identify, trust
from ops.kube.objects import at, text
from ops.network import connections, proxy_for, shown
from ops.retry import Transient, begun, retry_after

if TYPE_CHECKING:
    from urllib3 import BaseHTTPResponse, PoolManager
    from urllib3.exceptions import HTTPError

CONNECTIONS: Final = 32  # watches hold connections of their own
# Kinds that are questions: the API server keeps nothing of what is posted.
_QUESTIONS: Final = ("SelfSubjectAccessReview", "SelfSubjectReview", "SelfSubjectRulesReview", "SubjectAccessReview", "TokenReview")


@dataclass(frozen=True, slots=True)
class Call:
    """A request. `seconds` is the longest silence, `connect` how long it may take to be connected."""

    method: str
    path: str
    query: Mapping[str, str] = field(default_factory=dict)
    body: Json = None
    content_type: str = "application/json"
    accept: str = "application/json"
    seconds: float | None = 30.0
    connect: float = 3.0

    def __str__(self) -> str:
        return f"{self.method} {self.path}"

    @property
    def writes(self) -> bool:
        """Whether the cluster may be another one afterwards."""
        return self.method != "GET" and "dryRun" not in self.query and text(self.body, "kind") not in _QUESTIONS

    @property
    def repeatable(self) -> bool:
        """Whether sending it twice does what sending it once does, or the second time is refused because of the first."""
        return self.method != "POST" or not self.writes or bool(self.name)

    @property
    def name(self) -> str:
        """The name of the object that is posted."""
        return text(self.body, "metadata", "name")


@dataclass(slots=True)
class Transport:
    """Connections to one API server. Safe for threads."""

    cluster: ClusterAccess
    context: Context
    source: Source
    _pools: "dict[tuple[bytes, bytes] | None, PoolManager]" = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)
    proxy: str = ""

    def __post_init__(self) -> None:
        self.proxy = text(self.context.cluster.values, "proxy-url") or proxy_for(self.context.server)
        if self.proxy and not self.proxy.startswith(("http://", "https://")):
            cause = f"its proxy-url {shown(self.proxy)} is neither http nor https"
            raise Failure(f"reading context {self.context.name}", cause, "Name an HTTP proxy, or reach the cluster by a VPN.")
        if at(self.context.cluster.values, "insecure-skip-tls-verify") is True:
            # The kubeconfig says so; urllib3 would say it again with each request.
            from urllib3 import disable_warnings
            from urllib3.exceptions import InsecureRequestWarning

            disable_warnings(InsecureRequestWarning)

    def send(self, call: Call) -> "BaseHTTPResponse":
        """Send it once. Raises `ApiError` where the server refuses for good, `Transient` where it may answer otherwise later."""
        who = self._who(call, None)
        response = self._sent(call, who)
        if response.status == 401 and self.source.renewable:
            response.drain_conn()
            response = self._sent(call, self._who(call, who))
        if 200 <= response.status < 300:
            return response
        from urllib3.exceptions import HTTPError

        try:
            error = status_of(response, str(call), call.body)
        except (HTTPError, OSError) as broken:
            raise self._cut(broken) from broken
        finally:
            response.release_conn()
        if error.passes:
            asked = retry_after(response.headers.get("Retry-After"))
            raise Transient(failing(self.cluster, str(call), error), asked, perhaps=begun(error.status)) from error
        raise error

    def data(self, response: "BaseHTTPResponse") -> bytes:
        """The rest of an answer. Raises `Transient` when it breaks off."""
        from urllib3.exceptions import HTTPError

        try:
            return response.data
        except (HTTPError, OSError) as error:
            raise self._cut(error) from error

    def _who(self, call: Call, not_this: Credentials | None) -> Credentials:
        """Who we are now. A program that gave credentials before and does not now may do so in a moment."""
        again = self.source.given
        try:
            return self.source.get(call.seconds or 30.0, not_this=not_this)
        except PluginFailed as failed:
            if again:
                raise Transient(Unavailable(failed.doing, failed.cause, failed.remedy), perhaps=False) from failed
            raise

    def _sent(self, call: Call, who: Credentials) -> "BaseHTTPResponse":
        from urllib3 import HTTPHeaderDict, Timeout
        from urllib3.exceptions import HTTPError

        query = f"?{urlencode(call.query)}" if call.query else ""
        headers = HTTPHeaderDict({"Accept": call.accept, "User-Agent": self.cluster.agent})
        for name, value in self.source.headers(who):
            headers.add(name, value)
        body = None
        if call.body is not None:
            body = json.dumps(call.body, separators=(",", ":")).encode()
            headers["Content-Type"] = call.content_type
        try:
            return self._pool(who).request(
                call.method,
                f"{self.context.server.rstrip('/')}{call.path}{query}",
                body=body,
                headers=headers,
                timeout=Timeout(connect=call.connect, read=call.seconds),
                retries=False,
                redirect=False,
                preload_content=False,
            )
        except (HTTPError, OSError) as error:
            raise self._cut(error) from error

    def _pool(self, who: Credentials) -> "PoolManager":
        """The connections of these credentials: a client certificate belongs to the connection."""
        certificate = (who.certificate, who.key.reveal().encode()) if who.certificate and who.key else None
        with self._lock:
            if certificate not in self._pools:
                tls = trust(self.context)
                if certificate:
                    identify(tls, *certificate, f"reading context {self.context.name}")
                name = text(self.context.cluster.values, "tls-server-name") or None
                self._pools[certificate] = connections(tls, proxy=self.proxy, number=CONNECTIONS, name=name)
            return self._pools[certificate]

    def _cut(self, error: "HTTPError | OSError") -> Exception:
        """What a connection that failed means: `Transient` where it may pass, else the `Failure`."""
        from urllib3.exceptions import ConnectTimeoutError, NewConnectionError, ProxyError

        failure = behind(self.cluster, shown(self.proxy), reason_of(error)) if isinstance(error, ProxyError) else self._unreachable(error)
        sent = not isinstance(error, ProxyError | ConnectTimeoutError | NewConnectionError)
        return Transient(failure, perhaps=sent) if isinstance(failure, Unavailable) else failure

    def _unreachable(self, error: "HTTPError | OSError") -> Failure:
        import ssl

        from urllib3.exceptions import SSLError

        failure = unreachable(self.cluster, reason_of(error))
        inner = error.args[0] if isinstance(error, SSLError) and error.args else error
        if isinstance(inner, ssl.SSLError) and not isinstance(inner, ssl.SSLEOFError | ssl.SSLZeroReturnError | ssl.SSLSyscallError):
            return Failure(failure.doing, failure.cause, failure.remedy)  # no TLS, or none that we speak: that does not pass
        return failure
