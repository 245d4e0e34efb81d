"""An answer of the API server that does not end: a watch, a log."""

import json
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from ops.documents import Json
from ops.errors import Failure
from ops.kube.errors import NO_API_SERVER
from ops.kube.objects import Object

if TYPE_CHECKING:
    from urllib3 import BaseHTTPResponse


class Stream(Protocol):
    """An answer that does not end: lines, until it is closed."""

    def lines(self) -> Iterator[bytes]:
        """Each line of the answer. Where it breaks off the lines end, without the half one."""

    def close(self) -> None:
        """End it from any thread."""


@dataclass(slots=True)
class Lines:
    """A stream over one response."""

    response: "BaseHTTPResponse"
    closed: bool = False

    def lines(self) -> Iterator[bytes]:
        """As `Stream` says."""
        rest = b""
        try:
            for chunk in self.response.stream(64 * 1024, decode_content=False):
                *whole, rest = (rest + chunk).split(b"\n")
                yield from whole
        except Exception as error:
            from urllib3.exceptions import HTTPError

            # A stream that was shut under the reader's feet ends in whatever the reader was doing.
            if not self.closed and not isinstance(error, HTTPError | OSError):
                raise
            rest = b""  # half a line, which would be taken for a whole one
        finally:
            self.response.close()
        if rest:
            yield rest

    def close(self) -> None:
        """As `Stream` says."""
        # Wakes the thread that is blocked in a read, which then closes the connection; close() here would wait for it.
        self.closed = True
        with suppress(OSError, ValueError, RuntimeError):
            self.response.shutdown()


def events(stream: Stream) -> Iterator[Object]:
    """The events of a watch. Raises `Failure` for one that is no JSON."""
    for line in stream.lines():
        try:
            event: Json = json.loads(line) if line else {}
        except ValueError as error:
            raise Failure("watching the cluster", "its API server sent an event that is no JSON", NO_API_SERVER) from error
        yield event if isinstance(event, dict) else {}
