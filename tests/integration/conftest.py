"""The testbed, once for all tests of a session: started by the first that asks for it, stopped after the last."""

import os
import signal
from collections.abc import Iterator

import pytest

from ops import testbed as rooms
from ops.testbed import Testbed

# A shell that puts its commands into the background makes them ignore Ctrl-C, and what they start inherits it: these tests press it.
signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="session")
def testbed_was_running() -> bool:
    """Whether somebody's testbed ran before this session: then it stays, and nothing may end it."""
    return rooms.unavailable() is None and rooms.running() is not None


@pytest.fixture(scope="session")
def testbed(testbed_was_running: bool) -> Iterator[Testbed]:
    """A real Docker Engine, registry and Kubernetes. Where none can run the test is skipped with the reason; with CI=true it fails."""
    reason = rooms.unavailable()
    if reason:
        text = f"no testbed on this machine: {reason}"
        if os.environ.get("CI") == "true":
            pytest.fail(text)
        pytest.skip(text)
    yield rooms.up()
    if not testbed_was_running:
        rooms.down()
