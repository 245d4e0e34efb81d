"""Invoke's own program, made to speak as the verbs do: wrong usage in three parts with exit code 2, and quiet when its reader leaves."""

import os
import re
import sys

from invoke.exceptions import Exit as Leave
from invoke.exceptions import ParseError
from invoke.program import Program

from ops.console.output import deafen, error, not_written, use_json
from ops.errors import Exit, UsageError


class Speaker(Program):
    """The program behind `invoke`, from the moment that it has read tasks.py."""

    def parse_tasks(self) -> None:
        """Read the verbs and their arguments."""
        try:
            super().parse_tasks()
            self._check()
        except (ParseError, ValueError) as wrong:  # ValueError: a word where a number is expected, which Invoke lets through
            self._leave(wrong)

    def _check(self) -> None:
        """What Invoke lets through, and would be done as if it had not been said."""
        if self.core.remainder:
            raise ParseError(f"no verb reads what stands behind `--`: {self.core.remainder}")
        for argument in (argument for verb in self.tasks for argument in verb.args.values()):
            if argument.raw_value == "":
                raise ParseError(f"--{argument.name.replace('_', '-')} needs a value")

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
            deafen(sys.stdout)
            raise Leave(code=Exit.DONE) from None
        except OSError as failure:
            deafen(sys.stdout)
            error(not_written(failure))
            raise Leave(code=Exit.FAILED) from None

    def _leave(self, wrong: Exception) -> None:
        use_json(not {"--json", "-j"}.isdisjoint(self.argv))  # no verb was parsed that could have said so
        _tell(wrong)
        if os.environ.get("NEXTAI_DEBUG"):
            raise wrong
        raise Leave(code=Exit.USAGE)


def _tell(wrong: Exception) -> None:
    words = re.sub(r"^Flag <Argument: ([\w-]+)\b.*> needed value and was not given one!$", r"--\1 needs a value", str(wrong))
    words = re.sub(
        r"^'([\w.-]+)' did not receive required positional arguments: (.+)$", r"\1 needs \2: `invoke --help \1` tells of it", words
    )
    if isinstance(wrong, ValueError):
        words = f"expected a whole number, not {words.rpartition(': ')[2]}"
    error(UsageError("reading the command line", words, "`invoke --list` lists the verbs, `invoke --help VERB` tells about one."))
