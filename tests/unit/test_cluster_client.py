"""The API server's answers, as the client takes them: a small server that says what a table tells it to."""

import json
import socket
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from ops.catalog.model import Environment
from ops.cluster.target import Target
from ops.errors import Failure
from ops.kube import client as room
from ops.kube import write
from ops.kube.answer import warnings_of
from ops.kube.client import ApiError, Client, Unavailable
from ops.kube.credentials import source
from ops.kube.kubeconfig import Context, KubeconfigEntry
from ops.kube.transport import Transport
from ops.retry import Policy


@pytest.mark.parametrize(
    ("headers", "texts"),
    [
        ([], []),
        (['299 - "policy/v1beta1 is deprecated"'], ["policy/v1beta1 is deprecated"]),
        (['299 - "one", 299 - "two"', '299 kube "three"'], ["one", "two", "three"]),
        (['299 - "a \\"quoted\\" word, and a \\\\"'], ['a "quoted" word, and a \\']),
        (['299 - "dated" "Sat, 25 Aug 2012 23:34:45 GMT"'], ["dated"]),
        (["299 - no quotes", "nonsense"], []),
    ],
)
def test_each_warning_of_the_api_server_is_read(headers: list[str], texts: list[str]) -> None:
    assert warnings_of(headers) == texts


class Scripted(BaseHTTPRequestHandler):
    """Answers each method with what its list says next; the last one is repeated. 0 cuts the connection."""

    protocol_version = "HTTP/1.1"
    script: dict[str, list[tuple[int, object]]]
    asked: list[str]

    def log_message(self, format: str, *arguments: object) -> None: ...

    def _any(self) -> None:
        self.rfile.read(int(self.headers.get("Content-Length") or 0))
        self.asked.append(self.command)
        answers = self.script[self.command]
        status, document = answers.pop(0) if len(answers) > 1 else answers[0]
        if not status:
            self.close_connection = True
            self.connection.shutdown(socket.SHUT_RDWR)
            return
        body = json.dumps(document).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = _any


@pytest.fixture
def asked() -> list[str]:
    return []


@pytest.fixture
def client(asked: list[str], request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[Client]:
    monkeypatch.setattr(room, "USUAL", Policy(tries=3, first=0.01))
    handler = type("Handler", (Scripted,), {"script": {k: list(v) for k, v in request.param.items()}, "asked": asked})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
        address, nobody = f"http://127.0.0.1:{server.server_port}", KubeconfigEntry({}, Path())
        context = Context("c", address, nobody, nobody)
        target = Target(Environment("staging", "kubernetes", "x"), None, "c", address)
        with ThreadPoolExecutor(1) as pool:
            yield Client(target, Transport(target, context, source(context)), pool)
        server.shutdown()


OURS: Any = {"kind": "Lease", "metadata": {"name": "l"}, "spec": {"holderIdentity": "me/1"}}
THEIRS: Any = {"kind": "Lease", "metadata": {"name": "l"}, "spec": {"holderIdentity": "you/2"}}
TAKEN = (409, {"kind": "Status", "reason": "AlreadyExists"})
FAILED = (500, {"kind": "Status", "message": "later"})


@pytest.mark.parametrize("client", [{"POST": [(0, None), TAKEN], "GET": [(200, {**OURS, "status": {}})]}], indirect=True)
def test_an_object_that_was_made_though_the_answer_was_lost_is_made(client: Client, asked: list[str]) -> None:
    assert client.request("POST", "/leases", body=OURS)["spec"] == OURS["spec"]
    assert asked == ["POST", "POST", "GET"]


@pytest.mark.parametrize(
    "client", [{"POST": [(0, None), TAKEN], "GET": [(200, THEIRS)]}, {"POST": [TAKEN], "GET": [(200, OURS)]}], indirect=True
)
def test_an_object_that_another_made_is_refused_after_a_lost_answer_too(client: Client, asked: list[str]) -> None:
    with pytest.raises(ApiError) as refused:
        client.request("POST", "/leases", body=OURS)
    assert refused.value.status == 409


@pytest.mark.parametrize("client", [{"POST": [FAILED]}], indirect=True)
def test_what_has_no_name_and_may_have_been_made_is_not_made_twice(client: Client, asked: list[str]) -> None:
    with pytest.raises(Unavailable):
        client.request("POST", "/pods", body={"kind": "Pod", "metadata": {"generateName": "x-"}})
    assert asked == ["POST"]


@pytest.mark.parametrize("client", [{"POST": [(429, {"kind": "Status"}), (201, {"kind": "Pod"})]}], indirect=True)
def test_what_was_not_begun_is_sent_again_though_it_has_no_name(client: Client, asked: list[str]) -> None:
    assert client.request("POST", "/pods", body={"kind": "Pod", "metadata": {"generateName": "x-"}}) == {"kind": "Pod"}


@pytest.mark.parametrize("client", [{"POST": [FAILED, (201, {"status": {"allowed": True}})]}], indirect=True)
def test_a_question_is_asked_again(client: Client, asked: list[str]) -> None:
    assert client.request("POST", "/selfsubjectaccessreviews", body={"kind": "SelfSubjectAccessReview"})["status"] == {"allowed": True}


@pytest.mark.parametrize("client", [{"PUT": [(0, None), (409, {})], "GET": [(200, OURS)]}], indirect=True)
def test_what_was_changed_though_the_answer_was_lost_is_changed(client: Client, asked: list[str]) -> None:
    assert client.request("PUT", "/leases/l", body=OURS) == OURS
    assert asked == ["PUT", "PUT", "GET"]


@pytest.mark.parametrize("client", [{"DELETE": [(0, None), (404, {})]}], indirect=True)
def test_what_was_deleted_though_the_answer_was_lost_is_deleted(client: Client, asked: list[str]) -> None:
    assert write.delete(client, "/leases/l")
    assert asked == ["DELETE", "DELETE"]


@pytest.mark.parametrize("held", [0, 1])
@pytest.mark.parametrize("client", [{"PATCH": [FAILED], "GET": [FAILED, (200, {"a": 1})]}], indirect=True)
def test_the_lock_is_asked_before_each_try_of_a_write(client: Client, asked: list[str], held: int) -> None:
    """`held`: how often it still holds."""
    times = iter(range(10))

    def check() -> None:
        if next(times) == held:
            raise Failure("holding the deploy lock", "it was lost", "")

    client.guard = check
    with pytest.raises(Failure, match="it was lost"):
        client.request("PATCH", "/leases/l", body=OURS)
    assert asked == ["PATCH"] * held
    assert client.request("GET", "/leases/l") == {"a": 1}


@pytest.mark.parametrize(
    "client", [{"PATCH": [(500, {"kind": "Status", "message": "failed to create typed patch object (x)"})]}], indirect=True
)
def test_an_object_that_cannot_be_read_is_refused_at_once_though_that_is_a_500(client: Client, asked: list[str]) -> None:
    with pytest.raises(ApiError, match="failed to create typed patch object"):
        client.request("PATCH", "/leases/l", body=OURS)
    assert asked == ["PATCH"]


@pytest.mark.parametrize("client", [{"GET": [(503, "no json"), FAILED]}], indirect=True)
def test_the_first_cause_is_told_and_what_stands_before_the_server_is_told_from_it(client: Client, asked: list[str]) -> None:
    with pytest.raises(Unavailable, match="answered 503, and not as an API server does") as failed:
        client.request("GET", "/x")
    assert "tried 3 times" in failed.value.cause
