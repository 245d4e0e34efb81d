"""What happens around every request: an id, one log line, and an error body when something breaks."""

import logging
import re
import secrets
import time

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from nextai_service_kit import errors
from nextai_service_kit.logs import request_id

HEADER = "X-Request-Id"

# An id goes into logs and into other services' headers, so a caller's own is taken only in this form,
# the same as in the gateway, which would replace any other before it comes here.
_ACCEPTABLE = re.compile(r"[A-Za-z0-9._-]{8,64}")

_log = logging.getLogger(__name__)


class RequestMiddleware:
    """Outermost middleware of every service."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        identity = Headers(scope=scope).get(HEADER, "")
        if not _ACCEPTABLE.fullmatch(identity):
            identity = secrets.token_hex(16)
        request_id.set(identity)  # uvicorn serves each request in a context of its own
        began, status = time.perf_counter(), 0

        async def answer(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                MutableHeaders(scope=message)[HEADER] = identity
            await send(message)

        try:
            await self.app(scope, receive, answer)
        except Exception:
            _log.exception("request failed")
            if status:
                raise  # half an answer has gone: only breaking off tells the client so
            await errors.body(500, "internal_error", "Something went wrong on our side.")(scope, receive, answer)
        finally:
            _write(scope, status, time.perf_counter() - began)


def _write(scope: Scope, status: int, seconds: float) -> None:
    """Log one request. The query is left out: it holds what people search for."""
    # Probes come every few seconds.
    level = logging.DEBUG if scope["path"].startswith("/health") else logging.ERROR if status >= 500 else logging.INFO
    fields = {"method": scope["method"], "path": scope["path"], "status": status, "durationMs": round(seconds * 1000, 3)}
    _log.log(level, "request", extra={"fields": fields})
