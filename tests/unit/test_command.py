"""A command that tells as it goes: its lines come at once, its end is told, and leaving early ends it."""

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from ops.command import Command, lines, niced, run
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


ASK = """
from ops.command import Command, run
script = "read answer || answer=nothing; echo it read $answer"
print(run(Command(("sh", "-c", script), "asking"), show=SHOW).stdout, end="")
"""


@pytest.mark.parametrize(("show", "terminal", "answer"), [(True, True, "yes"), (True, False, "nothing"), (False, True, "nothing")])
def test_a_command_that_is_shown_on_a_terminal_can_ask_there(show: bool, terminal: bool, answer: str) -> None:
    ours, theirs = os.openpty() if terminal else os.pipe()
    os.write(ours if terminal else theirs, b"yes\n")
    argv = (sys.executable, "-c", ASK.replace("SHOW", str(show)))
    root = Path(__file__).resolve().parents[2]
    try:
        done = subprocess.run(argv, stdin=theirs if terminal else ours, capture_output=True, text=True, cwd=root, timeout=60, check=True)
    finally:
        os.close(ours)
        os.close(theirs)
    assert done.stdout == f"it read {answer}\n"


def test_a_niced_command_gives_way_to_others_and_passes_on_its_exit_code() -> None:
    argv = (sys.executable, "-c", "import os, sys; print(os.getpriority(os.PRIO_PROCESS, 0)); sys.exit(3)")
    plain, giving_way = (run(Command(words, "trying it"), check=False) for words in (argv, niced(*argv)))
    assert (plain.code, giving_way.code) == (3, 3)
    assert int(giving_way.stdout) > int(plain.stdout)
