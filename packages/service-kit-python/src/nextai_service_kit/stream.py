"""An answer that is made while it is read: server-sent events, for a route with `stream: true` in platform.yaml.

Format: https://html.spec.whatwg.org/multipage/server-sent-events.html
"""

import asyncio
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass

from fastapi.responses import StreamingResponse

from nextai_service_kit.limits import HEARTBEAT


@dataclass(frozen=True, slots=True)
class Event:
    """`data` is sent as JSON. `id`: what a reader that connects again says as Last-Event-ID. `name`: its type, "message" where empty."""

    data: object
    id: str = ""
    name: str = ""


def events(source: AsyncIterator[Event], heartbeat: float = HEARTBEAT) -> StreamingResponse:
    """The answer of a route: each event as soon as it is there, and a comment where none comes for `heartbeat` seconds.

    The answer begins at once. When the reader leaves, the source is cancelled where it waits (`asyncio.CancelledError`) and closed.
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
        coming.cancel()
        await asyncio.gather(coming, return_exceptions=True)
        close = getattr(source, "aclose", None)
        if close is not None:
            await close()


async def _next(source: AsyncIterator[Event]) -> Event | None:
    return await anext(source, None)


def _written(event: Event) -> str:
    """An event's lines. JSON has no line breaks of its own; an id or a name that has one would be another field."""
    if any(mark in text for text in (event.id, event.name) for mark in "\r\n\0"):
        raise ValueError("an event's id and name are one line")
    fields = {"id": event.id, "event": event.name, "data": json.dumps(event.data, ensure_ascii=False)}
    return "".join(f"{name}: {text}\n" for name, text in fields.items() if text) + "\n"
