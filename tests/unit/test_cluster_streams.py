"""Streams of the API server that break off: no half line is read, nothing that follows them stops without a word."""

import json
import queue
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from ops.cluster import follow as following
from ops.cluster import logs
from ops.cluster.loglines import LogLine, LogSelection
from ops.cluster.pods import Selector
from ops.errors import Failure
from ops.kube import watch
from ops.kube.client import ApiError, Client
from ops.kube.credentials import source
from ops.kube.discovery import Resource
from ops.kube.kubeconfig import Context, KubeconfigEntry
from ops.kube.mirror import Mirror
from ops.kube.stream import Stream
from ops.kube.transport import Transport
from tests.unit.memory import TARGET

PODS = Resource("v1", "pods", True, "Pod")
SILENT = Failure("connecting", "no answer", "Check the cluster.")
Answer = list[str] | Failure


@dataclass
class Said:
    """A stream of lines that are known."""

    said: list[str]

    def lines(self) -> Iterator[bytes]:
        return (line.encode() for line in self.said)

    def close(self) -> None:
        pass


class Scripted(Client):
    """An API server that answers by a function of the path and the query: lines of a stream (it ends after them), or an error."""

    def __init__(self, stream: Callable[[str, dict[str, str]], Answer], pod: Callable[[], Any] = dict) -> None:
        api: Any = None
        super().__init__(TARGET, api, ThreadPoolExecutor(1))
        self.script = stream
        self.pod = pod
        self.asked: list[tuple[str, dict[str, str]]] = []
        self.silences: dict[str, float | None] = {}  # the longest silence of the last stream, by the last word of its path

    def request(self, method: str, path: str, query: Any = None, body: Any = None, **_: Any) -> Any:
        self.asked.append((path, {}))
        found = self.pod()
        return found if path.endswith("/pods") and "status" not in found else {"items": [found]}

    def stream(self, path: str, query: Any = None, *, seconds: float | None = None) -> Stream:
        self.asked.append((path, query))
        self.silences[path.rpartition("/")[2]] = seconds
        answer = self.script(path, query)
        if isinstance(answer, Failure):
            raise answer
        return Said(answer)

    def read_text(self, path: str, query: Any = None) -> str:
        answer = self.script(path, query)
        if isinstance(answer, Failure):
            raise answer
        return "\n".join(answer)


@pytest.fixture
def cut() -> Iterator[str]:
    """A server whose answers are chunked, and end as one does whose sender is gone: in a line, without the last chunk."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Transfer-Encoding", "chunked")
            self.end_headers()
            self.wfile.write(b'B\r\n{"a":1}\n{"a\r\n' + (b"0\r\n\r\n" if self.path == "/whole" else b""))
            self.close_connection = True

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


@pytest.mark.parametrize(("path", "lines"), [("/whole", [b'{"a":1}', b'{"a']), ("/cut", [b'{"a":1}'])])
def test_of_a_stream_that_breaks_off_no_half_line_is_read(cut: str, path: str, lines: list[bytes]) -> None:
    target = replace(TARGET, context="c", server=cut)
    nobody = KubeconfigEntry({}, Path())
    context = Context("c", cut, nobody, nobody)
    asked = Client(target, Transport(target, context, source(context)), ThreadPoolExecutor(1))
    assert list(asked.stream(path).lines()) == lines


def event(kind: str, **found: Any) -> str:
    return json.dumps({"type": kind, "object": found})


def test_a_watch_that_gives_no_json_begins_anew_with_a_fresh_list() -> None:
    streams: list[Answer] = [[event("ADDED", metadata={"uid": "1", "resourceVersion": "5"}), '{"type": "MODI']]

    def stream(path: str, query: dict[str, str]) -> Answer:
        if streams:
            return streams.pop()
        mirror._stopped.set()
        return []

    listed = {"metadata": {"resourceVersion": "3"}, "items": []}
    client = Scripted(stream, lambda: {**listed, "items": []})
    mirror = Mirror(client, PODS, "n", queue.SimpleQueue())
    mirror._follow()
    path = "/api/v1/namespaces/n/pods"
    assert [(p, q.get("resourceVersion")) for p, q in client.asked] == [(path, None), (path, "3"), (path, None), (path, "3")]
    assert mirror.objects == {}


def test_a_watch_that_never_gives_json_is_told() -> None:
    client = Scripted(lambda path, query: ["<html>"], lambda: {"metadata": {"resourceVersion": "3"}})
    changed: queue.SimpleQueue[Mirror] = queue.SimpleQueue()
    mirror = Mirror(client, PODS, "n", changed)
    mirror._stopped.wait = lambda timeout=None: False  # type: ignore[method-assign]
    mirror._follow()
    assert mirror.error is not None
    with pytest.raises(Failure, match="no JSON"):
        watch._drain(changed)


def pod(identity: str = "containerd://1", state: str = "running", name: str = "web-1", uid: str = "u1") -> dict[str, Any]:
    status = {"name": "web", "containerID": identity, "state": {state: {"at": "now"}}}
    return {"metadata": {"name": name, "namespace": "n", "uid": uid}, "status": {"containerStatuses": [status]}}


def follow(client: Client, going: Callable[[], bool] = lambda: True) -> Iterator[LogLine]:
    return following.follow(client, Selector("n", "app=web"), LogSelection(tail=7, since=60), going=going, pause=0.01)


def taken(lines: Iterator[LogLine], number: int) -> list[str]:
    """So many lines, or an error when they do not come."""
    found: queue.SimpleQueue[str | BaseException] = queue.SimpleQueue()

    def take() -> None:
        try:
            for _ in range(number):
                found.put(next(lines).text)
        except BaseException as error:
            found.put(error)

    threading.Thread(target=take, daemon=True).start()
    texts = []
    for _ in range(number):
        text = found.get(timeout=5)
        if isinstance(text, BaseException):
            raise text
        texts.append(text)
    return texts


def stamped(second: int, words: str) -> str:
    return f"2026-01-01T00:00:{second:02}.000000000Z {words}"


def test_logs_end_with_the_cause_when_the_pods_may_not_be_watched() -> None:
    client = Scripted(lambda path, query: ApiError(403, {"message": "pods is forbidden"}, "GET pods"))
    with pytest.raises(Failure, match="forbidden"):
        list(follow(client))
    assert len([query for _, query in client.asked if query]) == 1


def test_logs_end_with_the_cause_when_the_lines_may_not_be_read() -> None:
    def stream(path: str, query: dict[str, str]) -> Answer:
        if path.endswith("/pods"):
            return [event("ADDED", **pod())]
        return ApiError(403, {"message": "pods/log is forbidden"}, "GET log")

    with pytest.raises(Failure, match="log is forbidden"):
        taken(follow(Scripted(stream, pod)), 1)


def test_logs_end_with_the_cause_when_the_server_is_gone_and_stays_gone() -> None:
    with pytest.raises(Failure, match="no answer"):
        list(follow(Scripted(lambda path, query: SILENT)))


def test_after_a_break_pods_that_come_later_are_followed_too() -> None:
    watches: list[Answer] = [[event("ADDED", **pod(name="web-2", uid="u2"))], SILENT, [event("ADDED", **pod()), '{"type": "ADD']]

    def stream(path: str, query: dict[str, str]) -> Answer:
        if path.endswith("/pods"):
            return watches.pop() if watches else []
        return [stamped(1, path.split("/")[-2])]

    client = Scripted(stream, lambda: pod(state="terminated"))
    assert sorted(taken(follow(client), 2)) == ["web-1", "web-2"]


def test_a_stream_of_lines_that_breaks_goes_on_after_the_last_line() -> None:
    streams: list[Answer] = [
        [stamped(2, "two"), stamped(2, "again two"), stamped(3, "three"), "no time at all"],
        [stamped(2, "two"), stamped(2, "again two")],
        SILENT,
        [stamped(1, "one"), stamped(2, "two"), stamped(2, "again two")],
    ]
    queries: list[dict[str, str]] = []

    def stream(path: str, query: dict[str, str]) -> Answer:
        if path.endswith("/pods"):
            return [event("ADDED", **pod())]
        queries.append(query)
        return streams.pop() if streams else []

    assert taken(follow(Scripted(stream, pod)), 5) == ["one", "two", "again two", "three", "no time at all"]
    first, *others = queries[:4]
    assert (first["tailLines"], first["sinceSeconds"]) == ("7", "60") and "sinceTime" not in first
    for query in others:
        assert query["sinceTime"] == "2026-01-01T00:00:02.000000000Z" and not query.keys() & {"tailLines", "sinceSeconds"}


def test_a_container_that_ended_is_not_read_again_and_its_next_run_is() -> None:
    reads: list[str] = []

    def stream(path: str, query: dict[str, str]) -> Answer:
        if path.endswith("/pods"):
            return [event("ADDED", **pod())] if not reads else []
        reads.append(query.get("sinceTime", ""))
        return [stamped(1, "first run")] if len(reads) == 1 else [stamped(1, "first run"), stamped(2, "second run")]

    client = Scripted(stream, lambda: pod("containerd://2", "terminated"))
    lines = follow(client)
    assert taken(lines, 2) == ["first run", "second run"]
    threading.Event().wait(0.2)
    assert reads == ["", "2026-01-01T00:00:01.000000000Z"]


def test_what_ended_before_anyone_looked_is_read_once() -> None:
    def stream(path: str, query: dict[str, str]) -> Answer:
        return [event("ADDED", **pod(state="terminated"))] * 2 if path.endswith("/pods") else [stamped(1, "its only words")]

    client = Scripted(stream, lambda: pod(state="terminated"))
    assert taken(follow(client), 1) == ["its only words"]
    threading.Event().wait(0.2)
    assert len([path for path, _ in client.asked if path.endswith("/log")]) == 1


def test_lines_that_are_followed_have_a_longest_silence() -> None:
    """A connection that is gone without a word would keep the reader for ever."""
    client = Scripted(lambda path, _: [event("ADDED", **pod())] if path.endswith("/pods") else [stamped(1, "one")], pod)
    assert taken(follow(client), 1) == ["one"]
    assert client.silences == {"pods": following.SILENCE_SECONDS, "log": following.SILENCE_SECONDS}


def test_a_line_ends_where_its_writer_ended_it() -> None:
    written = "\n".join([stamped(2, "50 %\r100 %\x0cdone"), stamped(1, "a text\u2028of two\x85lines"), ""])
    found = {**pod(), "spec": {"containers": [{"name": "web"}]}}
    lines = list(logs.written(Scripted(lambda *_: [written], lambda: found), Selector("n"), LogSelection()))
    assert [line.text for line in lines] == ["a text\u2028of two\x85lines", "50 %\r100 %\x0cdone"]


def test_following_ends_when_its_reader_has_left_though_nothing_is_written() -> None:
    assert list(follow(Scripted(lambda path, query: [], pod), going=lambda: False)) == []
