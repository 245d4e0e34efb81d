"""Which sessions are known good: a pass is kept under the key of what the session read, in the cache folder.

A pass is kept for a session that ran wholly: nothing skipped, left out or chosen by arguments, and nothing that it reads was touched
meanwhile. A record that cannot be read, or is another session's or key's, is as none: the session runs.
"""

import json
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path

from ops.checks.reads import Reads
from ops.checks.report import Outcome, Pass, slug
from ops.checks.snapshot import SessionInputs, Snapshot, take
from ops.errors import Failure
from ops.folders import place, short, write_private
from ops.images.disk import shown

MOST = 30  # passes that are kept of a session: those of some branches


@dataclass(frozen=True, slots=True)
class Attempt:
    """A session that runs, and what there was when it began."""

    snapshot: Snapshot
    inputs: SessionInputs


def of(root: Path) -> "Passes":
    """The passes of a checkout: in the cache folder, or in the checkout where there is none."""
    try:
        return Passes(root, place() / "checks" / short(root))
    except RuntimeError:  # no home folder
        return Passes(root, root / ".nox" / "passes")


class Passes:
    """The passes of a checkout's sessions, and the folder where they are."""

    def __init__(self, root: Path, folder: Path) -> None:
        self.root = root
        self.folder = folder

    def known(self, sessions: Iterable[str], reads: Callable[[str], Reads], say: Callable[[str], object]) -> dict[str, Pass]:
        """The sessions that have passed with what they read now; `say` is told of each of the others why it must run."""
        try:
            snapshot = take(self.root)
        except Failure as failure:
            say(f"all sessions are run: {failure.cause}. {failure.remedy}")
            return {}
        found: dict[str, Pass] = {}
        for session in sessions:
            inputs = snapshot.inputs(session, reads(session))
            if one := self.find(inputs):
                found[session] = one
            else:
                say(f"{session} is run: {self.why(inputs)}")
        return found

    def find(self, inputs: SessionInputs) -> Pass | None:
        """The pass with these inputs; None where there is none that can be read."""
        try:
            found = Pass(**json.loads(self._file(inputs.session, inputs.key).read_text("utf-8")))
            datetime.fromisoformat(found.at)
            whole = isinstance(found.seconds, int | float) and isinstance(found.passed, int)
        except (OSError, ValueError, TypeError):
            return None
        return found if whole and (found.session, found.key) == (inputs.session, inputs.key) else None

    def begin(self, session: str, reads: Reads) -> Attempt:
        """What there is before a session runs. Raises `Failure` where that cannot be told."""
        snapshot = take(self.root)
        return Attempt(snapshot, snapshot.inputs(session, reads))

    def end(self, attempt: Attempt, reads: Reads, outcome: Outcome) -> str:
        """Keep the pass of a session that has passed. The reason why it is not kept; the empty string where it is."""
        if outcome.failed or outcome.skipped or outcome.left_out:
            return "not all of it was run"
        after = take(self.root)
        inputs = attempt.inputs
        if after.stamp != attempt.snapshot.stamp or after.inputs(inputs.session, reads).key != inputs.key:
            changes = changed(_parts(inputs), _parts(after.inputs(inputs.session, reads)))
            return f"meanwhile {changes or 'a file was touched'}"
        now = datetime.now().astimezone().isoformat(timespec="seconds")
        kept = Pass(inputs.session, inputs.key, now, outcome.seconds, outcome.passed)
        try:
            file = self._file(inputs.session, inputs.key)
            file.parent.mkdir(parents=True, exist_ok=True)
            write_private(file, json.dumps(asdict(kept)))
            write_private(file.with_name("last.json"), json.dumps(_parts(inputs)))
            self._prune(file.parent)
        except OSError as error:
            return f"{error.filename or self.folder}: {error.strerror}"
        return ""

    def why(self, inputs: SessionInputs) -> str:
        """Why a session must run: what differs from what it read when it last passed."""
        try:
            before = json.loads(self._file(inputs.session, "last").read_text("utf-8"))
        except (OSError, ValueError):
            return "no pass of it is known"
        return changed(before, _parts(inputs)) or "its last pass is not known any more"

    def _file(self, session: str, key: str) -> Path:
        return self.folder / slug(session) / f"{key}.json"

    def _prune(self, folder: Path) -> None:
        for file in sorted(folder.glob("?" * 64 + ".json"), key=lambda one: one.stat().st_mtime)[:-MOST]:
            with suppress(OSError):  # another run does the same
                file.unlink()


def _parts(inputs: SessionInputs) -> dict[str, str]:
    return {
        **{path: f"{entry.mode} {entry.content}" for path, entry in inputs.files.items()},
        **{f" {n}": v for n, v in inputs.facts.items()},
    }


def changed(before: object, after: Mapping[str, str], most: int = 2) -> str:
    """The first differences in words."""
    known = before if isinstance(before, dict) else {}
    names = sorted((name for name in known.keys() | after.keys() if known.get(name) != after.get(name)), key=lambda name: name[:1] == " ")
    told = [f"{shown(name.strip())} {'is new' if name not in known else 'is gone' if name not in after else 'changed'}" for name in names]
    return ", ".join(told[:most]) + (f" and {len(told) - most} more" if len(told) > most else "")
