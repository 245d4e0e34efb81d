"""What every test shares."""

import signal

import pytest
from hypothesis import HealthCheck, settings

from ops.checks.ending import as_ctrl_c

# pytest's workers ignore it, and so does what a shell puts into the background: tests press it, and what they start inherits it.
signal.signal(signal.SIGINT, signal.default_int_handler)
as_ctrl_c()  # what a test has started is ended by its fixtures, also when the run is told to end

# How long an example takes says how busy the machine is, and nothing about the code.
settings.register_profile("any-machine", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("any-machine")


@pytest.fixture(autouse=True)
def _ctrl_c() -> None:
    """Ctrl-C as a terminal has it, also after a test that has left it ignored: what a test starts inherits that."""
    signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_addoption(parser: pytest.Parser) -> None:
    """The option that rewrites what people read (tests/golden.py)."""
    parser.addoption("--golden", action="store_true", help="rewrite tests/golden/*.txt; refused in CI")
