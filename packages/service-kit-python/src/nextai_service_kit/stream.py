"""An answer that is made while it is read: server-sent events, for a route with `stream: true` in platform.yaml.

Format: https://html.spec.whatwg.org/multipage/server-sent-events.html
"""

import asyncio
import json
import logging
from collections.abc import AsyncIterator
from dataclasses import dataclass

from fastapi.responses import StreamingResponse

from nextai_service_kit.limits import HEARTBEAT

_log = logging.getLogger(__name__)
_ending: set[asyncio.Task[None]] = set()  # the event loop itself keeps no task alive


@dataclass(frozen=True, slots=True)
class Event:
    """`data` is sent as JSON. `id`: what a reader that connects again says as Last-Event-ID. `name`: its type, "message" where empty."""

    data: object
    id: str = ""
    name: str = ""


def events(source: AsyncIterator[Event], heartbeat: float = HEARTBEAT) -> StreamingResponse:
    """The answer of a route: each event as soon as it is there, and a comment where none comes for `heartbeat` seconds.

    The answer begins at once. When the reader leaves, the source is cancelled where it waits (`asyncio.CancelledError`), once, and closed.
    It may wait in its own clean-up.
    """
    return StreamingResponse(_text(source, heartbeat), media_type="text/event-stream", headers={"Cache-Control": "no-store, no-transform"})


async def _text(source: AsyncIterator[Event], heartbeat: float) -> AsyncIterator[str]:
    yield ":\n\n"  # so that whoever waits for the answer's begin does not wait for the first event
    coming: asyncio.Future[Event | None] = asyncio.ensure_future(_next(source))
    try:
        while True:
            done, _ = await asyncio.wait({coming}, timeout=heartbeat)
            if not done:
                yield ":\n\n"
                continue
            event = coming.result()
            if event is None:
                return
            yield _written(event)
            coming = asyncio.ensure_future(_next(source))
    finally:
        # A task of its own: the server cancels the answer's at each of its waits, and would cut the source's clean-up short.
        ending = asyncio.create_task(_end(source, coming))
        _ending.add(ending)
        ending.add_done_callback(_ending.discard)
        await asyncio.shield(ending)


async def _end(source: AsyncIterator[Event], coming: "asyncio.Future[Event | None]") -> None:
    """Cancel what the source waits for, and close it. The log alone tells what its clean-up raises, since the reader has left."""
    cancelled = coming.cancel()
    outcomes: list[object] = [*await asyncio.gather(coming, return_exceptions=True)]
    failures = outcomes if cancelled else []  # any other failure is the answer's own, and told there
    close = getattr(source, "aclose", None)
    if close is not None:
        failures += await asyncio.gather(close(), return_exceptions=True)
    for failure in failures:
        if isinstance(failure, Exception):
            _log.warning("a stream's source did not end well", exc_info=failure)


async def _next(source: AsyncIterator[Event]) -> Event | None:
    return await anext(source, None)


def _written(event: Event) -> str:
    """An event's lines. JSON has no line breaks of its own; an id or a name that has one would be another field.

    JSON is written as ASCII: a token may end inside a surrogate pair, and half of one cannot be written in UTF-8.
    """
    if any(mark in text for text in (event.id, event.name) for mark in "\r\n\0"):
        raise ValueError("an event's id and name are one line")
    fields = {"id": event.id, "event": event.name, "data": json.dumps(event.data)}
    return "".join(f"{name}: {text}\n" for name, text in fields.items() if text) + "\n"
