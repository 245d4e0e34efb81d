"""One line per event on stdout, as JSON or as text, for the service's own loggers and for its libraries'."""

import json
import logging
import sys
from contextvars import ContextVar
from datetime import UTC, datetime

request_id: ContextVar[str] = ContextVar("request_id", default="")
"""The id of the request that is being served, or ""."""

_LEVELS = {"debug": logging.DEBUG, "info": logging.INFO, "warn": logging.WARNING, "error": logging.ERROR}
_NAMES = {logging.WARNING: "warn", logging.CRITICAL: "error"}


def configure(service: str, level: str, form: str) -> None:
    """Send every logger to stdout. `level` and `form` are LOG_LEVEL and LOG_FORMAT. Extra keys come from `extra={"fields": {…}}`."""
    handler = logging.StreamHandler(sys.stdout)
    handler.setFormatter(_Json(service) if form == "json" else _Text(service))
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(_LEVELS[level])
    # uvicorn's access lines are replaced by the request log, which has the platform's keys.
    logging.getLogger("uvicorn.access").disabled = True


class _Form(logging.Formatter):
    def __init__(self, service: str) -> None:
        super().__init__()
        self.service = service

    def event(self, record: logging.LogRecord) -> dict[str, object]:
        event: dict[str, object] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z"),
            "level": _NAMES.get(record.levelno, record.levelname.lower()),
            "msg": record.getMessage(),
            "service": self.service,
        }
        if identity := request_id.get():
            event["requestId"] = identity
        fields = getattr(record, "fields", None)
        if isinstance(fields, dict):
            event.update(fields)
        if record.exc_info and record.exc_info[1] is not None:
            event["error"] = str(record.exc_info[1])
            event["stack"] = self.formatException(record.exc_info)
        return event


class _Json(_Form):
    def format(self, record: logging.LogRecord) -> str:
        return json.dumps(self.event(record), ensure_ascii=False, default=str)


class _Text(_Form):
    def format(self, record: logging.LogRecord) -> str:
        return " ".join(f"{key}={_quoted(value)}" for key, value in self.event(record).items())


def _quoted(value: object) -> str:
    text = str(value)
    plain = text and text.isprintable() and not any(c in text for c in ' "=')
    return text if plain else json.dumps(text, ensure_ascii=False)
