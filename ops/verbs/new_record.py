"""What an `invoke new` is about to write, kept until it is done: one that was killed is undone by the next one."""

import base64
import hashlib
import json
import os
import re
import shutil
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from ops.command import Command, raw
from ops.errors import Refused
from ops.folders import write_private
from ops.local.interrupt import uninterrupted

LOCKED = ("pnpm-lock.yaml", "uv.lock", "go.mod", "go.sum")  # what package managers write


@dataclass(frozen=True, slots=True)
class NewRecord:
    """A service that is being made. `folder`: its place in the checkout, empty before. `before`: the content of each file that it changes.

    `made`: the hash of each file that it writes, by its path in the checkout.
    """

    root: Path
    name: str
    folder: Path
    before: Mapping[Path, bytes]
    made: Mapping[Path, str]

    def keep(self, file: Path) -> None:
        """Write it down, before anything else is written."""
        document = {
            "name": self.name,
            "folder": str(self.folder),
            "before": {str(path): base64.b64encode(content).decode() for path, content in self.before.items()},
            "made": {str(path): known for path, known in self.made.items()},
        }
        write_private(file, json.dumps(document))

    @property
    def draft(self) -> Path:
        """Where the folder is written, before it gets its name whole."""
        return self.root / self.folder.with_name(f".{self.name}.new")

    def undo(self) -> None:
        """Bring the files back, then remove the folder: an entry without a folder would be a mistake in platform.yaml."""
        with uninterrupted():
            for path, content in self.before.items():
                if self._in(path):
                    replaced(self.root / path, content)
            shutil.rmtree(self.root / self.folder, ignore_errors=True)
            shutil.rmtree(self.draft, ignore_errors=True)

    def edited(self, derived: Collection[Path]) -> Iterator[Path]:
        """What somebody has written since: what is neither `derived` nor a lock, and neither as it was before nor as it was made."""
        for path in (
            *filter(self._in, self.before),
            *sorted(one.relative_to(self.root) for one in (self.root / self.folder).rglob("*") if one.is_file()),
        ):
            known = {self.made.get(path), hash_of(self.before.get(path, b""))}
            if path not in derived and path.name not in LOCKED and hash_of((self.root / path).read_bytes()) not in known:
                yield path

    def tracked(self) -> bool:
        """Whether git tracks anything of the folder: then somebody has taken over what was left."""
        return bool(self._listed("--cached"))

    def _listed(self, *which: str) -> list[Path]:
        """What git lists of the folder."""
        argv = ("git", "ls-files", "-z", *which, "--", str(self.folder))
        doing, remedy = f"looking at what an `invoke new {self.name}` left that was killed", "Run this in a clone of the repository."
        return [Path(name) for name in os.fsdecode(raw(Command(argv, doing, cwd=self.root, remedy=remedy))).split("\0") if name]

    def keep_changed_locks(self, file: Path) -> Iterator[Path]:
        """Keep, beside the record, each lock file that names the service and has changed otherwise too: `undo` writes over it."""
        ours = re.compile(rb"^  %b:\n(?:    .*\n|\n)*" % str(self.folder).encode(), re.MULTILINE)
        for path in self.before:
            if path.name in LOCKED and self._in(path):
                content = (self.root / path).read_bytes()
                if ours.sub(b"", content) != self.before[path]:
                    kept = file.with_name(f"{file.stem}.{path.name}")
                    kept.write_bytes(content)
                    yield kept

    def _in(self, path: Path) -> bool:
        """Whether a file names the service, as a key of platform.yaml or of a lock file. One that does not has nothing of ours in it."""
        file = self.root / path
        keys = {f"  {self.name}:".encode(), f"  {self.folder}:".encode()}
        return file.is_file() and not keys.isdisjoint(file.read_bytes().splitlines())


def read(root: Path, file: Path) -> NewRecord | None:
    """The record of an `invoke new` in this checkout that has not ended, or None."""
    try:
        document = json.loads(file.read_text(encoding="utf-8"))
        before = {Path(path): base64.b64decode(content) for path, content in document["before"].items()}
        made = {Path(path): str(known) for path, known in document["made"].items()}
        return NewRecord(root, str(document["name"]), Path(document["folder"]), before, made)
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None


def check_unedited(record: NewRecord, derived: Collection[Path], file: Path) -> None:
    """Raise `Refused` where somebody has gone on from what a killed `invoke new` left: then it is for a person to say what stays."""
    if edited := [*record.edited(derived)]:
        cause = f"an `invoke new {record.name}` was killed, and since then somebody wrote {', '.join(map(str, edited))}"
        remedy = f"`git status` shows what it left. Finish or remove that by hand, run `invoke sync`, then remove {file}."
        raise Refused("making a service", cause, remedy)


def hash_of(content: bytes) -> str:
    """What tells one content from another."""
    return hashlib.sha256(content).hexdigest()


def replaced(file: Path, content: bytes) -> None:
    """Write a file that is there, whole or not at all; its mode stays."""
    draft = file.with_name(f".{file.name}.new")
    try:
        draft.write_bytes(content)
        shutil.copymode(file, draft)
        draft.replace(file)
    finally:
        draft.unlink(missing_ok=True)
