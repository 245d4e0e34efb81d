"""Server-sent events through a real server: as they are made, with heartbeats, and cancelled when the reader leaves."""

import asyncio
import json
import socket
import threading
import time
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterator
from contextlib import contextmanager

import pytest
import uvicorn
from fastapi import FastAPI
from fastapi.responses import StreamingResponse

from nextai_service_kit.requests import RequestMiddleware
from nextai_service_kit.stream import Event, events
from nextai_service_kit.testing import free_port

Source = Callable[[], AsyncIterator[Event]]


@contextmanager
def served(source: Source, heartbeat: float = 60) -> Iterator[socket.socket]:
    """A reader of an app that streams, with the middleware of every service, whose limit of an answer is short here."""
    app = FastAPI()
    app.add_middleware(RequestMiddleware, limit=0.2)

    @app.get("/")
    async def stream() -> StreamingResponse:
        return events(source(), heartbeat)

    port = free_port()
    server = uvicorn.Server(uvicorn.Config(app, host="127.0.0.1", port=port, log_config=None, timeout_graceful_shutdown=1))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    over = time.monotonic() + 30
    while not server.started:
        assert time.monotonic() < over
        time.sleep(0.02)
    with socket.create_connection(("127.0.0.1", port), timeout=30) as reader:
        reader.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        yield reader
    server.should_exit = True
    thread.join(timeout=30)


def heard(reader: socket.socket, text: bytes) -> bytes:
    """What has come, once it holds a text."""
    found = b""
    while text not in found:
        part = reader.recv(4096)
        assert part, found
        found += part
    return found


def test_events_come_as_they_are_made_and_longer_than_an_answer_may_take() -> None:
    more = threading.Event()

    async def source() -> AsyncIterator[Event]:
        yield Event({"text": "first\nline"}, id="1-0")
        while not more.is_set():
            await asyncio.sleep(0.01)
        yield Event("second", name="end")

    with served(source) as reader:
        head = heard(reader, b'id: 1-0\ndata: {"text": "first\\nline"}\n\n')
        assert b"text/event-stream" in head and b"no-store, no-transform" in head
        time.sleep(0.4)  # twice the limit of an answer
        more.set()
        assert b'event: end\ndata: "second"\n\n' in heard(reader, b"0\r\n\r\n")


def test_a_stream_that_has_nothing_to_say_says_so() -> None:
    async def source() -> AsyncIterator[Event]:
        await asyncio.Event().wait()
        yield Event(None)

    with served(source, heartbeat=0.05) as reader:
        found = b""
        while found.count(b":\n\n") < 4:
            found += reader.recv(4096)


def test_a_reader_that_leaves_cancels_what_is_being_done() -> None:
    ended = threading.Event()

    async def source() -> AsyncIterator[Event]:
        try:
            yield Event("first")
            await asyncio.Event().wait()
        finally:
            ended.set()

    with served(source) as reader:
        heard(reader, b'"first"')
        assert not ended.is_set()
        reader.close()
        assert ended.wait(30)


def test_a_source_may_wait_in_its_clean_up() -> None:
    waiting, ended = threading.Event(), threading.Event()

    async def source() -> AsyncIterator[Event]:
        try:
            yield Event("first")
            waiting.set()
            await asyncio.Event().wait()
        finally:
            await asyncio.sleep(0.05)
            ended.set()

    with served(source) as reader:
        heard(reader, b'"first"')
        assert waiting.wait(30)
        reader.close()
        assert ended.wait(30)


def test_a_clean_up_that_fails_is_told_by_the_log(caplog: pytest.LogCaptureFixture) -> None:
    async def source() -> AsyncIterator[Event]:
        try:
            await asyncio.Event().wait()
            yield Event(None)
        finally:
            raise OSError("the store is away")

    async def leave() -> None:
        answer = events(source(), heartbeat=0.01).body_iterator
        assert isinstance(answer, AsyncGenerator)
        for _ in range(2):  # the beginning, and a heartbeat: the source waits by now
            await anext(answer)
        await answer.aclose()

    asyncio.run(leave())
    (record,) = [record for record in caplog.records if record.getMessage() == "a stream's source did not end well"]
    assert record.exc_info and str(record.exc_info[1]) == "the store is away"


def test_any_text_is_passed_on_also_half_a_character() -> None:
    said = ["\ud83c", "\udf88", "é\u2028"]

    async def source() -> AsyncIterator[Event]:
        for text in said:
            yield Event(text)

    with served(source) as reader:
        lines = heard(reader, b"\r\n0\r\n\r\n").decode().splitlines()
    assert [json.loads(line.removeprefix("data: ")) for line in lines if line.startswith("data: ")] == said


def test_an_id_is_one_line() -> None:
    async def source() -> AsyncIterator[Event]:
        yield Event("x", id="1\ndata: forged")

    async def read() -> None:
        async for _ in events(source()).body_iterator:
            pass

    with pytest.raises(ValueError, match="one line"):
        asyncio.run(read())
