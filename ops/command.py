"""A command is a value before it is run, and this is the one place that runs one."""

import os
import shlex
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Generator, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, TextIO

from ops import gitwords
from ops.errors import Failure


@dataclass(frozen=True, slots=True)
class Command:
    """What will be run: argument vector, extra environment (over this process's own), folder, standard input.

    `doing` completes "while …" in the error that a failure raises, and `remedy` says what to do then.
    """

    argv: tuple[str, ...]
    doing: str
    env: Mapping[str, str] = field(default_factory=dict)
    cwd: Path | None = None
    stdin: str | None = None
    remedy: str = "Read the output above."

    def __str__(self) -> str:
        return shlex.join(self.argv)


@dataclass(frozen=True, slots=True)
class Completed:
    """How a command ended: exit code and the text it wrote (empty where it went to the terminal)."""

    code: int
    stdout: str
    stderr: str


def niced(*argv: str) -> tuple[str, ...]:
    """The same command with a lower priority: for what computes for minutes beside programs that must answer in time."""
    return ("nice", *argv) if shutil.which("nice") else argv


def environment(command: Command) -> dict[str, str]:
    """The whole environment that a command gets."""
    from ops.folders import cache_variables

    return {**os.environ, **cache_variables(), **command.env}


def run(command: Command, *, check: bool = True, show: TextIO | None = None, timeout: float | None = None) -> Completed:
    """Run a command to its end and return what it wrote.

    With `show` its output goes there instead, as it comes, and at a terminal it can ask. `timeout` is in seconds.
    Raises `Failure` when the program is missing, or takes too long, or (with `check`) exits other than 0.
    """
    try:
        with _starting(command):
            done = subprocess.run(
                command.argv,
                env=environment(command),
                cwd=command.cwd,
                input=command.stdin,
                stdin=None if command.stdin is not None or (show and sys.stdin and sys.stdin.isatty()) else subprocess.DEVNULL,
                text=True,
                errors="replace",
                stdout=show or subprocess.PIPE,
                stderr=None if show else subprocess.PIPE,
                check=False,
                timeout=timeout,
            )
    except subprocess.TimeoutExpired as error:
        raise late(command, error) from error
    completed = Completed(done.returncode, done.stdout or "", done.stderr or "")
    return checked(command, completed) if check else completed


def raw(command: Command, stdin: bytes | None = None, *, check: bool = True) -> bytes:
    """Run a command to its end and return the bytes of its standard output: for what is no text, as file names are."""
    with _starting(command):
        env = environment(command)
        done = subprocess.run(command.argv, env=env, cwd=command.cwd, input=stdin or b"", capture_output=True, check=False)
    if check:
        checked(command, Completed(done.returncode, "", done.stderr.decode(errors="replace")))
    return done.stdout


def late(command: Command, error: subprocess.TimeoutExpired) -> Failure:
    """A command that takes too long."""
    return Failure(command.doing, f"`{command.argv[0]}` gave no answer within {error.timeout:g} s", command.remedy)


def checked(command: Command, completed: Completed) -> Completed:
    """What a command wrote. Raises `Failure` with its last lines where it exited other than 0."""
    if completed.code:
        words = _last_words(command, completed)
        raise Failure(command.doing, words, (gitwords.remedy(words) if command.argv[0] == "git" else None) or command.remedy)
    return completed


def lines(command: Command) -> Generator[str]:
    """Run a command, and yield the lines of its standard output as they come; leaving early ends it.

    Raises `Failure` when the program is missing, or exits other than 0 after its last line.
    """
    with tempfile.TemporaryFile("w+", errors="replace") as words:
        with started(command, stderr=words) as process:
            try:
                assert process.stdout is not None
                for line in process.stdout:
                    yield line.rstrip("\n")
                code = process.wait()
            finally:
                process.kill()
        words.seek(0)
        checked(command, Completed(code, "", words.read()))


def started(command: Command, *, stderr: int | IO[str] = subprocess.PIPE, own_session: bool = False) -> subprocess.Popen[str]:
    """A command that runs, without a standard input, and writes into a pipe. `own_session`: a terminal's Ctrl-C does not reach it.

    Raises `Failure` when it cannot be started.
    """
    with _starting(command):
        return subprocess.Popen(
            command.argv,
            env=environment(command),
            cwd=command.cwd,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=stderr,
            text=True,
            errors="replace",
            start_new_session=own_session,
        )


@contextmanager
def _starting(command: Command) -> Iterator[None]:
    """A program that cannot be started, in the words of a `Failure`."""
    try:
        yield
    except FileNotFoundError as error:
        raise Failure(command.doing, f"{error.filename}: not found", "Run `invoke doctor` to see which tools are missing.") from error
    except PermissionError as error:
        if error.filename == command.argv[0] and os.sep not in command.argv[0]:  # what the system says where a folder of PATH is closed
            cause = f"{error.filename}: not found where this user may look, on PATH"
            raise Failure(command.doing, cause, "Run `invoke doctor` to see which tools are missing.") from error
        raise Failure(command.doing, f"{error.filename}: {error.strerror}", "Check the file's permissions.") from error


def _last_words(command: Command, completed: Completed, lines: int = 20) -> str:
    """How a command ended, and the last lines that it wrote."""
    text = (completed.stderr.strip() or completed.stdout.strip()).splitlines()[-lines:]
    return "\n".join([f"`{Path(command.argv[0]).name}` exited {completed.code}", *text])
