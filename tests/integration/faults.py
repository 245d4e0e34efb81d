"""A reverse proxy that fails as networks and busy servers do: one request in so many, in the order of a seed.

It stands before a real API server or registry. TLS ends in it (with an authority of its own), and a kubeconfig says so.
"""

import base64
import json
import random
import select
import socket
import ssl
import struct
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

from ops.kube.credentials import source
from ops.kube.kubeconfig import context_of, identify, read, trust
from ops.kube.objects import Object
from ops.testbed import Testbed
from ops.testbed.certificates import SERVER, issue

KINDS: Final = ("429", "500", "503", "reset", "lost", "cut", "silent")
_HOP: Final = ("connection", "keep-alive", "transfer-encoding", "content-length", "host")


@dataclass
class Faults:
    """Which requests fail, and how. `one_in` 1: all; 0: none. `only` narrows it to what it says is to fail."""

    one_in: int = 5
    seed: int = 1
    kinds: tuple[str, ...] = KINDS
    only: Callable[[str, str], bool] = lambda method, path: True
    met: Counter[str] = field(default_factory=Counter)
    over: threading.Event = field(default_factory=threading.Event)
    _random: random.Random = field(init=False)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def __post_init__(self) -> None:
        self._random = random.Random(self.seed)

    def total(self) -> int:
        """How many requests have failed."""
        return sum(number for kind, number in self.met.items() if kind != "all")

    def next(self, method: str, path: str) -> str:
        """What happens to this request: a kind of failure, or nothing."""
        with self._lock:
            self.met["all"] += 1
            if not self.one_in or not self.only(method, path) or self._random.randrange(self.one_in):
                return ""
            kind = self._random.choice(self.kinds)
            self.met[kind] += 1
            return kind


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: "_Server"
    raw_requestline: bytes  # set by the base class, which does not declare it

    def log_message(self, format: str, *arguments: object) -> None: ...

    def parse_request(self) -> bool:
        """Docker tries TLS first, and goes on without it where an HTTP server answers."""
        if self.raw_requestline.startswith(b"\x16"):
            self.wfile.write(b"HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n")
            self.close_connection = True
            return False
        return super().parse_request()

    def _any(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        kind = self.server.faults.next(self.command, self.path)
        match kind:
            case "429" | "500" | "503":
                self._fail(kind)
            case "reset":
                self._reset()
            case "silent":
                self.server.faults.over.wait(60)
                self._reset()
            case _:
                with suppress(OSError, HTTPException):
                    self._pass_on(body, kind)

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = do_HEAD = _any

    def _fail(self, kind: str) -> None:
        status = {"kind": "Status", "apiVersion": "v1", "status": "Failure", "message": "a passing fault", "code": int(kind)}
        # 503 as a load balancer says it: no Status, and no time.
        words = b"<html>no backend</html>" if kind == "503" else json.dumps(status).encode()
        self.send_response(int(kind))
        if kind == "429":
            self.send_header("Retry-After", "1")
        self.send_header("Content-Length", str(len(words)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(words)

    def _reset(self) -> None:
        """End the connection as a machine does that knows nothing of it."""
        self.close_connection = True
        with suppress(OSError):
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self.connection.shutdown(socket.SHUT_RDWR)

    def _pass_on(self, body: bytes, kind: str) -> None:
        upstream = self.server.upstream()
        try:
            headers = {k: v for k, v in self.headers.items() if k.lower() not in (*_HOP, "authorization")}
            if "upgrade" in self.headers.get("Connection", "").lower():
                headers["Connection"] = "Upgrade"
            upstream.request(self.command, self.path, body or None, headers)
            answer = upstream.getresponse()
            if answer.status == 101:
                self._join(upstream, answer)
            elif kind == "lost":  # it has been done, and nobody is told
                answer.read(1)
                self._reset()
            else:
                self._answer(answer, cut=kind == "cut")
        finally:
            upstream.close()

    def _answer(self, answer: Any, *, cut: bool) -> None:
        self.send_response(answer.status, answer.reason)
        for name, value in answer.getheaders():
            if name.lower() not in _HOP:
                self.send_header(name, value)
        length = answer.getheader("Content-Length")
        bare = self.command == "HEAD" or answer.status in (204, 304)
        if length:
            self.send_header("Content-Length", length)
        elif not bare:
            self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        if bare:
            return
        while chunk := answer.read1(16384):
            if cut:  # in the middle
                self.wfile.write((b"%x\r\n" % len(chunk) if not length else b"") + chunk[: len(chunk) // 2])
                self.wfile.flush()
                self._reset()
                return
            self.wfile.write(chunk if length else b"%x\r\n%s\r\n" % (len(chunk), chunk))
            self.wfile.flush()
        if not length:
            self.wfile.write(b"0\r\n\r\n")

    def _join(self, upstream: HTTPConnection, answer: Any) -> None:
        """A connection that becomes something else (exec, port-forward): bytes both ways, until one side ends.

        In one thread: a TLS connection that one thread reads and another writes loses its place before Python 3.13.
        """
        self.close_connection = True
        lines = [f"HTTP/1.1 101 {answer.reason}", *(f"{k}: {v}" for k, v in answer.getheaders())]
        self.wfile.write("\r\n".join([*lines, "", ""]).encode())
        self.wfile.flush()
        here, there = self.connection, upstream.sock
        ways = {here: (self.rfile, there), there: (answer.fp, here)}
        with suppress(OSError, ValueError):
            ready = [here, there]  # first what has been read ahead
            while all(_copied(*ways[sock], sock) for sock in ready):
                ready = [sock for sock in ways if isinstance(sock, ssl.SSLSocket) and sock.pending()]
                ready = ready or select.select([*ways], [], [])[0]
        for sock in ways:
            with suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)


def _copied(reader: Any, other: socket.socket, sock: socket.socket) -> bool:
    """Pass on what has come; False at the end."""
    sock.settimeout(0)
    try:
        chunk = reader.read1(1 << 16)
    except (BlockingIOError, ssl.SSLWantReadError):
        return True
    finally:
        sock.settimeout(60)
    if chunk is None:  # nothing has come
        return True
    other.sendall(chunk)
    return bool(chunk)


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128
    faults: Faults
    upstream: Callable[[], HTTPConnection]

    def handle_error(self, request: object, client_address: object) -> None: ...


@contextmanager
def _serving(faults: Faults, upstream: Callable[[], HTTPConnection], tls: ssl.SSLContext | None = None) -> Iterator[int]:
    with _Server(("127.0.0.1", 0), _Handler) as server:
        server.faults, server.upstream = faults, upstream
        if tls:
            server.socket = tls.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
        try:
            yield server.server_port
        finally:
            faults.over.set()
            server.shutdown()


@contextmanager
def api_server(testbed: Testbed, folder: Path, faults: Faults) -> Iterator[Path]:
    """The testbed's API server behind faults: a kubeconfig that leads there, as whom the testbed's own does."""
    context = context_of(read([testbed.kubeconfig]), testbed.context)
    who = source(context).get(5.0)
    assert who.certificate
    assert who.key
    inner = trust(context)
    identify(inner, who.certificate, who.key.reveal().encode(), "testing")
    address = urlsplit(context.server)
    folder.mkdir(parents=True, exist_ok=True)
    issue(folder, "ca", common_name="faults-ca")
    issue(folder, "server", signer="ca", common_name="faults", usages=(SERVER,), names=("127.0.0.1",))
    outer = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    outer.load_cert_chain(folder / "server.crt", folder / "server.key")

    def upstream() -> HTTPConnection:
        return HTTPSConnection(str(address.hostname), address.port, context=inner, timeout=330)

    with _serving(faults, upstream, outer) as port:
        authority = base64.b64encode((folder / "ca.crt").read_bytes()).decode()
        cluster: Object = {"server": f"https://127.0.0.1:{port}", "certificate-authority-data": authority}
        yield kubeconfig(folder / "kubeconfig", testbed.context, cluster, {"token": "nobody-looks-at-it"})


def kubeconfig(file: Path, context: str, cluster: Object, user: Object) -> Path:
    """A kubeconfig of one context."""
    document = {
        "clusters": [{"name": "c", "cluster": cluster}],
        "users": [{"name": "u", "user": user}],
        "contexts": [{"name": context, "context": {"cluster": "c", "user": "u"}}],
        "current-context": context,
    }
    file.write_text(json.dumps({"apiVersion": "v1", "kind": "Config", **document}))
    return file


@contextmanager
def registry(address: str, faults: Faults) -> Iterator[str]:
    """A registry behind faults: host and port."""
    with _serving(faults, lambda: HTTPConnection(address, timeout=60)) as port:
        yield f"127.0.0.1:{port}"


@contextmanager
def closed_registry(realm: str) -> Iterator[str]:
    """A registry that lets nobody in without a token of another server: host and port."""

    class Closed(BaseHTTPRequestHandler):
        def log_message(self, format: str, *arguments: object) -> None: ...

        def do_HEAD(self) -> None:
            self.send_response(401)
            self.send_header("WWW-Authenticate", f'Bearer realm="{realm}",service="faults"')
            self.send_header("Content-Length", "0")
            self.end_headers()

        do_GET = do_HEAD

    with ThreadingHTTPServer(("127.0.0.1", 0), Closed) as server:
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
        try:
            yield f"127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
