"""The frame around every verb: `--json`, errors in three parts, exit codes, Ctrl-C."""

import functools
import inspect
import os
import re
import signal
import traceback
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, Concatenate, ParamSpec

from invoke.context import Context
from invoke.exceptions import Exit as Leave
from invoke.tasks import Task, task

from ops.console.output import answer_failed, error, unwritten, use_json, warn
from ops.ctrl_c import as_usual
from ops.errors import Exit, Failure, UsageError

P = ParamSpec("P")
# Invoke would take the first letter that is free, so that one letter would be another flag in another verb.
SHORT = {"dry_run": "d", "env": "e", "follow": "f", "json": "j", "service": "s", "testbed": "t", "yes": "y"}


class VerbTask(Task[Callable[..., None]]):
    """An Invoke task whose flags have the same short forms in every verb."""

    def arg_opts(self, name: str, default: str, taken_names: set[str]) -> dict[str, Any]:
        """The options of one argument, as Invoke has them, with its letter from `SHORT`."""
        options = super().arg_opts(name, default, taken_names)
        options["names"] = [options["names"][0], *([SHORT[name]] if name in SHORT else [])]
        return options


def verb(
    *,
    positional: tuple[str, ...] = (),
    repeated: tuple[str, ...] = (),
    default: bool = False,
    called: str | None = None,
    choices: Mapping[str, Callable[[], Iterable[str]]] | None = None,
    **help: str,
) -> Callable[[Callable[Concatenate[Context, P], int | None]], "Task[Callable[..., None]]"]:
    """An Invoke task from a function that returns an exit code (None is 0) and raises `Failure` for people to read.

    `positional` arguments need no flag, `repeated` ones are lists; `called` is the verb's name where it is not the function's.
    `choices` says what a required argument may be, and is asked where that was left out. The other keywords are the arguments' help.
    """

    def decorate(function: Callable[Concatenate[Context, P], int | None]) -> "Task[Callable[..., None]]":
        @functools.wraps(function)
        def body(context: Context, *arguments: P.args, **options: P.kwargs) -> None:
            as_usual()
            use_json(bool(options.get("json")))

            def work() -> int | None:
                options.update(_checked(function, options, help, choices or {}))
                return function(context, *arguments, **options)

            code = guarded(work, f"running `invoke {function.__name__.replace('_', '.')}`")
            if code:
                raise Leave(code=code)

        made: Task[Callable[..., None]] = task(
            klass=VerbTask, positional=positional, iterable=repeated, default=default, name=called, help=help
        )(body)
        return made

    return decorate


def _checked(
    function: Callable[..., object],
    options: Mapping[str, object],
    help: Mapping[str, str],
    choices: Mapping[str, Callable[[], Iterable[str]]],
) -> dict[str, object]:
    """The numbers among the required arguments. Invoke gives None for a flag that was left out, and knows no type without a default.

    Raises `UsageError` for what is missing, or is no number.
    """
    verb_name = function.__name__.replace("_", ".")
    wanted = {name: p for name, p in inspect.signature(function).parameters.items() if p.default is p.empty and name in options}
    doing = f"reading the arguments of {verb_name}"
    next_ = f"`invoke --help {verb_name}` explains them."
    numbers: dict[str, object] = {}
    for name, parameter in wanted.items():
        value = options[name]
        if value is None:
            one = f"Name one of: {', '.join(choices[name]())}. " if name in choices else ""
            raise UsageError(doing, f"--{name} is missing ({help.get(name, 'it has no default')})", one + next_)
        if parameter.annotation is int:
            if not re.fullmatch(r"-?[0-9]{1,9}", str(value)):
                raise UsageError(doing, f"--{name}: expected a whole number, not {value!r}", next_)
            numbers[name] = int(str(value))
    return numbers


def guarded(work: Callable[[], int | None], doing: str = "running this command") -> int:
    """Do the work and return the exit code of the process; errors are told, not raised."""
    try:
        code = work() or Exit.DONE
        if code == Exit.DONE and (lost := unwritten()):
            raise lost
        return code
    except Failure as failure:
        error(_with_full_disk(failure))
        return failure.code
    except KeyboardInterrupt as interrupt:
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # a second one, as `uv run` hands it on, has nothing left to end
        words = str(interrupt) or "interrupted"
        warn(f"\n{words}")
        answer_failed(Failure(doing, words, "Run it again.", code=Exit.INTERRUPTED))
        return Exit.INTERRUPTED
    except OSError as failure:
        error(Failure(doing, f"{failure.filename or ''} {failure.strerror or failure}".strip(), _remedy(failure)))
        return Exit.FAILED
    except Exception as failure:
        place = traceback.extract_tb(failure.__traceback__)[-1]
        cause = f"{type(failure).__name__}: {failure} ({Path(place.filename).name}:{place.lineno})"
        error(Failure(doing, f"a defect of the build system: {cause}", "Run it with NEXTAI_DEBUG=1, and report what it prints."))
        if os.environ.get("NEXTAI_DEBUG"):
            raise
        return Exit.FAILED


def _with_full_disk(failure: Failure) -> Failure:
    """The failure, and that a disk is full where one is: the programs that are run, as npm, seldom say so, and are told to be the cause."""
    if failure.code == Exit.FAILED and (full := _full()):
        failure.remedy = f"The disk is full, which may be the cause: free some space in {' and '.join(full)}.\n{failure.remedy}"
    return failure


def _remedy(failure: OSError) -> str:
    import errno

    if failure.errno == errno.ENOSPC:
        where = " and ".join(_full()) or "the folder above"
        return f"The disk is full: free some space in {where}, or let NEXTAI_CACHE and NEXTAI_STATE name folders elsewhere."
    if failure.errno in (errno.EACCES, errno.EROFS, errno.EPERM):
        return "Check who may write there; NEXTAI_CACHE and NEXTAI_STATE name other folders for the cache and the state."
    return "Correct that, then run it again."


def _full(least: int = 16 * 1024 * 1024) -> list[str]:
    """Those of the folders that verbs write to which have no space left: a failed write does not say where it was."""
    import shutil
    import tempfile

    from ops.folders import place, state_folder_of

    found: list[str] = []
    for folder in (place, lambda: state_folder_of(Path.cwd()), lambda: Path(tempfile.gettempdir()), Path.cwd):
        with suppress(OSError, RuntimeError, Failure):
            there = next(path for path in (folder(), *folder().parents) if path.exists())
            disk = shutil.disk_usage(there)
            if disk.total and disk.free < least:  # what is no disk, such as /proc, has neither
                found.append(str(folder()))
    return list(dict.fromkeys(found))
