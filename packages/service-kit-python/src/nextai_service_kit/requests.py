"""What happens around every request: an id, one log line, limits of size and time, and an error body when something breaks."""

import asyncio
import logging
import re
import secrets
import threading
import time

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from nextai_service_kit import errors, limits
from nextai_service_kit.logs import request_id

HEADER = "X-Request-Id"

draining = threading.Event()
"""Set at the end of the process: from then on an answer also ends its connection."""

# An id goes into logs and into other services' headers, so a caller's own is taken only in this form,
# the same as in the gateway, which would replace any other before it comes here.
_ACCEPTABLE = re.compile(r"[A-Za-z0-9._-]{8,64}")

_log = logging.getLogger(__name__)


class RequestMiddleware:
    """Outermost middleware of every service."""

    def __init__(self, app: ASGIApp, limit: float = limits.REQUEST) -> None:
        self.app = app
        self.limit = limit

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        identity = Headers(scope=scope).get(HEADER, "")
        if not _ACCEPTABLE.fullmatch(identity):
            identity = secrets.token_hex(16)
        request_id.set(identity)  # uvicorn serves each request in a context of its own
        began, exchange = time.perf_counter(), _Exchange(scope, receive, send, identity)
        try:
            await self._serve(exchange)
        except _TooLarge:
            await exchange.refuse(413, "The body is too large.")
        except Exception:
            _log.exception("request failed")
            if exchange.status:
                raise  # half an answer has gone: only breaking off tells the client so
            await exchange.refuse(500, "Something went wrong on our side.")
        finally:
            _write(scope, exchange.status, time.perf_counter() - began)

    async def _serve(self, exchange: "_Exchange") -> None:
        if exchange.announced > limits.BODY:
            raise _TooLarge
        # Whoever takes GET takes HEAD: the app answers as to GET, and the server, which knows the request's own scope, sends no body.
        asked = {**exchange.scope, "method": "GET"} if exchange.scope["method"] == "HEAD" else exchange.scope
        work = asyncio.ensure_future(self.app(asked, exchange.receive, exchange.answer))
        try:
            done, _ = await asyncio.wait({work}, timeout=self.limit)
        except asyncio.CancelledError:
            work.cancel()
            raise
        if done or exchange.status:
            await work
        elif not exchange.arrived:
            work.cancel()
            await exchange.refuse(408, "The request did not arrive in time.")
        else:
            # A thread cannot be cancelled: it ends by its store's own limits, and its answer goes nowhere.
            _log.error("the answer took too long")
            work.add_done_callback(_forget)
            await exchange.refuse(503, "The service is not available now. Try again soon.")


class _TooLarge(Exception):
    """A request's body is larger than `limits.BODY`."""


class _Exchange:
    """A request and what has been answered to it."""

    def __init__(self, scope: Scope, receive: Receive, send: Send, identity: str) -> None:
        self.scope = scope
        self.status = 0
        headers = Headers(scope=scope)
        self.announced = int(headers.get("Content-Length", "0"))
        self.arrived = not self.announced and "Transfer-Encoding" not in headers
        self._receive, self._send, self._identity = receive, send, identity
        self._bytes = 0
        self._refused = False

    async def receive(self) -> Message:
        """The next part of the request."""
        message = await self._receive()
        self._bytes += len(message.get("body", b""))
        self.arrived = not message.get("more_body", False)
        if self._bytes > limits.BODY:
            raise _TooLarge
        return message

    async def answer(self, message: Message) -> None:
        """Send a part of the app's answer, unless another was given in its place."""
        if not self._refused:
            await self._pass(message)

    async def refuse(self, status: int, message: str) -> None:
        """Answer in the app's place, and end the connection where the rest of the request would still be coming."""
        self._refused = True
        response = errors.refusal(status, message)
        if status in {408, 413}:
            response.headers["Connection"] = "close"
        await response(self.scope, self._receive, self._pass)

    async def _pass(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
            headers = MutableHeaders(scope=message)
            headers[HEADER] = self._identity
            headers.setdefault("Cache-Control", "no-store")  # unless the route says otherwise
            if draining.is_set():
                headers["Connection"] = "close"
        await self._send(message)


def _forget(work: "asyncio.Future[None]") -> None:
    """Look at the outcome of work that nobody waits for any more, or asyncio would complain of it."""
    if not work.cancelled() and work.exception() is not None:
        _log.warning("what took too long has failed", extra={"fields": {"error": str(work.exception())}})


def _write(scope: Scope, status: int, seconds: float) -> None:
    """Log one request. The query is left out: it holds what people search for."""
    # Probes come every few seconds.
    level = logging.DEBUG if scope["path"].startswith("/health") else logging.ERROR if status >= 500 else logging.INFO
    fields = {"method": scope["method"], "path": scope["path"], "status": status, "durationMs": round(seconds * 1000, 3)}
    _log.log(level, "request", extra={"fields": fields})
