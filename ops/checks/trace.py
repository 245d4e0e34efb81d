"""What a session really reads, seen by strace and by Python's audit hook, compared with what it declares.

A session that reads what is not in its key could be called good after a change that breaks it. So one that does fails, wherever strace
can look: on Linux, in a process that nobody traces already.
"""

import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path

from ops.checks.reads import Reads
from ops.checks.seen import sitecustomize
from ops.checks.snapshot import SETTINGS, Snapshot, is_made
from ops.errors import Failure
from ops.folders import home, place

_NOTES = "pythons"  # what the sessions' Pythons have looked at
# Files that were opened, by the system's own name for them: a folder's names count anyway, and what is written is not read.
_OPENED = re.compile(rb"= \d+<(/[^>]*)>$", re.MULTILINE)
_OTHER = re.compile(rb"O_DIRECTORY|O_WRONLY|O_PATH|O_TRUNC")
_STARTED = re.compile(rb'^\d+ +execve\("(?:[^"]*/)?([^"/]+)"')
_ESCAPED = re.compile(rb"\\([0-7]{1,3}|.)")  # how strace writes what is not ASCII, and < and > in names
# Of the home folder: what tools have fetched or installed there.
_FETCHED = (".cache", ".local", "go", ".npm", ".pyenv", ".cargo", ".rustup", ".config/go/telemetry", "Library")


class Trace:
    """What a session looks at: the files that programs with `prefix` open, what Pythons with `environment` note, and this process."""

    def __init__(self, root: Path, folder: Path, wanted: bool) -> None:
        self.root = root.resolve()
        self.folder = folder
        self.wanted = wanted
        self.own: set[tuple[str, str]] = set()

    @property
    def environment(self) -> dict[str, str]:
        """What has each Python that a program starts, and that takes PYTHONPATH, note what it looks at."""
        path = os.pathsep.join(filter(None, (str(Path(sitecustomize.__file__).parent), os.environ.get("PYTHONPATH"))))
        return {"PYTHONPATH": path, sitecustomize.ROOT: str(self.root), sitecustomize.FILE: str(self.folder / _NOTES)}

    @property
    def prefix(self) -> tuple[str, ...]:
        """What is put before a command to see what it opens; nothing where nobody can look."""
        if not self.wanted or not possible():
            return ()
        fd, file = tempfile.mkstemp(suffix=".strace", dir=self.folder)
        os.close(fd)
        # By a filter in the kernel only these calls are stopped: the others run at their own speed.
        return (
            "strace",
            "-f",
            "--seccomp-bpf",
            "-y",
            "-z",
            "-s",
            "0",
            "-qq",
            "-e",
            "trace=open,openat,openat2",
            "-e",
            "signal=none",
            "-o",
            file,
        )

    def opened(self) -> set[str]:
        """The paths of all files that were opened to be read."""
        found = {path for kind, path in self.noted() if kind == "read"}
        for file in self.folder.glob("*.strace"):
            found.update(os.fsdecode(_ESCAPED.sub(_character, path)) for path in _read(file.read_bytes()))
        return found

    def noted(self) -> set[tuple[str, str]]:
        """What Pythons have looked at, and how: "read", "list", "tree", "stat"."""
        file = self.folder / _NOTES
        lines = os.fsdecode(file.read_bytes()).split("\0")[:-1] if file.exists() else []
        return self.own | {(line.partition(" ")[0], line.partition(" ")[2]) for line in lines}


def _read(lines: bytes) -> Iterator[bytes]:
    """What a trace's processes have read. Git looks into files to tell whether they have changed, and that is in the key."""
    git: dict[bytes, bool] = {}
    for line in lines.splitlines():
        process = line.partition(b" ")[0]
        if program := _STARTED.search(line):
            git[process] = program[1].startswith(b"git")
        elif (path := _OPENED.search(line)) and not _OTHER.search(line) and not git.get(process):
            yield path[1]


def _character(found: re.Match[bytes]) -> bytes:
    return bytes((int(found[1], 8),)) if found[1].isdigit() else found[1]


@cache
def possible() -> bool:
    """Whether strace is here and may look: not within another trace, and not where the system forbids it."""
    program = shutil.which("strace")
    if sys.platform != "linux" or program is None:
        return False
    with tempfile.NamedTemporaryFile() as nothing:
        argv = (program, "-f", "--seccomp-bpf", "-y", "-z", "-o", nothing.name, "true")
        return subprocess.run(argv, check=False, capture_output=True).returncode == 0


@contextmanager
def watching(root: Path, wanted: bool) -> Iterator[Trace]:
    """A trace of what is looked at meanwhile. `wanted`: by strace, too, which sees what programs open that are no Python."""
    with tempfile.TemporaryDirectory(prefix="checks-") as folder:
        Path(folder).chmod(0o711)  # tests become other users, whose Pythons write there too
        notes = Path(folder) / _NOTES
        notes.touch()
        notes.chmod(0o666)
        trace = Trace(root, Path(folder), wanted)
        _hear(lambda kind, path: trace.own.add((kind, path)))
        try:
            yield trace
        finally:
            _hear(None)


_listener: list[Callable[[str, str], object] | None] = []


def _hear(listener: Callable[[str, str], object] | None) -> None:
    if not _listener:
        _listener.append(None)
        sys.addaudithook(_audit)  # it stays for good, and costs little where nobody listens
    _listener[0] = listener


def _audit(event: str, arguments: tuple[object, ...]) -> None:
    if listener := _listener[0]:
        for kind, path in sitecustomize.looked_at(event, arguments):
            listener(kind, path)


def seen_unseen(root: Path, noted: Iterable[tuple[str, str]], reads: Reads) -> list[str]:
    """What was looked at, in whatever way, in the folders that are said to be unseen: their files, and lists of their files."""
    folders = [root.resolve() / folder for folder in reads.unseen]
    found = {
        f"{path} ({kind})"
        for kind, path in noted
        for folder in folders
        if (folder in Path(path).parents and not (kind == "stat" and reads.named(str(Path(path).relative_to(root.resolve())))))
        or (kind != "stat" and folder == Path(path))
        or (kind == "tree" and Path(path) in folder.parents)
    }
    return sorted(found)


def undeclared(root: Path, opened: Iterable[str], snapshot: Snapshot, reads: Reads) -> list[str]:
    """What was opened and does not count: files of the checkout, and settings in the home folder that nobody has thought of."""
    found: set[str] = set()
    real, own = root.resolve(), home().resolve()
    elsewhere = [
        place(),
        Path(tempfile.gettempdir()),
        Path(sys.prefix),
        Path(sys.base_prefix),
        *(own / name for name in (*_FETCHED, *SETTINGS)),
    ]
    for name in opened:
        path = Path(os.path.normpath(name))
        if path.is_relative_to(real):
            inside = str(path.relative_to(real))
            if inside in snapshot.files:
                if not reads.content(inside):
                    found.add(inside)
            elif not is_made(inside) and not inside.startswith(".git/") and path.is_file():
                found.add(inside)
        elif path.is_relative_to(own) and path.is_file() and not any(path.is_relative_to(folder) for folder in elsewhere):
            found.add(name)
    return sorted(found)


def check(session: str, seen: Trace, snapshot: Snapshot, reads: Reads) -> None:
    """Raises `Failure` where a session has looked at what it does not declare."""
    doing = f"comparing what {session} reads with what it declares"
    if found := undeclared(seen.root, seen.opened(), snapshot, reads):
        remedy = "Let its `Reads` in noxfile.py have them (`but`), or let it read less: a change there would go unnoticed."
        raise Failure(doing, f"it has read {_first(found)}", remedy)
    if found := seen_unseen(seen.root, seen.noted(), reads):
        remedy = "Take their folder out of `unseen` in noxfile.py, or let it look at less: a new file there would go unnoticed."
        raise Failure(doing, f"it has looked at {_first(found)}", remedy)


def _first(found: list[str]) -> str:
    return ", ".join(found[:5]) + (f" and {len(found) - 5} more" if len(found) > 5 else "")
