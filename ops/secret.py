"""A secret value never reaches a terminal, a log, a diff, an argv or a record.

Other people's words (an API server's, a driver's, a program's) may quote one: `hide` takes it out before they are shown.
"""

import json
import re
from collections.abc import Iterable
from typing import Final

_LEAST: Final = 4  # shorter values are found in every text
_PLAIN: Final = 8  # from this length on a value counts inside a longer word too
_MOST: Final = 64 * 1024
_NAME: Final = re.compile(r"[a-z]+([-.][a-z]+)*")
_known: set[str] = set()
_PATTERNS: Final = (
    # A password in an address: up to the last @ of the word, since it may hold one itself, and slashes. A port and a path is none.
    (re.compile(r"(\b(?!https?://[^\s:/@]+:\d{1,5}/)[a-z][a-z0-9+.-]*://[^\s:/@]*:)[^\s\"'`]*@", re.IGNORECASE), r"\1***@"),
    # A token in front of the host, as GitHub's; SSH's user is none.
    (re.compile(r"(\bhttps?://)[^\s/@\"'`]+@", re.IGNORECASE), r"\1***@"),
    (re.compile(r"\b((?:password|passwd|pwd)\s*=\s*)('[^']*'|\"[^\"]*\"|[^\s'\"]+)", re.IGNORECASE), r"\1***"),
    (re.compile(r"\b((?:Bearer|Basic)\s+)[A-Za-z0-9._~+/=-]{8,}"), r"\1***"),
    # Go's JSON decoder quotes what stands around the byte that it does not like, whole values or half ones.
    (re.compile(r"(error found in #\d+ byte of ).*", re.DOTALL), r"\1…"),
)


class Secret:
    """Wraps a secret string: printing, formatting and comparing it never shows it; `reveal()` does, for the one place that must send it."""

    __slots__ = ("_value",)

    def __init__(self, value: str) -> None:
        self._value = value

    def reveal(self) -> str:
        """The secret itself. Call it only where it is handed to the program that needs it."""
        return self._value

    def __repr__(self) -> str:
        return "***"

    __str__ = __repr__

    def __format__(self, _spec: str) -> str:
        return "***"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and other._value == self._value

    def __hash__(self) -> int:
        return hash((Secret, self._value))

    def __len__(self) -> int:
        return len(self._value)

    def __reduce__(self) -> str:
        raise TypeError("a secret is not pickled")


def register(*values: str) -> None:
    """Remember values that are secret: `hide` finds them, as they are and as JSON writes them."""
    for value in values:
        words = value.strip()
        if _LEAST <= len(words) <= _MOST:
            _known.update((words, json.dumps(words)[1:-1]))
            _known.update(line.strip() for line in words.splitlines() if len(line.strip()) >= 2 * _PLAIN)


def hide(words: str, *, public: str = "", also: Iterable[str] = ()) -> str:
    """The words without secrets: known ones, those in `also` however short, and what is one by its form.

    What stands in `public` (an address, an object's name) is no secret, though some Secret may have that value too. Where nothing says
    what is public, a known value that may as well be a name (`nextai`, `nextai-data`) is left.
    """
    shown = words
    known = _known if public else {value for value in _known if len(value) >= _PLAIN and not _NAME.fullmatch(value)}
    for value in sorted({*known, *also}, key=len, reverse=True):
        if value and value in shown and value not in public:
            inside = re.escape(value)
            shown = shown.replace(value, "***") if len(value) >= _PLAIN else re.sub(rf"(?<!\w){inside}(?!\w)", "***", shown)
    for pattern, instead in _PATTERNS:
        shown = pattern.sub(instead, shown)
    return shown
