"""Lines, tables and progress for people; documents for machines."""

import io
import json
import os
import select
import sys
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from functools import cache
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Self, TextIO

from ops.console.visible import visible
from ops.errors import Failure

if TYPE_CHECKING:
    from rich.console import Console
    from rich.progress import Progress as RichProgress
    from rich.progress import TaskID

_json = False
_answered = False
_heard = True
_lost: OSError | None = None


def use_json(wanted: bool) -> None:
    """To be called when a verb begins. With `--json`, stdout carries the verb's one JSON document, and text for people goes to stderr."""
    global _json, _answered, _lost
    _json, _answered, _lost = wanted, False, None


def open_streams() -> None:
    """Make the standard streams accept any text.

    A closed one (`>&-`) becomes /dev/null. A character that the encoding lacks is written as its escape.
    """
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        there: object = getattr(sys, name)
        if there is None:
            setattr(sys, name, Path(os.devnull).open(mode, encoding="utf-8"))  # noqa: SIM115 (open until the process ends)
        elif mode == "w" and isinstance(there, io.TextIOWrapper):
            there.reconfigure(errors="backslashreplace")


def machine_readable() -> bool:
    """Whether `--json` was given."""
    return _json


def stream() -> TextIO:
    """Where people's text goes."""
    return sys.stderr if _json else sys.stdout


@cache
def _console(to_stderr: bool) -> "Console":
    from rich.console import Console

    # `soft_wrap`: a line in a log file must not depend on the width of a terminal that is not there.
    return Console(stderr=to_stderr, highlight=False, soft_wrap=True)


def console() -> "Console":
    """The rich console that people's text goes to."""
    return _console(_json)


def counted(number: int, noun: str, plural: str = "") -> str:
    """A number and its noun: "1 object", "2 objects", "3 processes"."""
    return f"{number} {noun if number == 1 else plural or noun + 's'}"


def say(text: str, style: str = "") -> None:
    """One line for a person. `style` is one of rich's, seen on terminals only."""
    out = stream()
    if style and out.isatty():
        console().print(visible(text), style=style, markup=False)
    else:
        _write(out, text)


def _write(out: TextIO, text: str) -> None:
    """One line, by one call, since several threads write. Neither a reader that has gone (`| head`) nor a full disk ends the work."""
    global _lost  # noqa: PLW0603 (the state of this process's output)
    try:
        out.write(f"{visible(text) if out.isatty() else text}\n")
        out.flush()
    except BrokenPipeError:
        discard(out)
    except OSError as failure:
        discard(out)
        _lost = failure if out is sys.stdout else _lost


def discard(out: TextIO) -> None:
    """Send what is still written to a stream without a reader to /dev/null."""
    global _heard  # noqa: PLW0603 (the state of this process's output)
    _heard = False
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, out.fileno())
    os.close(nowhere)


def has_reader() -> bool:
    """Whether standard output still has a reader. Without one a verb that only shows something ends, even while it waits for lines."""
    return _heard and not _left()


def _left() -> bool:
    """Whether standard output is a pipe or terminal whose other end was closed (POSIX, poll)."""
    with suppress(AttributeError, OSError, ValueError):
        asked = select.poll()
        asked.register(sys.stdout.fileno(), 0)
        return any(seen & (select.POLLERR | select.POLLHUP) for _, seen in asked.poll(0))
    return False


def unwritten() -> Failure | None:
    """The failure to report at the end where standard output could not be written; None where it could."""
    return None if _lost is None else not_written(_lost)


def not_written(error: OSError) -> Failure:
    """The failure of an output that is a full disk, or the like."""
    return Failure("writing the output", str(error.strerror), "Send standard output to where there is space, then run it again.")


def warn(text: str) -> None:
    """One line on standard error, whether or not anybody reads it."""
    _write(sys.stderr, text)


def error(failure: Failure) -> None:
    """A failure in its three parts: what was being done, what went wrong, what to do next; for machines as their document too."""
    red, reset = ("\x1b[1;31m", "\x1b[0m") if _coloured() else ("", "")
    cause = failure.cause.replace("\n", "\n       ")
    remedy = failure.remedy.replace("\n", "\n       ")
    warn(f"{red}error{reset}: {failure.doing}\n cause: {cause}\n  next: {remedy}")
    answer_failed(failure)


def _coloured() -> bool:
    """Whether standard error may be coloured (no-color.org)."""
    return sys.stderr.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"


def answer_failed(failure: Failure) -> None:
    """With `--json`, the failure as the verb's document, unless the verb has printed its document before it failed."""
    if _json and not _answered:
        emit_json(failure.document())


def table(columns: Sequence[str], rows: Iterable[Sequence[str]], title: str = "") -> None:
    """A table: with lines on a terminal, plain aligned columns elsewhere."""
    body = [[str(cell) for cell in row] for row in rows]
    if stream().isatty():
        from rich.box import SIMPLE_HEAD
        from rich.table import Table

        drawn = Table(title=title or None, box=SIMPLE_HEAD, title_justify="left", pad_edge=False)
        for column in columns:
            drawn.add_column(column, overflow="fold")  # a path that is cut leads nowhere
        for row in body:
            drawn.add_row(*(_escaped(visible(cell)) for cell in row))
        console().print(drawn)
        return
    widths = [max(len(str(row[i])) for row in [list(columns), *body]) for i in range(len(columns))]
    for row in [list(columns), *body]:
        say("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())


def _escaped(text: str) -> str:
    from rich.markup import escape

    return escape(text)


def emit_json(document: object, version: int = 1) -> None:
    """The one document of a verb on stdout."""
    global _answered  # noqa: PLW0603 (the state of this process's output)
    body = {"version": version, **document} if isinstance(document, dict) else {"version": version, "items": document}
    _answered = True
    _write(sys.stdout, _json_line(body))


def emit_line(event: Mapping[str, object], version: int = 1) -> None:
    """One line of a verb whose output has no end (`logs`): a document each, and a failure is the last of them."""
    _write(sys.stdout, _json_line({"version": version, **event}))


def _json_line(document: Mapping[str, object]) -> str:
    """A document on one line, in ASCII where standard output cannot carry it as it is, or a terminal would act on it."""
    line = json.dumps(document, ensure_ascii=False, default=str)
    if visible(line) != line:
        return json.dumps(document, default=str)
    try:
        line.encode(sys.stdout.encoding or "utf-8")
    except UnicodeEncodeError:
        return json.dumps(document, default=str)
    return line


class Progress:
    """What long work is doing: a live list on a terminal, a line for each change elsewhere.

    Use it as a context manager; `update(name, state)` says what `name` is doing now, `done` marks its end.
    """

    def __init__(self) -> None:
        self._live: RichProgress | None = None
        self._tasks: dict[str, TaskID] = {}
        self._states: dict[str, str] = {}

    def __enter__(self) -> Self:
        if stream().isatty():
            from rich.progress import Progress as Live
            from rich.progress import SpinnerColumn, TextColumn, TimeElapsedColumn

            columns = (
                SpinnerColumn(finished_text="✓"),
                TextColumn("{task.description:24}", markup=False),
                TimeElapsedColumn(),
                TextColumn("{task.fields[state]}", markup=False),
            )
            self._live = Live(*columns, console=console())
            self._live.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if self._live:
            self._live.stop()

    def update(self, name: str, state: str, *, done: bool = False) -> None:
        """Show that `name` is now at `state`. The same state twice is shown once."""
        if self._states.get(name) == state:
            return
        self._states[name] = state
        if self._live is None:
            say(f"{name}: {state}")
            return
        state = visible(state)
        if name not in self._tasks:
            self._tasks[name] = self._live.add_task(name, total=1, state=state)
        self._live.update(self._tasks[name], state=state, completed=1 if done else 0)
