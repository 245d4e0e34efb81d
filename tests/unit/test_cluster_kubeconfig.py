"""Kubeconfigs as people have them, as a table with verdicts (tests/data/kubeconfig): read as by kubectl, and who failed is named."""

import json
import os
import pty
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
import yaml

from ops.catalog.model import Environment
from ops.cluster.target import Target
from ops.errors import Failure
from ops.kube import client as room
from ops.kube import connect as opening
from ops.kube import credentials
from ops.kube.client import Client
from ops.kube.connect import connect
from ops.kube.objects import Key
from ops.retry import Policy

CASES: list[dict[str, Any]] = yaml.safe_load((Path(__file__).parents[1] / "data" / "kubeconfig" / "cases.yaml").read_text())
ROOT = Path(__file__).parents[2]
VERSION = "client.authentication.k8s.io"
GIVE = f"""#!/bin/sh
echo x >> "$(dirname "$0")/runs"
N=$(wc -l < "$(dirname "$0")/runs")
N=$((N))
give() {{
  until=""
  [ -n "$3" ] && until=",\\"expirationTimestamp\\":\\"$(date -u -d "$3" +%Y-%m-%dT%H:%M:%SZ)\\""
  printf '{{"apiVersion":"{VERSION}/%s","kind":"ExecCredential","status":{{"token":"%s"%s}}}}' "${{2:-v1}}" "$1" "$until"
}}
"""


class Handler(BaseHTTPRequestHandler):
    """An API server that knows its version, and which tokens it takes. One without aggregated discovery."""

    protocol_version = "HTTP/1.1"
    server: "Server"

    def log_message(self, format: str, *arguments: object) -> None: ...

    def do_GET(self) -> None:
        who = self.headers.get("Authorization", "")
        self.server.seen.append(who)
        takes = self.server.takes
        path = self.path.removeprefix("http://cluster.example.test:6443")
        if takes is not None and path.startswith("/again") and len(takes) > 1:
            takes.pop(0)
        if takes is not None and who != f"Bearer {takes[0]}":
            return self._answer(401, {"kind": "Status", "message": "Unauthorized"})
        return self._answer(200, ANSWERS.get(path, {"items": []}))

    def _answer(self, status: int, document: Any) -> None:
        body = json.dumps(document).encode()
        self.send_response(status)
        self.send_header("Date", "Mon, 30 Nov 2026 12:00:00 GMT")  # a second one: some proxies add theirs
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


ANSWERS: dict[str, Any] = {
    "/version": {"gitVersion": "v1.24.0"},
    "/api": {"kind": "APIVersions", "versions": ["v1"]},
    "/apis": {
        "kind": "APIGroupList",
        "groups": [
            {
                "name": "apps",
                "preferredVersion": {"groupVersion": "apps/v1"},
                "versions": [{"groupVersion": "apps/v1beta1"}, {"groupVersion": "apps/v1"}],
            }
        ],
    },
    "/api/v1": {
        "resources": [
            {"name": "pods", "namespaced": True, "kind": "Pod"},
            {"name": "pods/log", "namespaced": True, "kind": "Pod"},
            {"name": "namespaces", "namespaced": False, "kind": "Namespace"},
        ]
    },
    "/apis/apps/v1": {"resources": [{"name": "deployments", "namespaced": True, "kind": "Deployment"}]},
    "/apis/apps/v1beta1": {"resources": [{"name": "deployments", "namespaced": True, "kind": "Deployment"}]},
}


class Server(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.address = f"http://127.0.0.1:{self.server_port}"
        self.seen: list[str] = []
        self.takes: list[str] | None = None


@pytest.fixture(scope="module")
def shared() -> Iterator[Server]:
    with Server() as httpd:
        Thread(target=httpd.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
        yield httpd
        httpd.shutdown()


@pytest.fixture
def server(shared: Server, monkeypatch: pytest.MonkeyPatch) -> Server:
    credentials_within(20.0, monkeypatch)  # a second is too short for a program on a machine with other work
    monkeypatch.setattr(room, "USUAL", Policy(tries=3, first=0.01))
    for name in [name for name in os.environ if name.lower().endswith("_proxy")]:
        monkeypatch.delenv(name)
    shared.seen.clear()
    shared.takes = None
    return shared


def credentials_within(seconds: float, monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (credentials, opening):
        monkeypatch.setattr(module, "CREDENTIALS_SECONDS", seconds)


def written(case: dict[str, Any], folder: Path, address: str) -> list[Path]:
    """The files of a case."""
    user = dict(case.get("user", {}))
    if "plugin" in case:
        (folder / "plugin.sh").write_text(GIVE + case["plugin"])
        (folder / "plugin.sh").chmod(0o755)
        user.setdefault("exec", {"apiVersion": f"{VERSION}/{case.get('version', 'v1')}", "command": str(folder / "plugin.sh")})
    for name, words in case.get("more", {}).items():
        (folder / name).write_text(words)
    cluster = {"server": "SERVER", **case.get("cluster", {})}
    full = {
        "clusters": [{"name": "c", "cluster": cluster}],
        "users": [{"name": "u", "user": user}],
        "contexts": [{"name": "c", "context": {"cluster": "c", "user": "u"}}],
    }
    files = []
    for number, words in enumerate(case.get("files", ["FULL"])):
        files.append(folder / f"config{number}")
        if words is not None:
            files[-1].write_text(words.replace("FULL", json.dumps(full)).replace("SERVER", address))
    return files


def many(client: Client, requests: int) -> None:
    if requests:
        client.request("GET", "/one")
        client.each(lambda number: client.request("GET", f"/{number}"), range(requests - 2))
        client.request("GET", "/again")


@pytest.mark.parametrize("case", CASES, ids=[case["name"].replace(" ", "-") for case in CASES])
def test_a_kubeconfig(server: Server, case: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    files = written(case, tmp_path, server.address)
    if "within 1 s" in case["is"]:
        credentials_within(1.0, monkeypatch)
    monkeypatch.setenv("KUBECONFIG", os.pathsep.join(map(str, files)))
    for name, value in case.get("env", {}).items():
        monkeypatch.setenv(name, value)
    server.takes = list(case["takes"]) if "takes" in case else None
    address = case.get("cluster", {}).get("server") or (server.address if "https" not in case["is"] else "https://127.0.0.1:1")
    target = Target(Environment("staging", "kubernetes", "x"), None, "c", address)
    failure, started = None, time.monotonic()
    try:
        with connect(target) as client:
            many(client, case.get("requests", 0))
    except Failure as error:
        failure = error
    told = f"{failure.doing}: {failure.cause}\n{failure.remedy}" if failure else "connected"
    assert re.search(case["is"], told, re.DOTALL), told
    assert case.get("remedy", "") in told
    assert "canary" not in told
    assert time.monotonic() - started < 5.0
    if "shown" in case:
        assert server.seen[-1] == case["shown"]
    if "runs" in case:
        assert (tmp_path / "runs").read_text().count("x") == case["runs"]


def test_a_program_asks_a_person_at_a_terminal_and_its_words_are_told_when_it_fails(server: Server, tmp_path: Path) -> None:
    plugin = "printf 'code? ' >&2; read code; echo \"error: $code is not the code\" >&2; exit 1"
    [file] = written({"plugin": plugin}, tmp_path, server.address)
    program = f"""
from ops.catalog.model import Environment
from ops.kube.connect import connect
from ops.cluster.target import Target
from ops.errors import Failure
from pathlib import Path
try:
    with connect(Target(Environment("staging", "kubernetes", "x"), Path({str(file)!r}), "c", {server.address!r})): pass
except Failure as failure:
    print("CAUSE", failure.cause)
"""
    ours, theirs = pty.openpty()
    child = subprocess.Popen([sys.executable, "-c", program], stdin=theirs, stderr=theirs, stdout=subprocess.PIPE, cwd=ROOT, text=True)
    os.close(theirs)
    seen = b""
    while b"code? " not in seen:
        seen += os.read(ours, 1024)
    os.write(ours, b"1234\n")
    told, _ = child.communicate(timeout=30)
    os.close(ours)
    assert "it exited 1, and said:\ncode? error: 1234 is not the code" in told


def test_a_server_without_aggregated_discovery_is_asked_for_each_version(server: Server, tmp_path: Path) -> None:
    [file] = written({}, tmp_path, server.address)
    with connect(Target(Environment("staging", "kubernetes", "x"), file, "c", server.address)) as client:
        pod, deployment = client.resource("v1", "Pod"), client.resource("apps/v1", "Deployment")
        assert pod is not None
        assert (pod.plural, pod.namespaced) == ("pods", True)
        namespace = client.resource("v1", "Namespace")
        assert namespace is not None
        assert not namespace.namespaced
        assert deployment is not None
        assert client.by_key(Key("Deployment", "n", "d", "apps")) == deployment  # in the version that the server prefers


def test_of_two_dates_the_first_counts(server: Server, tmp_path: Path) -> None:
    [file] = written({}, tmp_path, server.address)
    with connect(Target(Environment("staging", "kubernetes", "x"), file, "c", server.address)) as client:
        assert client.now().tzinfo is not None


def test_a_program_that_hangs_later_costs_a_request_its_own_time(server: Server, tmp_path: Path) -> None:
    """A renewal of the lock has 4 s: a program that is silent for longer must not take its time too."""
    plugin = "[ $N -gt 1 ] && sleep 30; give t$N"
    [file] = written({"plugin": plugin}, tmp_path, server.address)
    with connect(Target(Environment("staging", "kubernetes", "x"), file, "c", server.address)) as client:
        server.takes = ["none"]
        started = time.monotonic()
        with pytest.raises(Failure, match=r"has not ended within 0\.2 s"):
            client.request("GET", "/x", seconds=0.2, policy=Policy(tries=1))
        assert time.monotonic() - started < 1.0
