"""Asking an image registry one thing: the digest that a tag stands for (OCI distribution spec 1.1, "Checking if content exists").

What may pass is tried again (ops/retry.py). Registries differ: some redirect, some know no HEAD or give no digest with it, some want a
token of another server, and some name several ways to log in.
"""

import hashlib
import json
import re
import threading
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Final
from urllib.parse import urlencode, urljoin, urlsplit

from ops.errors import Failure
from ops.images.login import HELPER_SECONDS, Login, Logins
from ops.network import connections, is_loopback, proxy_for, shown, system_trust
from ops.retry import Policy, Transient, passes, persist, retry_after
from ops.secret import Secret, hide, register

if TYPE_CHECKING:
    from urllib3 import HTTPHeaderDict, PoolManager

__all__ = ["ImageReference", "digests", "is_loopback", "reference"]

SECONDS = 5.0  # of silence; the first time half of it
POLICY: Final = Policy(tries=6, first=0.3, seconds=12.0)
_MOST: Final = 4 * 1024 * 1024  # bytes of a manifest: the specification asks registries to take as many
_REDIRECTS: Final = 5
_DIGEST: Final = re.compile(r"sha256:[0-9a-f]{64}")
_MEDIA: Final = ", ".join(
    (
        "application/vnd.oci.image.index.v1+json",
        "application/vnd.oci.image.manifest.v1+json",
        "application/vnd.docker.distribution.manifest.list.v2+json",
        "application/vnd.docker.distribution.manifest.v2+json",
    )
)


@dataclass(frozen=True, slots=True)
class ImageReference:
    """An image's name in parts: where it is, what it is called there, and a tag or a digest."""

    registry: str
    repository: str
    tag: str

    def __str__(self) -> str:
        return f"{self.registry}/{self.repository}{'@' if ':' in self.tag else ':'}{self.tag}"


def reference(text: str) -> ImageReference:
    """Read an image's name as Docker does: `node:24` is docker.io/library/node:24 (distribution/reference, normalize.go)."""
    name, _, digest = text.partition("@")
    head, slash, rest = name.partition("/")
    if not slash or not ("." in head or ":" in head or head == "localhost"):
        head, rest = "docker.io", name
    if head == "index.docker.io":
        head = "docker.io"
    if head == "docker.io" and "/" not in rest:
        rest = f"library/{rest}"
    repository, _, tag = rest.partition(":")
    return ImageReference(head, repository, digest or tag or "latest")


def digests(wanted: Iterable[ImageReference], docker_config: Path | None) -> "dict[ImageReference, str | Failure | None]":
    """Ask for all at once: the digest, None where the registry has no such tag, or a `Failure` where it did not say."""
    asked = list(dict.fromkeys(wanted))
    limit = POLICY.seconds + SECONDS + HELPER_SECONDS
    answers: dict[ImageReference, str | Failure | None] = {ref: _failure(ref, f"no answer within {limit:g} s") for ref in asked}
    asking = _Asking(Logins(docker_config))

    def ask(ref: ImageReference) -> None:
        try:
            answers[ref] = persist(lambda tried: asking.digest(ref, tried), POLICY)
        except Failure as failure:
            answers[ref] = failure

    # Daemon threads: a resolver that hangs must not keep the process from ending, as a thread pool would.
    threads = [threading.Thread(target=ask, args=(ref,), daemon=True) for ref in asked]
    for thread in threads:
        thread.start()
    deadline = time.monotonic() + limit
    for thread in threads:
        thread.join(max(0.0, deadline - time.monotonic()))
    return dict(answers)


@dataclass(frozen=True, slots=True)
class _Answer:
    status: int
    reason: str
    headers: "HTTPHeaderDict"
    body: bytes


@dataclass(slots=True)
class _Asking:
    """Connections and logins, for as long as there is something to ask."""

    logins: Logins
    _pools: "dict[str, PoolManager]" = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def digest(self, ref: ImageReference, tried: int) -> str | None:
        """What a tag stands for. Raises `Transient` for what may be otherwise later, `Failure` for what may not."""
        response = self._manifest(ref, "HEAD", tried)
        digest = response.headers.get("Docker-Content-Digest", "")
        if response.status == 404:
            return None
        if response.status == 200 and _DIGEST.fullmatch(digest):
            return digest
        if response.status in (200, 405, 501):  # without a digest, or without HEAD: what it stands for is what it says
            response = self._manifest(ref, "GET", tried)
        if response.status == 404:
            return None
        if response.status == 200:
            return _hashed(ref, response)
        raise _refusal(ref, response.status, response.reason)

    def _manifest(self, ref: ImageReference, method: str, tried: int) -> _Answer:
        url = f"{_address(ref.registry)}/v2/{ref.repository}/manifests/{ref.tag}"
        response = self._follow(ref, method, url, {}, tried)
        if response.status != 401:
            return response
        asked = challenges(response.headers.getlist("WWW-Authenticate"))
        login = self.logins.of(ref.registry)
        if "bearer" in asked:
            token = self._token(ref, asked["bearer"], login, tried)
            return self._follow(ref, method, url, {"Authorization": f"Bearer {token.reveal()}"}, tried)
        if "basic" in asked and login and login.user:
            return self._follow(ref, method, url, _basic(login), tried)
        return response

    def _token(self, ref: ImageReference, asked: Mapping[str, str], login: Login | None, tried: int) -> Secret:
        """The token that opens the registry, from whom the registry names (distribution spec, "Token Authentication")."""
        if login and login.access:
            return login.access
        realm = asked.get("realm", "")
        parts = urlsplit(realm)
        if parts.scheme != "https" and not is_loopback(parts.hostname or ""):
            raise _failure(ref, f"its token service {realm!r} is not reached by HTTPS, and a password goes nowhere in the clear")
        scope = {name: value for name, value in asked.items() if name in ("service", "scope")}
        scope.setdefault("scope", f"repository:{ref.repository}:pull")
        if login and login.identity:
            form = {"grant_type": "refresh_token", "refresh_token": login.identity.reveal(), "client_id": "nextai-platform", **scope}
            kind = {"Content-Type": "application/x-www-form-urlencoded"}
            response = self._send(ref, "POST", realm, kind, tried, body=urlencode(form), who="its token service ")
        else:
            joined = f"{realm}{'&' if parts.query else '?'}{urlencode(scope)}"
            response = self._send(ref, "GET", joined, _basic(login) if login else {}, tried, who="its token service ")
        return _granted(ref, f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}", response)

    def _follow(self, ref: ImageReference, method: str, url: str, headers: Mapping[str, str], tried: int) -> _Answer:
        """Send it, and go where the registry sends us: to another server without the token of this one."""
        for _ in range(_REDIRECTS + 1):
            response = self._send(ref, method, url, {"Accept": _MEDIA, **headers}, tried)
            location = response.headers.get("Location", "")
            if response.status not in (301, 302, 303, 307, 308) or not location:
                return response
            former, url = url, urljoin(url, location)
            if urlsplit(url)[:2] != urlsplit(former)[:2]:
                headers = {}
            if urlsplit(url).scheme != "https" and not is_loopback(urlsplit(url).hostname or ""):
                raise _failure(ref, f"it leads to {shown(url)}, which is not reached by HTTPS")
        raise _failure(ref, f"it sends us on more than {_REDIRECTS} times")

    def _send(
        self, ref: ImageReference, method: str, url: str, headers: Mapping[str, str], tried: int, *, body: str | None = None, who: str = ""
    ) -> _Answer:
        """Send it once. `who` is what else than the registry is asked."""
        from urllib3 import HTTPHeaderDict, Timeout
        from urllib3.exceptions import HTTPError

        seconds = SECONDS / 2 if tried == 0 else SECONDS
        timeout = Timeout(connect=min(3.0, seconds), read=seconds)
        told = HTTPHeaderDict({"User-Agent": "nextai-platform", **headers})
        try:
            response = self._pool(url).request(
                method, url, body=body, headers=told, timeout=timeout, retries=False, redirect=False, preload_content=False
            )
            answer = _Answer(response.status, response.reason or "", response.headers, response.read(_MOST + 1))
            response.release_conn()
        except (HTTPError, OSError) as error:
            raise _cut(ref, url, error, seconds, tried, who=who) from error
        if passes(answer.status):
            what = f"{_party(ref, url, who) or 'it'} answered {answer.status} {answer.reason}".rstrip()
            raise Transient(_failure(ref, what), retry_after(answer.headers.get("Retry-After")))
        return answer

    def _pool(self, url: str) -> "PoolManager":
        proxy = proxy_for(url)
        if not proxy:
            _resolve(url)
        with self._lock:
            if proxy not in self._pools:
                self._pools[proxy] = connections(system_trust() if proxy or url.startswith("https") else None, proxy=proxy)
            return self._pools[proxy]


def _resolve(url: str) -> None:
    """Raise urllib3's error for a name that nobody knows, before it is read whom this machine trusts: that takes as long as all the rest.

    Who works without a network asks for each base image at each build.
    """
    import socket

    from urllib3.exceptions import NameResolutionError

    parts = urlsplit(url)
    try:
        socket.getaddrinfo(parts.hostname, parts.port or parts.scheme, type=socket.SOCK_STREAM)
    except socket.gaierror as error:
        raise NameResolutionError(parts.hostname or "", None, error) from error  # type: ignore[arg-type]


def challenges(headers: Iterable[str]) -> dict[str, dict[str, str]]:
    """The ways to log in that a server names, by scheme, each with its parameters: one to a header or several (RFC 9110, 11.6.1)."""
    found: dict[str, dict[str, str]] = {}
    parameters: dict[str, str] = {}
    for part in re.finditer(r'([\w-]+)\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^\s,"]+))|([A-Za-z][\w-]*)', ", ".join(headers)):
        name, quoted, bare, scheme = part.groups()
        if scheme:
            parameters = found.setdefault(scheme.lower(), {})
        else:
            parameters.setdefault(name.lower(), re.sub(r"\\(.)", r"\1", quoted) if quoted is not None else bare)
    return found


def _hashed(ref: ImageReference, response: _Answer) -> str:
    """The digest of a manifest: that of its bytes."""
    raw = response.body
    try:
        document = json.loads(raw)
        plausible = isinstance(document, dict) and document.get("schemaVersion") == 2
    except ValueError:
        plausible = False
    if not plausible or len(raw) > _MOST:
        raise _failure(ref, "what it gave is no manifest", f"Check that {ref.registry} is a registry, and not a page that asks to log in.")
    digest = f"sha256:{hashlib.sha256(raw).hexdigest()}"
    said = response.headers.get("Docker-Content-Digest", digest)
    if _DIGEST.fullmatch(said) and said != digest:
        raise Transient(_failure(ref, f"it gave a manifest of another digest ({digest}) than it says ({said})"))
    return digest


def _granted(ref: ImageReference, service: str, response: _Answer) -> Secret:
    if response.status in (400, 401, 403):
        cause = f"its token service {service} refused ({response.status} {response.reason})"
        raise _failure(ref, cause, f"Run `docker login {ref.registry}` with an account that may.")
    if not 200 <= response.status < 300:
        raise _failure(ref, f"its token service {service} answered {response.status} {response.reason}")
    try:
        document = json.loads(response.body)
    except ValueError:
        document = None
    token = (document.get("token") or document.get("access_token")) if isinstance(document, dict) else None
    if not isinstance(token, str) or not token.isascii() or not token.isprintable():
        raise _failure(ref, f"its token service {service} gave no token")
    register(token)
    return Secret(token)


def _basic(login: Login) -> dict[str, str]:
    from urllib3 import make_headers

    return {"Authorization": make_headers(basic_auth=f"{login.user}:{login.password.reveal()}")["authorization"]} if login.user else {}


def _address(registry: str) -> str:
    if registry == "docker.io":
        return "https://registry-1.docker.io"
    return f"{'http' if is_loopback(registry.rpartition(':')[0] or registry) else 'https'}://{registry}"


def _party(ref: ImageReference, url: str, who: str) -> str:
    """Who is asked, where that is not the registry itself, or not only as a registry."""
    return f"{who}{shown(url)}" if who or urlsplit(url).netloc != urlsplit(_address(ref.registry)).netloc else ""


def _cut(ref: ImageReference, url: str, error: Exception, seconds: float, tried: int, *, who: str) -> Exception:
    """What a connection that failed means: `Transient`, or the `Failure` for what does not pass in a moment."""
    import socket
    import ssl

    from urllib3.exceptions import ConnectTimeoutError, NameResolutionError, NewConnectionError, ProxyError, SSLError, TimeoutError

    party = _party(ref, url, who)
    whose = f"{party}: " if party else ""
    inner = error.args[0] if isinstance(error, SSLError) and error.args else error
    if isinstance(error, ProxyError):
        failure = _behind(ref, url, error)
        return failure if "failed: 4" in failure.cause else Transient(failure)
    if isinstance(inner, ssl.SSLError) and not isinstance(inner, ssl.SSLEOFError | ssl.SSLZeroReturnError | ssl.SSLSyscallError):
        return _failure(
            ref, f"{whose}not trusted: {_short(error)}", "Check the certificate of the registry, and those that this machine trusts."
        )
    if isinstance(error, TimeoutError) and not isinstance(error, NewConnectionError):
        failure = _failure(ref, f"{whose}timed out: no answer within {seconds:g} s")
    else:
        failure = _failure(ref, f"{whose}{_short(error)}")
    # Who works without a network must not wait for long at each build: a second try is enough where nothing could be reached.
    unreached = isinstance(error, NewConnectionError | ConnectTimeoutError) or "timed out" in failure.cause
    unknown = isinstance(error, NameResolutionError) and _innermost(error).args[:1] == (socket.EAI_NONAME,)
    return failure if unknown or (unreached and tried) else Transient(failure)


def _behind(ref: ImageReference, url: str, error: Exception) -> Failure:
    proxy = shown(proxy_for(url))
    remedy = "Check HTTPS_PROXY, HTTP_PROXY and NO_PROXY in the environment."
    return _failure(ref, f"the proxy {proxy} does not lead there: {_short(getattr(error, 'original_error', error))}", remedy)


def _refusal(ref: ImageReference, status: int, reason: str) -> Failure:
    if status in (401, 403):
        return _failure(ref, f"it refused ({status} {reason})", f"Run `docker login {ref.registry}` with an account that may.")
    return _failure(ref, f"it answered {status} {reason}")


def _failure(ref: ImageReference, cause: str, remedy: str = "") -> Failure:
    remedy = remedy or f"Check that the registry {ref.registry} is up and reachable from here."
    return Failure(f"asking the registry {ref.registry} for {ref.repository}", hide(cause), remedy)


def _short(error: BaseException) -> str:
    """The innermost cause: the word that matters is wrapped several deep."""
    inner = _innermost(error)
    text = inner.strerror if isinstance(inner, OSError) and inner.strerror else str(inner)
    return text.rpartition(": ")[2] or type(inner).__name__


def _innermost(error: BaseException) -> BaseException:
    while error.__cause__ or (error.args and isinstance(error.args[-1], BaseException)):
        error = error.__cause__ or error.args[-1]
    return error
