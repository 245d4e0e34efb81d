"""A route with `stream: true` through the web server and the gateway as they are built: part by part, and longer than a page waits.

In a copy of the checkout one route of the catalogue is a stream. Its service is a few lines here; the stores are away: both can do without.
"""

import http.client
import os
import shutil
import socket
import subprocess
import threading
import time
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import pairwise
from pathlib import Path
from urllib.error import URLError

import pytest

from ops import catalog as catalogue
from ops import tools
from ops.catalog import Catalog
from ops.checks.files import tracked
from ops.config.contract import derived
from ops.local.ports import free_ports

ROOT = Path(__file__).parents[2]
ROUTE = "{prefix: /memories}"
PAGE_SECONDS = 10
PARTS, PAUSE = 7, 2.0  # together longer than that


class Speaking(BaseHTTPRequestHandler):
    """Says a part every two seconds, and remembers a reader that left."""

    protocol_version = "HTTP/1.1"
    left = threading.Event()

    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        try:
            for number in range(PARTS if self.path.endswith("/ends") else 1000):
                self._chunk(f"data: {number}\n\n")
                time.sleep(PAUSE)
            self._chunk("")
        except OSError:
            type(self).left.set()

    def _chunk(self, text: str) -> None:
        self.wfile.write(f"{len(text):x}\r\n{text}\r\n".encode())
        self.wfile.flush()

    def log_message(self, *_: object) -> None:
        """Say nothing."""


def run(root: Path, tool: str, *arguments: str, cwd: str = ".") -> None:
    found = tools.find(tool)
    env = {**os.environ, **found.env, "CI": "true", "NEXT_TELEMETRY_DISABLED": "1"}
    done = subprocess.run([*found.argv, *arguments], cwd=root / cwd, env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-4000:]


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Catalog:
    """A copy of this checkout in which a route is a stream that needs no signed-in user, with web and gateway built."""
    root = tmp_path_factory.mktemp("streams") / "copy"
    for name in tracked(ROOT, "."):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(ROOT / name, root / name, follow_symlinks=False)
    platform = root / "platform.yaml"
    text = platform.read_text("utf-8")
    assert ROUTE in text
    platform.write_text(text.replace(ROUTE, "{prefix: /memories, stream: true, public: true}"), "utf-8")
    catalog = catalogue.load(root)
    for path, contract in derived(catalog).items():
        (root / path).write_text(contract, "utf-8")
    run(root, "pnpm", "install", "--frozen-lockfile", "--prefer-offline")
    run(root, "pnpm", "--filter", "./apps/web", "run", "build")
    run(root, "go", "build", "-o", "server", "./cmd/server", cwd="services/api-gateway")
    return catalog


@contextmanager
def program(argv: list[str], folder: Path, port: int, path: str, **env: str) -> Iterator[None]:
    """A program as long as the context is open, from when it answers."""
    own = {"HOST": "127.0.0.1", "PORT": str(port), "PATH": os.environ["PATH"], **env}
    with subprocess.Popen(argv, cwd=folder, env=own, stdout=subprocess.DEVNULL) as child:
        try:
            over = time.monotonic() + 60
            while not _answers(port, path):
                assert child.poll() is None and time.monotonic() < over, argv
                time.sleep(0.1)
            yield
        finally:
            child.kill()


def _answers(port: int, path: str) -> bool:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=5) as answer:
            return bool(answer.status == 200)
    except (URLError, OSError):
        return False


@pytest.fixture(scope="module")
def web(copy: Catalog) -> Iterator[int]:
    """The port of the web server, in front of the gateway, in front of the service."""
    gateway, page = free_ports(2)
    with ExitStack() as running:
        service = running.enter_context(ThreadingHTTPServer(("127.0.0.1", 0), Speaking))
        threading.Thread(target=service.serve_forever, daemon=True).start()
        running.callback(service.shutdown)
        behind = f"http://127.0.0.1:{service.server_address[1]}"
        away = {"DATABASE_URL": "postgresql://x@127.0.0.1:1/x", "REDIS_URL": "redis://127.0.0.1:1", "JWT_SECRET": "x" * 32}
        urls = {"USER_SERVICE_URL": behind, "MEMORY_SERVICE_URL": behind, "CORS_ORIGINS": "http://localhost"}
        folder = copy.root / "services/api-gateway"
        running.enter_context(program([str(folder / "server")], folder, gateway, "/health", **away, **urls))
        standalone = copy.root / "apps/web/.next/standalone/apps/web"
        node = [*tools.find("node").argv, "start.ts"]
        where = {"API_GATEWAY_URL": f"http://127.0.0.1:{gateway}", "NODE_ENV": "production"}
        running.enter_context(program(node, standalone, page, "/api/health", **where))
        yield page


def test_a_slow_stream_comes_part_by_part_and_outlives_what_a_page_waits(web: int) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", web, timeout=30)
    # As a browser asks: a server that compresses would keep parts back.
    connection.request("GET", "/api/memories/ends", headers={"Accept-Encoding": "gzip, deflate, br"})
    began, answer, came = time.monotonic(), connection.getresponse(), []
    assert answer.status == 200 and answer.getheader("Content-Encoding") is None
    assert "no-transform" in str(answer.getheader("Cache-Control"))
    while line := answer.readline():
        if line.startswith(b"data: "):
            came.append((line, time.monotonic() - began))
    assert [line for line, _ in came] == [f"data: {number}\n".encode() for number in range(PARTS)]
    assert came[-1][1] > PAGE_SECONDS
    gaps = [later - sooner for (_, sooner), (_, later) in pairwise(came)]
    assert min(gaps) > PAUSE / 4, f"parts were kept back: {gaps}"


def test_a_reader_that_leaves_ends_the_stream_for_the_service(web: int) -> None:
    Speaking.left.clear()
    with socket.create_connection(("127.0.0.1", web), timeout=30) as reader:
        reader.sendall(b"GET /api/memories/never HTTP/1.1\r\nHost: x\r\n\r\n")
        heard = b""
        while b"data: 0" not in heard:
            heard += reader.recv(4096)
    assert Speaking.left.wait(30)
