"""What is kept in the cache folder: made in a folder aside and renamed, so that it is there whole or not at all."""

import json
import os
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path

from ops.errors import Failure

_MARK = ".kept.json"  # the size of each file, written when all of them were there


def kept(home: Path, make: Callable[[Path], object], known: Callable[[], bool] = lambda: False) -> Path:
    """The folder `home`, filled by `make` in a folder aside unless it is there whole. Processes that want the same one wait for the first.

    What was damaged since then (a file that is missing, or has another size) is made again. An entry that was made before entries had a
    mark is taken as it is where `known` says so. Raises what `make` raises, and `Failure` when the disk does not take it.
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
    """Whether everything that was put there is there still."""
    try:
        sizes = json.loads((home / _MARK).read_text("utf-8"))
        return isinstance(sizes, dict) and all(os.lstat(home / name).st_size == size for name, size in sizes.items())
    except (OSError, ValueError):
        return False


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
    sizes = {str(file.relative_to(home)): os.lstat(file).st_size for file in found}
    draft = home / f"{_MARK}.new"
    draft.write_text(json.dumps(sizes), "utf-8")
    draft.replace(home / _MARK)
