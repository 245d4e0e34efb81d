"""What each session did: time and tests, kept as one small file a session, and the table of them all."""

import json
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from xml.etree import ElementTree

from ops.errors import Failure


@dataclass(slots=True)
class Outcome:
    """Time in seconds and counts of tests of one session."""

    session: str
    seconds: float = 0.0
    passed: int = 0
    failed: int = 0
    skipped: int = 0
    notes: tuple[str, ...] = ()
    left_out: bool = False  # a part of its work, as a note says


@dataclass(frozen=True, slots=True)
class Pass:
    """That a session passed: when it ended (ISO 8601), how long it took, and how many tests there were."""

    session: str
    key: str
    at: str
    seconds: float
    passed: int

    @property
    def since(self) -> str:
        """When that was, for people of this machine's time zone."""
        return datetime.fromisoformat(self.at).astimezone().strftime("%Y-%m-%d %H:%M")


class Report:
    """The folder where sessions leave their outcomes and JUnit files; sessions may run side by side."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._left_out: dict[str, str] = {}

    def left_out(self, session: str, what: str) -> None:
        """Note that a session does not do a part of its work here, and why."""
        self._left_out[session] = what

    def junit(self, session: str, part: str = "") -> Path:
        """Where a test runner of this session writes its JUnit file; `part` tells several runners of one session apart."""
        self.folder.mkdir(parents=True, exist_ok=True)
        path = self.folder / f"{slug(session)}.{slug(part)}.xml"
        path.unlink(missing_ok=True)
        return path

    @contextmanager
    def session(self, name: str, tests: bool = False) -> Iterator[Outcome]:
        """Time a session and count its tests. With `tests`, a session that ran none fails, with the reasons why they were skipped."""
        outcome, begin = Outcome(name), time.monotonic()
        reasons: tuple[str, ...] = ()
        try:
            yield outcome
        finally:
            outcome.seconds = round(time.monotonic() - begin, 1)
            if what := self._left_out.get(name):
                outcome.left_out, outcome.notes = True, (what,)
            reasons = self._count(outcome)
            self.folder.mkdir(parents=True, exist_ok=True)
            (self.folder / f"{slug(name)}.json").write_text(json.dumps(asdict(outcome)))
        if tests and not outcome.passed:
            if reasons:
                remedy = "Do what the reason says (be root on Linux; end your own testbed: `invoke testbed.down`), then run it again."
                raise Failure(f"running {name}", f"every test was skipped: {'; '.join(reasons)}", remedy)
            raise Failure(f"running {name}", "no test ran", "See why the runner found none.")

    def _count(self, outcome: Outcome) -> tuple[str, ...]:
        """Note how many tests there were, and return the reasons, each once, why some were skipped."""
        reasons: dict[str, None] = {}
        files = sorted(self.folder.glob(f"{slug(outcome.session)}.*.xml"))
        for case in (case for file in files for case in ElementTree.parse(file).iter("testcase")):  # noqa: S314 (our own runner wrote it)
            skip = case.find("skipped")
            if skip is not None:
                outcome.skipped += 1
                reason = skip.get("message") or "no reason given"
                reasons[reason] = None
                outcome.notes = (*outcome.notes, f"skipped {case.get('name')}: {reason}")
            elif case.find("failure") is not None or case.find("error") is not None:
                outcome.failed += 1
            else:
                outcome.passed += 1
        return tuple(reasons)

    def clear(self) -> None:
        """Forget the outcomes of earlier runs."""
        for path in self.folder.glob("*.json"):
            path.unlink()

    def outcomes(self) -> list[Outcome]:
        """What every session left, the longest first."""
        found = [Outcome(**json.loads(path.read_text())) for path in self.folder.glob("*.json")]
        return sorted(found, key=lambda outcome: -outcome.seconds)


def show(outcomes: list[Outcome], known: Mapping[str, Pass] | None = None) -> None:
    """The table, what was skipped and why, and the closing line. `known`: the sessions that are known good."""
    from ops.console import say, table

    rows = [(o.session, f"{o.seconds:.1f} s", *(str(n or "") for n in (o.passed, o.failed, o.skipped)), "") for o in outcomes]
    rows += [(one.session, "", str(one.passed or ""), "", "", f"known good since {one.since}") for one in (known or {}).values()]
    table(("session", "time", "passed", "failed", "skipped", ""), rows)
    for outcome in outcomes:
        for note in outcome.notes:
            say(f"{outcome.session}: {note}")
    passed, failed, skipped = (sum(getattr(o, key) for o in outcomes) for key in ("passed", "failed", "skipped"))
    before = sum(one.passed for one in (known or {}).values())
    say(f"{passed} passed, {failed} failed, {skipped} skipped" + (f"; {before} known good" if known else ""))


def slug(session: str) -> str:
    """A session's name as a file's."""
    return "".join(c if c.isalnum() or c in "-_" else "_" for c in session)
