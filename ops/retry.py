"""What is tried again over a network, how long, and what is told when it stays: one policy for every client.

Tried again is what passes by itself: an answer that says so (429, 5xx), a connection that was cut or refused, silence. Whether a request
may be sent twice is its client's to know. A server that says when to come back (`Retry-After`) is taken at its word.
"""

import random
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Final, TypeVar

from ops.errors import Failure

T = TypeVar("T")

# RFC 9110 and RFC 6585: the same request may be answered otherwise later. 501 and 505 are not among them.
_PASSING: Final = frozenset({408, 425, 429, 500, 502, 503, 504})
# With these the server says that it has not begun: what is no repeatable request may be sent again too.
_NOT_BEGUN: Final = frozenset({425, 429})


@dataclass(frozen=True, slots=True)
class Policy:
    """How often something is tried, and how long in all. Seconds."""

    tries: int = 8
    first: float = 0.25  # before the second try; before each later one twice as long
    longest: float = 8.0
    seconds: float = 60.0  # after which no try begins

    def pause(self, tried: int, asked: float | None = None, chance: Callable[[], float] = random.random) -> float:
        """How long to wait after so many tries: what the server `asked` for at least, and never all clients at the same moment."""
        backoff = min(self.longest, self.first * 2.0 ** (tried - 1))
        return max(asked or 0.0, backoff * (0.5 + chance() / 2))


USUAL: Final = Policy()
ONCE: Final = Policy(tries=1)


class Transient(Exception):
    """One try failed by something that may pass. `failure` is what is raised if it does not, `asked` what `Retry-After` says (seconds).

    `perhaps`: what was asked for may have been done all the same.
    """

    def __init__(self, failure: Failure, asked: float | None = None, *, perhaps: bool = True) -> None:
        super().__init__(str(failure))
        self.failure = failure
        self.asked = asked
        self.perhaps = perhaps


def persist(
    work: Callable[[int], T],
    policy: Policy = USUAL,
    *,
    sleep: Callable[[float], None] = time.sleep,
    clock: Callable[[], float] = time.monotonic,
) -> T:
    """Do it until it does not raise `Transient`; `work` gets how often it was tried before. What it raises otherwise is final.

    When tries or time run out the first cause is raised: those after it are often its echo.
    """
    begun, tried = clock(), 0
    first: Failure | None = None
    while True:
        try:
            return work(tried)
        except Transient as passing:
            tried += 1
            first = first or passing.failure
            pause = policy.pause(tried, passing.asked)
            spent = clock() - begun
            if tried >= policy.tries or spent + pause > policy.seconds:
                raise _told(first, tried, spent, passing.asked) from passing
            sleep(pause)


def passes(status: int) -> bool:
    """Whether an answer of this status may be another one later."""
    return status in _PASSING


def begun(status: int) -> bool:
    """Whether the server may have done something all the same."""
    return status not in _NOT_BEGUN


def retry_after(header: str | None, now: datetime | None = None) -> float | None:
    """The seconds that a `Retry-After` header asks for: a number, or a date (RFC 9110, section 10.2.3). None for anything else."""
    words = (header or "").strip()
    if words.isascii() and words.isdecimal():
        return float(words[:9])
    try:
        moment = parsedate_to_datetime(words)
    except (ValueError, TypeError):
        return None
    moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return max(0.0, (moment - (now or datetime.now(UTC))).total_seconds())


def _told(failure: Failure, tried: int, spent: float, asked: float | None) -> Failure:
    if tried > 1:
        failure.cause += f" (tried {tried} times in {spent:.0f} s)"
    if asked and asked > 1:
        failure.cause += f" (it asks to wait {asked:.0f} s)"
    return failure
