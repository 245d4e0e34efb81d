"""What a variable's text must be, by its type: the build system's reader of the contract (packages/contract/README.md)."""

import re
from collections.abc import Callable, Sequence

SECONDS = {"ms": 0.001, "s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 604_800}
LONGEST = 36_500 * 86_400
"""Seconds of the longest duration."""

_DURATION = re.compile(r"([0-9]{1,9}(ms|s|m|h|d|w))+")
_INT = re.compile(r"-?[0-9]{1,15}")
_PORT = re.compile(r"[0-9]{1,5}")
_URL = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://(?:[^\s/?#@]*@)?(?:[^\s/?#@:\[\]]+|\[[0-9A-Fa-f:.]+\])(?::([0-9]{1,5}))?(?:[/?#]\S*)?")


def problem(type: str, text: str, values: Sequence[str] = (), min_length: int | None = None) -> str:
    """What is wrong with a text that is not empty, as every service would say it; empty when nothing is."""
    if min_length is not None and len(text) < min_length:
        return f"must have {min_length} characters or more"
    if type == "enum":
        return "" if text in values else f"must be one of {', '.join(values)}"
    accepts, expected = _TYPES.get(type, (bool, ""))
    return "" if accepts(text) else expected


def seconds(text: str) -> int | None:
    """A duration such as 15m or 1h30m in whole seconds, or None when it is none of a second to `LONGEST`."""
    if not _DURATION.fullmatch(text):
        return None
    milliseconds = sum(int(amount) * round(SECONDS[unit] * 1000) for amount, unit in re.findall(r"([0-9]+)(ms|s|m|h|d|w)", text))
    return milliseconds // 1000 if 1000 <= milliseconds <= LONGEST * 1000 else None


def items(text: str) -> list[str]:
    """The items of a list."""
    return [item for item in (part.strip(" \t") for part in text.split(",")) if item]


def _is_url(text: str) -> bool:
    match = _URL.fullmatch(text)
    return match is not None and (match[1] is None or int(match[1]) <= 65535)


_TYPES: dict[str, tuple[Callable[[str], bool], str]] = {
    "int": (lambda text: _INT.fullmatch(text) is not None, "must be a whole number"),
    "port": (lambda text: _PORT.fullmatch(text) is not None and 1 <= int(text) <= 65535, "must be a port number, 1 to 65535"),
    "duration": (lambda text: seconds(text) is not None, "must be a duration such as 15m, 12h or 7d"),
    "url": (_is_url, "must be a URL"),
    "bool": (lambda text: text in ("true", "false"), "must be true or false"),
}
