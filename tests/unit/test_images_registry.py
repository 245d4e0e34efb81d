"""What a registry is asked, and who it is told we are: against a small server that answers as registries with accounts do."""

import base64
import json
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Event, Thread
from typing import Any

import pytest

from ops.errors import Failure
from ops.images import registry as room
from ops.images.registry import digests, reference
from ops.retry import Policy

DIGEST = "sha256:" + "7" * 64
LOGIN = "Basic " + base64.b64encode(b"me:pass word").decode()


class Server(ThreadingHTTPServer):
    """`over`: set when no test waits for an answer any more."""

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self.over = Event()


class Handler(BaseHTTPRequestHandler):
    """/v2/token/… wants a bearer token that is given for a password, /v2/basic/… the password itself, /v2/silent/… never answers."""

    server: Server

    def do_GET(self) -> None:
        granted = self.headers.get("Authorization") == LOGIN
        body = json.dumps({"token": "t0"} if granted else {}).encode()
        self.send_response(200 if granted else 401)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_HEAD(self) -> None:
        kind = self.path.split("/")[2]
        told = self.headers.get("Authorization", "")
        address = f"http://127.0.0.1:{self.server.server_port}/grant"
        if kind == "silent":
            self.server.over.wait(20)
        if (kind == "token" and told != "Bearer t0") or (kind == "basic" and told != LOGIN):
            self.send_response(401)
            challenge = f'Bearer realm="{address}",service="s",scope="repository:x:pull"' if kind == "token" else 'Basic realm="x"'
            self.send_header("WWW-Authenticate", challenge)
        else:
            self.send_response(404 if self.path.endswith("/none") else 500 if self.path.endswith("/broken") else 200)
            self.send_header("Docker-Content-Digest", DIGEST)
        self.end_headers()

    def log_message(self, format: str, *arguments: object) -> None: ...


@pytest.fixture
def server() -> Iterator[str]:
    httpd = Server(("127.0.0.1", 0), Handler)
    Thread(target=httpd.serve_forever, daemon=True).start()
    yield f"127.0.0.1:{httpd.server_port}"
    httpd.over.set()
    httpd.shutdown()


def ask(server: str, name: str, folder: Path, password: str = "pass word") -> str | Failure | None:
    auth = base64.b64encode(f"me:{password}".encode()).decode()
    (folder / "config.json").write_text(json.dumps({"auths": {server: {"auth": auth}}}))
    ref = reference(f"{server}/{name}")
    return digests([ref], folder)[ref]


def test_a_tag_is_there_or_not(server: str, tmp_path: Path) -> None:
    assert ask(server, "open/x:y", tmp_path) == DIGEST
    assert ask(server, "open/x:none", tmp_path) is None


@pytest.mark.parametrize("kind", ["token", "basic"])
def test_the_docker_clients_password_opens_it(server: str, tmp_path: Path, kind: str) -> None:
    assert ask(server, f"{kind}/x:y", tmp_path) == DIGEST


@pytest.mark.parametrize("kind", ["token", "basic"])
def test_a_refusal_says_where_to_log_in_and_never_the_password(server: str, tmp_path: Path, kind: str) -> None:
    answer = ask(server, f"{kind}/x:y", tmp_path, "wrong")
    assert isinstance(answer, Failure)
    assert "refused (401" in answer.cause
    assert answer.remedy == f"Run `docker login {server}` with an account that may."
    assert "wrong" not in str(answer) + answer.remedy


def test_an_error_of_the_registry_is_told(server: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(room, "POLICY", Policy(tries=2, first=0.01))
    answer = ask(server, "open/x:broken", tmp_path)
    assert isinstance(answer, Failure)
    assert "500" in answer.cause


def test_a_registry_that_does_not_answer_is_named_in_time(server: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(room, "SECONDS", 0.3)
    answer = ask(server, "silent/x:y", tmp_path)
    assert isinstance(answer, Failure)
    assert server in answer.doing
    assert "0.3" in answer.cause or "timed out" in answer.cause.lower()
