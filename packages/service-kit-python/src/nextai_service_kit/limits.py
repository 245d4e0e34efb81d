"""The limits of every stack (packages/contract), in seconds and bytes. Those of waiting decrease inwards."""

from typing import Final

PAGE: Final = 10.0
"""A page, from its request to the last byte of the answer."""

GATEWAY: Final = 8.0
"""The gateway, for a service's whole answer."""

REQUEST: Final = 6.0
"""A service, from a request's headers to its answer."""

STORE: Final = 4.0
"""A store, with the wait for a connection to it."""

SILENCE: Final = 2.0
"""A store that does not answer at all."""

OPTIONAL: Final = 0.5
"""A store that requests get along without: what counts, or remembers."""

READINESS: Final = 2.0
"""A store that readiness asks."""

PAGE_IDLE: Final = 60.0
"""Between two parts of a stream: then a page gives it up."""

GATEWAY_IDLE: Final = 45.0
"""The same, for the gateway."""

HEARTBEAT: Final = 15.0
"""A stream that has nothing to say says so this often."""

DRAIN: Final = 3.0
"""After SIGTERM: connections that are kept learn from their next answer that they end."""

FAREWELL: Final = 10.0
"""After that: requests under way."""

BODY: Final = 64 * 1024
"""Bytes of the largest body of a request to a service."""
