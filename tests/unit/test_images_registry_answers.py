"""What registries answer, as a table with verdicts (tests/data/registry): told right, tried again, and never with a secret in it."""

import base64
import hashlib
import json
import re
import socket
import struct
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Event, Thread
from typing import Any

import pytest
import yaml

from ops.errors import Failure
from ops.images import login, registry
from ops.images.registry import challenges, digests, reference
from ops.network import proxy_for
from ops.retry import Policy

CASES: list[dict[str, Any]] = yaml.safe_load((Path(__file__).parents[1] / "data" / "registry" / "answers.yaml").read_text())
MANIFEST = '{"schemaVersion": 2, "manifests": []}'
DIGEST = f"sha256:{hashlib.sha256(MANIFEST.encode()).hexdigest()}"
SECRETS = ("canary", "pass word", "the-refresh-token", base64.b64encode(b"me:pass word").decode(), "t0")


class Handler(BaseHTTPRequestHandler):
    """Answers as the case says."""

    protocol_version = "HTTP/1.1"
    server: "Server"

    def log_message(self, format: str, *arguments: object) -> None: ...

    def _any(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0)).decode()
        token = self.path.partition("?")[0] == "/token"
        kind = {"HEAD": "head", "GET": "token" if token else "get", "POST": "exchange"}[self.command]
        who = self.headers.get("Authorization", "")
        asked = (self.path.lstrip("/") if token else "manifest") + (f" {body}" if body else "")
        self.server.asked.append(f"{self.command} {asked} {who if who.startswith('Bearer') else who.partition(' ')[0]}".strip())
        script = self.server.case.get(kind) or [{"status": 400}]
        answer = script.pop(0) if len(script) > 1 else script[0]
        if answer["status"] == "silent":
            self.server.over.wait(20)
        if not isinstance(answer["status"], int):
            self.close_connection = True
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self.connection.shutdown(socket.SHUT_RDWR)
            return
        words = str(answer.get("body", "")).replace("MANIFEST", MANIFEST).encode()
        self.send_response(answer["status"])
        for name, value in answer.items():
            if name not in ("status", "body"):
                for one in value if isinstance(value, list) else [value]:
                    self.send_header(name, one.replace("HERE", self.server.here).replace("DIGEST", DIGEST))
        self.send_header("Content-Length", str(len(words)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(words)

    do_GET = do_HEAD = do_POST = _any


class Server(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.host = f"127.0.0.1:{self.server_port}"
        self.here = f"http://{self.host}"
        self.case: dict[str, Any] = {}
        self.asked: list[str] = []
        self.over = Event()


@pytest.fixture(scope="module")
def shared() -> Iterator[Server]:
    with Server() as httpd:
        Thread(target=httpd.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
        yield httpd
        httpd.over.set()
        httpd.shutdown()


@pytest.fixture
def server(shared: Server, monkeypatch: pytest.MonkeyPatch) -> Server:
    monkeypatch.setattr(registry, "POLICY", Policy(tries=3, first=0.01, seconds=5.0))
    monkeypatch.setattr(registry, "SECONDS", 0.6)
    monkeypatch.setattr(login, "HELPER_SECONDS", 0.5)
    shared.asked.clear()
    return shared


def config(folder: Path, host: str, given: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    """Docker's config.json, and the helper that it names."""
    document: Any = {}
    if "helper" in given:
        program = folder / "docker-credential-quirk"
        program.write_text(f"#!/bin/sh\n{given['helper']}\n")
        program.chmod(0o755)
        monkeypatch.setenv("PATH", f"{folder}:/usr/bin:/bin")
        document = {"credHelpers": {host: "quirk"}}
    elif "user" in given:
        auth = base64.b64encode(f"{given['user']}:{given.get('password', '')}".encode()).decode()
        document = {"auths": {host: {"auth": auth, **({"identitytoken": given["identitytoken"]} if "identitytoken" in given else {})}}}
    (folder / "config.json").write_text(given.get("config", json.dumps(document)).replace("HERE", f"http://{host}"))


@pytest.mark.parametrize("case", CASES, ids=[case["name"].replace(" ", "-") for case in CASES])
def test_what_a_registry_answers(server: Server, case: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    server.case = {kind: list(case.get(kind, ())) for kind in ("head", "get", "token", "exchange")}
    config(tmp_path, server.host, case.get("login", {}), monkeypatch)
    ref = reference(f"{server.host}/x:y")
    answer = digests([ref], tmp_path)[ref]
    if case["is"] == "digest":
        assert answer == DIGEST, answer.cause if isinstance(answer, Failure) else answer
    elif case["is"] == "none":
        assert answer is None
    else:
        assert isinstance(answer, Failure)
        told = f"{answer.doing}: {answer.cause}"
        assert re.search(case["is"].replace("HERE", server.here), told, re.DOTALL), told
        assert server.host in told + answer.remedy
        assert not any(secret in told + answer.remedy for secret in SECRETS)
    for seen, wanted in zip(server.asked, case["asks"], strict=True) if "asks" in case else ():
        assert seen.startswith(wanted)


@pytest.mark.parametrize(
    ("environment", "proxy"),
    [
        ({}, ""),
        ({"HTTPS_PROXY": "http://p:1"}, "http://p:1"),
        ({"https_proxy": "p:1"}, "http://p:1"),
        ({"HTTP_PROXY": "http://p:1"}, ""),
        ({"HTTPS_PROXY": "http://p:1", "NO_PROXY": "*"}, ""),
        ({"HTTPS_PROXY": "http://p:1", "NO_PROXY": "test"}, ""),
        ({"HTTPS_PROXY": "http://p:1", "NO_PROXY": "a, .example.test"}, ""),
        ({"HTTPS_PROXY": "http://p:1", "NO_PROXY": "*.example.test"}, ""),
        ({"HTTPS_PROXY": "http://p:1", "NO_PROXY": "hub.example.test:443"}, ""),
        ({"HTTPS_PROXY": "http://p:1", "NO_PROXY": "hub.example.test:8443"}, "http://p:1"),
        ({"HTTPS_PROXY": "http://p:1", "NO_PROXY": "ample.test,10.0.0.0/8"}, "http://p:1"),
    ],
)
def test_which_proxy_leads_to_an_address(environment: dict[str, str], proxy: str) -> None:
    assert proxy_for("https://hub.example.test/v2/", environment) == proxy


@pytest.mark.parametrize("url", ["http://127.0.0.1:5000", "http://localhost:5000", "http://[::1]:5000", "https://127.3.2.1"])
def test_no_proxy_leads_to_this_machine(url: str) -> None:
    assert proxy_for(url, {"HTTP_PROXY": "http://p:1", "HTTPS_PROXY": "http://p:1"}) == ""


def test_a_network_may_be_excepted() -> None:
    assert proxy_for("https://10.1.2.3:6443", {"HTTPS_PROXY": "http://p:1", "NO_PROXY": "10.0.0.0/8"}) == ""


def test_a_registry_on_this_machine_is_asked_without_the_environments_proxy(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    server.case = {"head": [{"status": 200, "Docker-Content-Digest": "DIGEST"}]}
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy"):
        monkeypatch.setenv(name, "http://builder:canary-pw@127.0.0.1:9")
    ref = reference(f"{server.host}/x:y")
    assert digests([ref], tmp_path)[ref] == DIGEST


def test_a_proxy_that_does_not_lead_there_is_named_without_its_password(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registry, "POLICY", Policy(tries=2, first=0.01))
    monkeypatch.setenv("HTTPS_PROXY", "http://builder:canary-pw@127.0.0.1:9")
    ref = reference("registry.example.test/x:y")
    answer = digests([ref], tmp_path)[ref]
    assert isinstance(answer, Failure)
    assert "the proxy http://127.0.0.1:9 does not lead there" in answer.cause
    assert "canary" not in answer.cause + answer.remedy + answer.doing


@pytest.mark.parametrize(
    ("name", "full"),
    [
        ("node:24", "docker.io/library/node:24"),
        ("docker.io/node:24", "docker.io/library/node:24"),
        ("index.docker.io/node", "docker.io/library/node:latest"),
        ("docker.io/grafana/k6", "docker.io/grafana/k6:latest"),
        ("grafana/k6:1", "docker.io/grafana/k6:1"),
        ("localhost/x", "localhost/x:latest"),
        ("r.test:5000/node:24", "r.test:5000/node:24"),
        (f"node:24@{DIGEST}", f"docker.io/library/node@{DIGEST}"),
    ],
)
def test_a_name_is_read_as_docker_reads_it(name: str, full: str) -> None:
    assert str(reference(name)) == full


def test_a_challenge_may_hold_commas_and_quotes() -> None:
    assert challenges([r'Bearer realm="https://a/t?x=1,2",error="a \"b\""', "Basic"]) == {
        "bearer": {"realm": "https://a/t?x=1,2", "error": 'a "b"'},
        "basic": {},
    }
