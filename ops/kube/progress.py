"""The lines of a rollout: each change of an object's state, and a line every 15 s while it stays the same."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from ops.kube.client import Client
from ops.kube.excerpt import last_lines
from ops.kube.objects import Key
from ops.kube.readiness import Done, Failed, State, Stuck, Waiting

AGAIN_SECONDS: Final = 15.0
_LINES = 3


@dataclass(frozen=True, slots=True)
class Notice:
    """Something a person may want to see while it happens."""

    key: Key
    state: str  # applied, waiting, ready, failed, deleted, replaced, stopped
    text: str = ""


Tell = Callable[[Notice], None]


@dataclass(slots=True)
class _Told:
    """What was said last of an object: its state, when that began and when it was said, the lines of its log."""

    words: str
    begun: datetime
    said: datetime
    lines: list[str] = field(default_factory=list)


@dataclass(slots=True)
class RolloutProgress:
    """Tells what happens to the objects of a rollout, and nothing twice in 15 s."""

    client: Client
    tell: Tell
    _told: dict[Key, _Told] = field(default_factory=dict)

    def report(self, key: Key, state: State) -> None:
        """Say how an object is, when that is news, or when it is time to say that it has not changed."""
        kind, words = _words(state)
        now, known = self.client.now(), self._told.get(key)
        if known is None or known.words != kind + words:
            known = self._told[key] = _Told(kind + words, now, now, known.lines if known else [])
            self.tell(Notice(key, kind, words + self._lines(known, state)))
        elif isinstance(state, Waiting | Stuck) and (now - known.said).total_seconds() >= AGAIN_SECONDS:
            known.said = now
            waited = f" ({(now - known.begun).total_seconds():.0f} s)"
            self.tell(Notice(key, kind, words + waited + self._lines(known, state)))

    def _lines(self, known: _Told, state: State) -> str:
        """The last lines of what is waited for, unless they were told."""
        if not isinstance(state, Waiting) or state.log is None:
            return ""
        lines = last_lines(self.client, state.log, _LINES)
        if lines == known.lines:
            return "" if lines else "; it has written nothing"
        known.lines = lines
        return "".join(f"\n    {line}" for line in lines)


def _words(state: State) -> tuple[str, str]:
    match state:
        case Done():
            return "ready", ""
        case Waiting(reason) | Stuck(reason=reason):
            return "waiting", reason
        case Failed(cause):
            return "failed", cause
