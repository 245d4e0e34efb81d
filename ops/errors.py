"""What goes wrong is a value: what was being done, what went wrong, what to do next."""

import os
import re
from collections.abc import Mapping
from enum import IntEnum

from ops.secret import hide


class Exit(IntEnum):
    """Exit codes of every verb (docs/decisions/exit-codes.md)."""

    DONE = 0
    FAILED = 1
    USAGE = 2
    REFUSED = 3
    ROLLED_BACK = 4
    CHANGES = 10
    INTERRUPTED = 130  # 128 + SIGINT, as shells have it


class Failure(Exception):
    """An error that a person reads: three parts, and the exit code of the process.

    `doing` completes "while …", `cause` says what went wrong, `remedy` says what to do next. `details` are for machines only.
    """

    code: Exit = Exit.FAILED

    def __init__(
        self, doing: str, cause: str, remedy: str, *, code: Exit | None = None, details: Mapping[str, object] | None = None
    ) -> None:
        # Other programs' words are among these: a secret in them is masked here, before a failure is shown or kept.
        doing, cause, remedy = hide(doing), hide(cause), hide(remedy)
        super().__init__(f"{doing}: {cause}")
        self.doing = doing
        self.cause = cause
        self.remedy = remedy
        self.details = dict(details or {})
        if code is not None:
            self.code = code

    def document(self) -> dict[str, object]:
        """What `--json` prints of a failure."""
        parts = {"doing": self.doing, "cause": self.cause, "remedy": self.remedy, "exitCode": int(self.code)}
        return {"error": {**parts, **{name: _hidden(value) for name, value in self.details.items()}}}


def _hidden(value: object) -> object:
    """Details without the secrets that other programs' words may have."""
    if isinstance(value, str):
        return hide(value)
    if isinstance(value, Mapping):
        return {key: _hidden(inner) for key, inner in value.items()}
    return [_hidden(inner) for inner in value] if isinstance(value, list | tuple) else value


class UsageError(Failure):
    """A wrong argument or a wrong file."""

    code = Exit.USAGE


class Refused(Failure):
    """A gate said no: a stale plan, a held lock, an unsafe migration, another environment's cluster."""

    code = Exit.REFUSED


class RolledBack(Failure):
    """The change failed, and what was there before is there again."""

    code = Exit.ROLLED_BACK


def cause_of(error: BaseException) -> str:
    """What went wrong, for people: of an error of the system the file and the system's words, without Python's `[Errno N]`."""
    if isinstance(error, OSError) and error.strerror:
        return f"{os.fsdecode(error.filename)}: {error.strerror}" if isinstance(error.filename, str | bytes) else error.strerror
    return re.sub(r"\[Errno -?\d+\] ", "", str(error))
