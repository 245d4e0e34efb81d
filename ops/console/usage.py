"""Invoke's own program with this project's errors: wrong usage in three parts with exit code 2, and no traceback at `| head`."""

import inspect
import os
import re
import sys
import textwrap
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, ClassVar

from invoke.exceptions import Exit as Leave
from invoke.exceptions import ParseError
from invoke.program import Program

from ops.console import positional
from ops.console.output import discard, error, not_written, open_streams, use_json
from ops.errors import Exit, Failure, UsageError
from ops.guess import did_you_mean

if TYPE_CHECKING:
    from invoke.collection import Collection
    from invoke.parser.context import ParserContext


def take_over(
    program: Program, verbs: "Collection", *, environments: Callable[[], Iterable[str]], spread: Mapping[str, str] | None = None
) -> None:
    """Let the program that Invoke has made, and that has just read tasks.py, behave as ours (docs/decisions/invoke.md has why so).

    `environments` are named where one stands in place of `--env`. `spread`: see `VerbProgram`. Where tasks.py is read by something else,
    such as a test, nothing is done.
    """
    if getattr(program, "core", None) is None:
        return
    open_streams()
    program.__class__ = VerbProgram
    VerbProgram.environments = staticmethod(environments)
    VerbProgram.spread = spread or {}
    program.core.unparsed = positional.spread(program.core.unparsed, VerbProgram.spread, set(verbs.task_names))


class VerbProgram(Program):
    """The program behind `invoke`, from the moment that it has read tasks.py, which gives it the names of the `environments`."""

    environments: ClassVar[Callable[[], Iterable[str]]] = staticmethod(lambda: ())
    spread: ClassVar[Mapping[str, str]] = {}  # the verbs that take any number of bare words, and the flag which those words mean

    def parse_tasks(self) -> None:
        """Read the verbs and their arguments."""
        try:
            super().parse_tasks()
            self._check()
        except (ParseError, ValueError) as wrong:  # ValueError: a word where a number is expected, which Invoke lets through
            self._leave(wrong)

    def _check(self) -> None:
        """Refuse what Invoke would ignore silently."""
        if self.core.remainder:
            raise ParseError(f"no verb takes arguments after `--`: {self.core.remainder}")
        for verb in self.tasks:
            if mistyped := _mistyped(verb):
                raise ParseError(f"No idea what '{mistyped}' is!", verb)
            for argument in verb.args.values():
                if argument.raw_value == "":
                    raise ParseError(f"--{argument.name.replace('_', '-')} needs a value", verb)

    def task_list_opener(self, extra: str = "") -> str:
        """The heading of `--list`."""
        return f"Verbs{f' of {self.list_root}' if self.list_root else ''}"

    def display_with_columns(self, pairs: "Sequence[tuple[str, str | None]]", extra: str = "") -> None:
        """`--list`: the verbs by their whole names. The default verb of a collection has the collection's name."""
        if self.list_format == "flat":
            root = self.list_root or ""
            named = {re.sub(r"^(.+)\.\S+ \(\1\)$", r"\1", root + name): text for name, text in pairs}
            default = f"{root}.{self.scoped_collection.default}"
            pairs = sorted((root if root and name == default else name, text) for name, text in named.items())
        print(f"{self.task_list_opener(extra)}:\n")
        self.print_columns(pairs)

    def print_help(self) -> None:
        """`invoke` alone: the verbs. Invoke would show its own options instead."""
        print("Usage: invoke VERB [--options] [other verbs …]\n")
        self.list_format, self.list_depth = "flat", None
        self.list_tasks()
        print("`invoke --help VERB` explains one. Where there is no `invoke` on PATH, `uv run invoke` is meant.")

    def print_task_help(self, name: str) -> None:
        """The help of a verb, with its positional arguments in the usage: Invoke shows them as if they were flags."""
        context = self.parser.contexts[name]
        words = {argument.name: argument.name.upper() for argument in context.positional_args}
        many = self.spread.get(name, "--").removeprefix("--")  # the argument that any number of words are
        bare = [*words.values(), *[f"[{many.upper()} …]"][: len(many)]]
        hidden = [f"--{key}" for key in (*words, many) if key]
        options = [row for row in context.help_tuples() if not any(re.search(rf"{flag}\b", row[0]) for flag in hidden)]
        usage = ["Usage: invoke", self._whole(name), *bare, *["[--options]"][: len(options)], "[other verbs …]"]
        print(f"{' '.join(usage)}\n\n{textwrap.indent(inspect.getdoc(self.collection[name]) or '', '  ')}\n")
        arguments = [(word, context.args[key].help or "") for key, word in {**words, **({many: many.upper()} if many else {})}.items()]
        for title, rows in (("Arguments:", arguments), ("Options:", options)):
            if rows:
                print(title)
                self.print_columns(rows)

    def _whole(self, name: str) -> str:
        """The name by which a verb is called: the default verb of a collection has the collection's."""
        collection, _, verb = name.rpartition(".")
        return collection if collection and self.collection.subcollection_from_path(collection).default == verb else name

    def parse_cleanup(self) -> None:
        """`--list`, `--help`."""
        try:
            try:
                super().parse_cleanup()
            finally:  # here and not at the interpreter's end, which would complain of the pipe
                sys.stdout.flush()
        except ParseError as wrong:
            self._leave(wrong)
        except Leave as leave:
            if not leave.message:
                raise
            self._leave(ParseError(leave.message))  # `--list NO-SUCH-COLLECTION`
        except BrokenPipeError:
            discard(sys.stdout)
            raise Leave(code=Exit.DONE) from None
        except OSError as failure:
            discard(sys.stdout)
            error(not_written(failure))
            raise Leave(code=Exit.FAILED) from None

    def _leave(self, wrong: Exception) -> None:
        use_json(not {"--json", "-j"}.isdisjoint(self.argv))  # no verb was parsed that could have said so
        _tell(wrong, self.collection.task_names if getattr(self, "collection", None) else (), VerbProgram.environments)
        if os.environ.get("NEXTAI_DEBUG"):
            raise wrong
        raise Leave(code=Exit.USAGE)


def _tell(wrong: Exception, verbs: Iterable[str], environments: Callable[[], Iterable[str]]) -> None:
    words = re.sub(r"^Flag <Argument: ([\w-]+)\b.*> needed value and was not given one!$", r"--\1 needs a value", str(wrong))
    context = getattr(wrong, "context", None)
    name = context.name if context is not None else None
    missing = re.search(r"did not receive required positional arguments: '(\w+)'", words)
    if missing and context is not None:
        words = f"{name} needs a word, {missing[1].upper()}: {context.args[missing[1]].help or 'it has no default'}"
    if unknown := re.search(r"^No idea what '(.*)' is!$", words):
        words = _unknown(_mistyped(context) or unknown[1], context, verbs, environments)
    if isinstance(wrong, ValueError):
        words = f"expected a whole number, not {words.rpartition(': ')[2]}"
    more = f"`invoke --help {name}` explains {name}, `invoke --list` lists the verbs."
    error(
        UsageError(
            "reading the command line", words, more if name else "`invoke --list` lists the verbs, `invoke --help VERB` explains one."
        )
    )


def _mistyped(context: "ParserContext | None") -> str:
    """The mistyped flag that Invoke took for the value of a positional argument: it is the first thing that is wrong."""
    given = [str(argument.raw_value) for argument in context.positional_args if argument.got_value] if context is not None else []
    return next((value for value in given if value.startswith("-")), "")


def _unknown(word: str, context: "ParserContext | None", verbs: Iterable[str], environments: Callable[[], Iterable[str]]) -> str:
    name = context.name if context is not None else None
    if word.startswith("-"):
        return f"{name or 'invoke'} has no flag {word}{did_you_mean(word, context.flags if context is not None else ())}"
    if name and context is not None and "--env" in context.flags:
        with suppress(Failure):
            if word in environments():
                return f"an environment is named by its flag: {name} --env {word}"
    return f"there is no verb {word}{did_you_mean(word, verbs)}{f', and {name} takes no further word' if name else ''}"
