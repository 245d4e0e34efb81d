"""What is kept in the cache folder: made in a folder aside and renamed, so that it is there whole or not at all."""

import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path

from ops.errors import Failure

_MARK = ".kept.json"  # size and hash of each file, written when all of them were there
_SEEN = ".kept.boot"  # since which start of the machine the hashes are known to fit
_BOOT = Path("/proc/sys/kernel/random/boot_id")


def kept(home: Path, make: Callable[[Path], object], known: Callable[[], bool] = lambda: False) -> Path:
    """The folder `home`, filled by `make` in a folder aside unless it is there whole. Processes that want the same one wait for the first.

    What was damaged since then (a file that is missing, or has another size or content) is made again. An entry that was made before
    entries had a mark is taken as it is where `known` says so. Raises what `make` raises, and `Failure` when the disk does not take it.
    """
    if whole(home):
        return home
    from filelock import FileLock

    try:
        home.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(f"{home}.lock"):
            if not whole(home):  # another process may have made it while this one waited
                if unmarked(home) and known():
                    _seal(home)
                else:
                    _make(home, make)
    except OSError as error:
        remedy = "Let NEXTAI_CACHE name a folder that you can write, with some gigabytes free, then run it again."
        raise Failure(f"keeping {home.name} in the cache folder", f"{error.filename or home}: {error.strerror}", remedy) from error
    return home


def whole(home: Path) -> bool:
    """Whether everything that was put there is there still.

    Each use compares the sizes. The first after the machine's start compares the contents too: a power cut leaves files of the right size
    with zeros in them, and so may a cache that was copied here.
    """
    try:
        marks = json.loads((home / _MARK).read_text("utf-8"))
        if not isinstance(marks, dict) or not all(_fits(home / name, mark) for name, mark in marks.items()):
            return False
        return _seen(home) or _looked_into(home, marks)
    except (OSError, ValueError):
        return False


def _fits(file: Path, mark: object) -> bool:
    """Whether a file's size is that of its mark: [size, hash], or the size alone as older marks have it."""
    return os.lstat(file).st_size == (mark[0] if isinstance(mark, list) else mark)


def _seen(home: Path) -> bool:
    """Whether the contents were compared since the machine's start. Where nobody can tell when that was, sizes are enough."""
    try:
        boot = _BOOT.read_bytes()
    except OSError:
        return True
    try:
        return (home / _SEEN).read_bytes() == boot
    except OSError:
        return False


def _looked_into(home: Path, marks: Mapping[str, object]) -> bool:
    if not all(_hash(home / name) == mark[1] for name, mark in marks.items() if isinstance(mark, list)):
        return False
    _note(home)
    return True


def _note(home: Path) -> None:
    """Write down that the contents fit. A folder that this user cannot write is looked into each time."""
    with suppress(OSError):
        draft = home / f"{_SEEN}.{os.getpid()}"
        draft.write_bytes(_BOOT.read_bytes())
        draft.replace(home / _SEEN)


def _hash(file: Path) -> str:
    if file.is_symlink():
        return f"link {file.readlink()}"
    with file.open("rb") as content:
        return hashlib.file_digest(content, "sha256").hexdigest()


def unmarked(home: Path) -> bool:
    """Whether it was made before entries had a mark."""
    return home.is_dir() and not (home / _MARK).exists()


def _make(home: Path, make: Callable[[Path], object]) -> None:
    for leftover in home.parent.glob(f"{home.name}.*.new"):  # of a process that was killed: no other one works here, which the lock ensures
        shutil.rmtree(leftover, ignore_errors=True)
    aside = Path(tempfile.mkdtemp(prefix=f"{home.name}.", suffix=".new", dir=home.parent))
    try:
        make(aside)
        aside.chmod(0o755)
        _seal(aside)
        if home.exists():
            shutil.rmtree(home)
        aside.rename(home)
    finally:
        shutil.rmtree(aside, ignore_errors=True)


def _seal(home: Path) -> None:
    """Write down what there is. Compiled modules are left out: Python writes them itself, and checks them."""
    found = (Path(folder) / name for folder, _, names in os.walk(home) for name in names if not name.endswith(".pyc"))
    files = [file for file in found if file.name not in (_MARK, _SEEN)]
    marks = {str(file.relative_to(home)): [os.lstat(file).st_size, _hash(file)] for file in files}
    draft = home / f"{_MARK}.new"
    draft.write_text(json.dumps(marks), "utf-8")
    draft.replace(home / _MARK)
    _note(home)
