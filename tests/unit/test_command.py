"""A command that tells as it goes: its lines come at once, its end is told, and leaving early ends it."""

import os
import sys
import time

import pytest

from ops.command import Command, lines
from ops.errors import Failure


def python(script: str) -> Command:
    return Command((sys.executable, "-uc", script), "trying")


def test_lines_come_before_the_command_ends() -> None:
    begin = time.monotonic()
    found = lines(python("import time; print('first'); time.sleep(30)"))
    assert next(found) == "first"
    found.close()
    assert time.monotonic() - begin < 20


def test_leaving_early_ends_the_command() -> None:
    found = lines(python("import os, time; print(os.getpid()); time.sleep(60)"))
    pid = int(next(found))
    found.close()
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


def test_a_failure_is_told_after_the_last_line_with_what_was_said() -> None:
    found = lines(python("import sys; print('line'); sys.exit('the cause')"))
    assert next(found) == "line"
    with pytest.raises(Failure, match="the cause"):
        next(found)


def test_a_program_that_is_missing_is_named() -> None:
    with pytest.raises(Failure, match="no-such-program"):
        list(lines(Command(("no-such-program",), "trying")))
