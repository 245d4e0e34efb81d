"""Whether a schedule is one that a CronJob takes: five fields, as Kubernetes reads them.

Its reader is robfig/cron's `ParseStandard` (https://kubernetes.io/docs/concepts/workloads/controllers/cron-jobs/#schedule-syntax). The
libraries for Python read other grammars: seconds, `L`, `#`, 7 for Sunday, which the API server would refuse at the deploy.
"""

import re
from dataclasses import dataclass
from typing import Final

_MONTHS: Final = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_DAYS: Final = ("sun", "mon", "tue", "wed", "thu", "fri", "sat")
_LENGTHS: Final = (31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)


@dataclass(frozen=True, slots=True)
class _Field:
    what: str
    low: int
    high: int
    names: tuple[str, ...] = ()

    def number(self, text: str) -> int | None:
        """A number or a name of this field; None where it is neither, or out of range."""
        if text.lower() in self.names:
            return self.names.index(text.lower()) + self.low
        found = int(text) if re.fullmatch("[0-9]{1,2}", text) else -1
        return found if self.low <= found <= self.high else None


_FIELDS: Final = (
    _Field("minute", 0, 59),
    _Field("hour", 0, 23),
    _Field("day of the month", 1, 31),
    _Field("month", 1, 12, _MONTHS),
    _Field("day of the week", 0, 6, _DAYS),
)


def problem(schedule: str) -> str:
    """What is wrong with a schedule, in words; empty where nothing is."""
    parts = schedule.split()
    if len(parts) != len(_FIELDS):
        return f"has {len(parts)} fields, not five: minute, hour, day of the month, month, day of the week"
    sets = [_values(field, part) for field, part in zip(_FIELDS, parts, strict=True)]
    for field, part, found in zip(_FIELDS, parts, sets, strict=True):
        if not found:
            return f"has the {field.what} {part!r}: {_expected(field)}"
    if parts[4] in ("*", "?") and not any(day <= _LENGTHS[month - 1] for month in sets[3] for day in sets[2]):
        return "never comes: no such month has such a day"
    return ""


def _values(field: _Field, text: str) -> frozenset[int]:
    """The numbers that a field means; none where any part of it is wrong."""
    parts = [_range(field, part) for part in text.split(",")]
    return frozenset().union(*parts) if all(parts) else frozenset()


def _range(field: _Field, text: str) -> frozenset[int]:
    """`*`, `5`, `1-5`, `*/15`, `1-5/2`, `5/15` (from 5 to the end). What is none of them means nothing."""
    span, slash, step_text = text.partition("/")
    first_text, dash, last_text = span.partition("-")
    step = int(step_text) if re.fullmatch("[1-9][0-9]?", step_text) else 0 if slash else 1
    if span in ("*", "?"):
        first: int | None = field.low
        last: int | None = field.high
    else:
        first = field.number(first_text)
        last = field.number(last_text) if dash else field.high if slash else first
    if first is None or last is None or not step or last < first:
        return frozenset()
    return frozenset(range(first, last + 1, step))


def _expected(field: _Field) -> str:
    names = f", or {field.names[0].upper()} to {field.names[-1].upper()}" if field.names else ""
    return f"expected {field.low} to {field.high}{names}, *, a range such as 1-5, a step such as */15, or several with commas"
