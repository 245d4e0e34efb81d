"""What the cache keeps is there whole or not at all, and what was damaged is made again."""

import json
import os
import resource
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from ops.errors import Failure
from ops.tools import kept as room
from ops.tools.kept import kept, whole

ROOT = Path(__file__).parents[2]


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return tmp_path / "tools" / "thing-1"


def filled(folder: Path) -> None:
    (folder / "bin").mkdir()
    (folder / "bin" / "thing").write_text("program" * 1000)
    (folder / "data").write_text("data")
    (folder / "link").symlink_to("bin/thing")


def left(home: Path) -> list[str]:
    return sorted(path.name for path in home.parent.iterdir() if not path.name.endswith(".lock"))


def cut(home: Path) -> None:
    os.truncate(home / "bin" / "thing", 500)


def emptied(home: Path) -> None:
    (home / "data").write_text("")


def removed(home: Path) -> None:
    (home / "bin" / "thing").unlink()


def unlinked(home: Path) -> None:
    (home / "link").unlink()


def mark_cut(home: Path) -> None:
    os.truncate(home / ".kept.json", 9)


@pytest.mark.parametrize("damage", [cut, emptied, removed, unlinked, mark_cut])
def test_what_was_damaged_is_made_again(home: Path, damage: Callable[[Path], None]) -> None:
    kept(home, filled)
    assert whole(home)
    damage(home)
    assert not whole(home)
    kept(home, filled)
    assert whole(home)
    assert (home / "bin" / "thing").read_text() == "program" * 1000
    assert left(home) == [home.name]


def zeroed(home: Path) -> None:
    (home / "bin" / "thing").write_bytes(b"\0" * 7000)


def elsewhere(home: Path) -> None:
    shutil.copy(home / "bin" / "thing", home / "bin" / "other")
    (home / "link").unlink()
    (home / "link").symlink_to("bin/other")


@pytest.mark.parametrize("damage", [zeroed, elsewhere])
def test_what_kept_its_size_is_found_at_the_first_use_after_the_machines_start(
    home: Path, damage: Callable[[Path], None], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    boot = tmp_path / "boot_id"
    boot.write_text("first")
    monkeypatch.setattr(room, "_BOOT", boot)
    kept(home, filled)
    boot.write_text("second")
    kept(home, lambda _: pytest.fail("made again"))  # nothing was damaged
    damage(home)
    assert whole(home)  # sizes alone
    boot.write_text("third")
    assert not whole(home)
    kept(home, filled)
    assert whole(home) and (home / "bin" / "thing").read_text() == "program" * 1000 and (home / "link").readlink() == Path("bin/thing")


def test_contents_are_compared_once_a_start_and_older_marks_have_sizes_alone(
    home: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    boot = tmp_path / "boot_id"
    boot.write_text("first")
    monkeypatch.setattr(room, "_BOOT", boot)
    kept(home, filled)
    looked: list[Path] = []
    hashed = room._hash

    def counted(file: Path) -> str:
        looked.append(file)
        return hashed(file)

    monkeypatch.setattr(room, "_hash", counted)
    assert whole(home) and looked == []
    boot.write_text("second")
    assert whole(home) and len(looked) == 3
    assert whole(home) and len(looked) == 3
    boot.unlink()  # a system that does not tell
    assert whole(home) and len(looked) == 3
    mark = home / ".kept.json"
    mark.write_text(json.dumps({name: size for name, (size, _) in json.loads(mark.read_text()).items()}))
    assert whole(home)
    cut(home)
    assert not whole(home)


def test_what_is_whole_is_made_once(home: Path) -> None:
    compiled = home / "bin" / "__pycache__" / "a.cpython-311.pyc"

    def with_compiled(folder: Path) -> None:
        filled(folder)
        (folder / "bin" / "__pycache__").mkdir()
        (folder / compiled.relative_to(home)).write_text("compiled")

    kept(home, with_compiled)
    compiled.write_text("compiled by another Python")  # what Python writes there is its own
    kept(home, lambda _: pytest.fail("made again"))


def test_what_fails_leaves_nothing(home: Path) -> None:
    def half(folder: Path) -> None:
        (folder / "bin").mkdir()
        raise Failure("fetching thing", "the connection broke off", "Run it again.")

    with pytest.raises(Failure, match="the connection broke off"):
        kept(home, half)
    assert left(home) == []


def test_what_the_disk_does_not_take_leaves_nothing_and_is_told(home: Path) -> None:
    # A limit on the size of files cuts a write short as a full disk does.
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (4096, before[1]))
    try:
        with pytest.raises(Failure, match="File too large") as caught:
            kept(home, filled)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert "NEXTAI_CACHE" in caught.value.remedy
    assert left(home) == []
    kept(home, filled)
    assert whole(home)


def test_what_was_killed_at_work_is_made_anew_and_leaves_nothing_beside(home: Path) -> None:
    code = f"""
import sys
from pathlib import Path
from ops.tools.kept import kept
def half(folder):
    (folder / "bin").mkdir()
    print("at work", flush=True)
    sys.stdin.read()
kept(Path({str(home)!r}), half)
"""
    at_work = subprocess.Popen((sys.executable, "-c", code), cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert at_work.stdout and at_work.stdout.readline() == "at work\n"
    at_work.send_signal(signal.SIGKILL)
    at_work.communicate()
    assert not home.exists()
    assert len(left(home)) == 1
    kept(home, filled)
    assert whole(home)
    assert left(home) == [home.name]


def test_two_at_once_make_it_once(home: Path) -> None:
    made: list[Path] = []

    def make(folder: Path) -> None:
        made.append(folder)
        filled(folder)

    both = [threading.Thread(target=kept, args=(home, make)) for _ in range(2)]
    for thread in both:
        thread.start()
    for thread in both:
        thread.join()
    assert len(made) == 1 and whole(home)


@pytest.mark.parametrize("good", [True, False])
def test_an_entry_from_before_the_marks_stays_where_it_still_does(home: Path, good: bool) -> None:
    home.mkdir(parents=True)
    (home / "old").write_text("old")
    kept(home, filled, known=lambda: good)
    assert whole(home)
    assert (home / "old").exists() is good
