"""Two clocks: this machine's, and what a server's answer says of its own."""

import time
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime


def clock() -> float:
    """Seconds by a clock that nobody sets, and that counts the time in which the machine sleeps, where there is one."""
    which = getattr(time, "CLOCK_BOOTTIME", getattr(time, "CLOCK_MONOTONIC", None))  # macOS's monotonic clock counts sleep by itself
    return time.monotonic() if which is None else time.clock_gettime(which)


def time_of(date: str | None) -> datetime:
    """The time that a server's answer says; this machine's where that is the same, as the header has whole seconds only."""
    here = datetime.now(UTC)
    try:
        there = parsedate_to_datetime(date) if date else here
    except (ValueError, TypeError):
        return here
    there = there if there.tzinfo else there.replace(tzinfo=UTC)
    return there if abs(there - here) > timedelta(seconds=2) else here
