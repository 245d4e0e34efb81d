"""The platform's error body: {"error": {"code", "message", "requestId"}}."""

import logging

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from fastapi.routing import iter_route_contexts
from starlette.exceptions import HTTPException
from starlette.routing import Match

from nextai_service_kit.connection import StoreUnavailable
from nextai_service_kit.logs import request_id

CODES = {
    400: "bad_request",
    404: "not_found",
    405: "method_not_allowed",
    408: "request_timeout",
    413: "payload_too_large",
    415: "unsupported_media_type",
    422: "validation",
    500: "internal_error",
    503: "unavailable",
}
"""The codes of statuses that mean the same wherever they come from (packages/contract)."""


_log = logging.getLogger(__name__)


class ApiError(Exception):
    """An answer that is an error: HTTP status, a code for programs, a message for people."""

    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(f"{status} {code}")
        self.status = status
        self.code = code
        self.message = message


def body(status: int, code: str, message: str) -> JSONResponse:
    """An error as a response. What is unavailable says when to come again."""
    headers = {"Retry-After": "1"} if status == 503 else None
    return JSONResponse({"error": {"code": code, "message": message, "requestId": request_id.get()}}, status, headers)


def refusal(status: int, message: str) -> JSONResponse:
    """An error with the code of its status."""
    return body(status, CODES[status], message)


def install(app: FastAPI) -> None:
    """Make every error of an app answer with the error body."""
    app.add_exception_handler(ApiError, _api_error)
    app.add_exception_handler(StoreUnavailable, _unavailable)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(HTTPException, _http_error)


async def _api_error(_request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, ApiError)
    return body(error.status, error.code, error.message)


async def _unavailable(_request: Request, error: Exception) -> JSONResponse:
    _log.error("a store is unavailable", extra={"fields": {"error": str(error)}})
    return refusal(503, "The service is not available now. Try again soon.")


async def _invalid(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, RequestValidationError)
    if any(problem["type"] == "json_invalid" for problem in error.errors()):
        return refusal(400, _NOT_JSON)
    if _is_other(request) and any(problem["loc"] == ("body",) for problem in error.errors()):
        return refusal(415, "The body must be application/json.")
    # What was sent is not repeated: it may be private.
    problems = [f"{'.'.join(str(part) for part in problem['loc'][1:]) or 'body'}: {problem['msg']}" for problem in error.errors()]
    return refusal(422, "; ".join(problems))


_NOT_JSON = "The body is not valid JSON."
_MESSAGES = {400: _NOT_JSON, 404: "There is nothing at this address.", 405: "This address does not take that method."}


def _methods(request: Request) -> list[str]:
    """The methods that an address takes. FastAPI itself names those of the first route alone."""
    found: set[str] = set()
    for route in iter_route_contexts(request.app.routes):  # those of included routers too
        if route.methods and route.matches(request.scope)[0] is not Match.NONE:
            found |= route.methods
    if "GET" in found:
        found.add("HEAD")  # RequestMiddleware
    return sorted(found)


def _is_other(request: Request) -> bool:
    """Whether a body is said to be something else than JSON."""
    kind = request.headers.get("Content-Type", "").partition(";")[0].strip().lower()
    return bool(kind) and kind != "application/json"


async def _http_error(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, HTTPException)
    code = CODES.get(error.status_code, CODES[400])
    answer = body(error.status_code, code, _MESSAGES.get(error.status_code, "The request cannot be read."))
    answer.headers.update(error.headers or {})
    if error.status_code == 405:
        answer.headers["Allow"] = ", ".join(_methods(request))
    return answer
