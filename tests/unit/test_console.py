"""Errors in three parts, secrets never shown, documents for machines."""

import io
import json
import os
import pickle
import subprocess
import sys
from pathlib import Path

import pytest

from ops import console
from ops.command import Command, run
from ops.console.verb import guarded
from ops.errors import Failure, Refused, RolledBack, UsageError
from ops.secret import Secret

ROOT = Path(__file__).resolve().parents[2]


def test_a_failure_is_told_in_three_parts_with_its_exit_code(capsys: pytest.CaptureFixture[str]) -> None:
    for kind, code in ((Failure, 1), (UsageError, 2), (Refused, 3), (RolledBack, 4)):

        def work(kind: type[Failure] = kind) -> int:
            raise kind("deploying staging", "web: image not found", "Push it.")

        assert guarded(work) == code
        assert capsys.readouterr().err.splitlines() == ["error: deploying staging", " cause: web: image not found", "  next: Push it."]


def test_ctrl_c_and_a_full_disk_end_without_a_traceback(capsys: pytest.CaptureFixture[str]) -> None:
    def interrupted() -> int:
        raise KeyboardInterrupt

    def full() -> int:
        raise OSError(28, "No space left on device", "/x")

    assert guarded(interrupted) == 130
    assert guarded(full) == 1
    assert "The disk is full" in capsys.readouterr().err


def test_a_secret_is_never_shown() -> None:
    secret = Secret("hunter2")
    shown = f"{secret} {secret!r} {secret:>10} {[secret]} %s" % secret
    assert "hunter2" not in shown and secret.reveal() == "hunter2"
    with pytest.raises(TypeError):
        pickle.dumps(secret)


def test_json_has_stdout_for_itself(capsys: pytest.CaptureFixture[str]) -> None:
    console.use_json(True)
    try:
        console.say("for people")
        console.table(("a", "b"), [("1", "2")])
        console.emit_json({"x": 1})
    finally:
        console.use_json(False)
    captured = capsys.readouterr()
    assert json.loads(captured.out) == {"version": 1, "x": 1}
    assert "for people" in captured.err


def test_a_cell_that_is_longer_than_a_terminal_goes_on_in_the_next_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    monkeypatch.setenv("COLUMNS", "80")
    path = "/home/somebody" + "/a-long-folder" * 10
    console.table(("what", "where"), [("cache", path)])
    shown = capsys.readouterr().out
    assert f"cache{path}" in "".join(shown.split()), shown


def test_a_question_without_a_terminal_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(Refused, match="no terminal"):
        console.confirm("Go on?", yes=False)
    console.confirm("Go on?", yes=True)


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize("as_json", [True, False])
def test_a_question_stands_where_peoples_text_goes(
    as_json: bool, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "stdin", Terminal("y\n"))
    monkeypatch.setattr(sys.stderr if as_json else sys.stdout, "isatty", lambda: True)
    console.use_json(as_json)
    try:
        console.confirm("Go on?", yes=False)
    finally:
        console.use_json(False)
    captured = capsys.readouterr()
    assert (captured.out, captured.err) == (("", "Go on? [y/N] ") if as_json else ("Go on? [y/N] ", ""))


def test_a_missing_program_and_a_failed_one_are_told_with_what_was_being_done() -> None:
    with pytest.raises(Failure, match="trying: no-such-program: not found"):
        run(Command(("no-such-program",), "trying"))
    with pytest.raises(Failure, match=r"(?s)`sh` exited 3.*the last word"):
        run(Command(("sh", "-c", "echo the last word >&2; exit 3"), "trying"))
    with pytest.raises(Failure, match="no answer within"):
        run(Command(("sleep", "5"), "waiting"), timeout=0.05)


def test_a_command_gets_its_own_environment_on_top() -> None:
    assert run(Command(("printenv", "A"), "asking", env={"A": "b"})).stdout == "b\n"
    assert "A" not in os.environ


@pytest.mark.parametrize("leaves", [True, False])
def test_a_reader_that_leaves_is_noticed_before_anything_is_written(leaves: bool) -> None:
    program = "import sys\nfrom ops.console import has_reader\nsys.stdin.readline()\nprint(has_reader(), file=sys.stderr)\n"
    argv = (sys.executable, "-c", program)
    with subprocess.Popen(argv, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as child:
        assert child.stdin and child.stdout and child.stderr
        if leaves:
            child.stdout.close()
        child.stdin.write("go\n")
        child.stdin.close()
        assert child.stderr.read() == f"{not leaves}\n"
