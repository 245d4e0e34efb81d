"""What was cut out of files is kept by the content of every file that was read for it, and by nothing less."""

import os
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from ops.documents import Json
from ops.images import cuts
from ops.images.cuts import Read, remembered

LOCK = "lock: 1, and more than that"


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("NEXTAI_CACHE", str(tmp_path / "cache"))
    folder = tmp_path / "checkout"
    folder.mkdir()
    (folder / "lock").write_text(LOCK)
    return folder


def ask(root: Path, given: str = "", name: str = "web") -> tuple[Json, int]:
    """The answer, and how often it was made: the lock file's first word with what stands in a file that may be missing."""
    made: list[int] = []

    def read(path: str) -> str | None:
        return (root / path).read_text() if (root / path).exists() else None

    def make(reads: Mapping[str, Read]) -> Json:
        made.append(1)
        return [(reads["own"]("lock") or "").partition(",")[0], reads["own"]("missing")]

    return remembered(root, name, given, {"own": read}, make), len(made)


def test_what_was_made_is_not_made_again(root: Path) -> None:
    assert ask(root) == (["lock: 1", None], 1)
    assert ask(root) == (["lock: 1", None], 0)
    assert ask(root, name="api") == (["lock: 1", None], 1)


def another_content(root: Path) -> None:
    """Of the same size and date, in the same inode."""
    before = (root / "lock").stat()
    (root / "lock").write_text(LOCK.replace("1", "2"))
    os.utime(root / "lock", ns=(before.st_atime_ns, before.st_mtime_ns))
    after = (root / "lock").stat()
    assert (before.st_size, before.st_mtime_ns, before.st_ino) == (after.st_size, after.st_mtime_ns, after.st_ino)


def a_part_that_is_not_used(root: Path) -> None:
    (root / "lock").write_text(LOCK + "!")


def a_file_that_was_missing(root: Path) -> None:
    (root / "missing").write_text("")


def the_file_is_gone(root: Path) -> None:
    (root / "lock").unlink()


@pytest.mark.parametrize("change", [another_content, a_part_that_is_not_used, a_file_that_was_missing, the_file_is_gone])
def test_whatever_was_read_counts(root: Path, change: Callable[[Path], None]) -> None:
    ask(root)
    change(root)
    answer, made = ask(root)
    assert made == 1
    there = (root / "lock").exists()
    assert answer == [(root / "lock").read_text().partition(",")[0] if there else "", "" if (root / "missing").exists() else None]
    assert ask(root) == (answer, 0)


def test_what_is_given_and_the_code_count(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ask(root, "a")
    assert ask(root, "b")[1] == 1
    monkeypatch.setattr(cuts, "_code", lambda: "another")
    assert ask(root, "b")[1] == 1


def test_the_code_is_that_of_all_files_that_cut() -> None:
    """Every file of this room that one of those imports which is named is named too, unless it only looks things up."""
    room = Path(cuts.__file__).parent
    text = "".join((room / f"{name}.py").read_text() for name in cuts._CODE)
    named = {name for path in room.glob("*.py") if f"ops.images.{(name := path.stem)} import" in text or f"{name}.parts(" in text}
    assert named - {*cuts._CODE} <= {"model", "key", "record"}


def damaged(text: str) -> str:
    return text.replace("lock: 1", "lock: 3")


@pytest.mark.parametrize("spoil", [damaged, lambda text: text[:-5], lambda _: "", lambda text: "\0" * len(text)])
def test_a_kept_answer_that_was_damaged_is_made_again(root: Path, spoil: Callable[[str], str]) -> None:
    ask(root)
    (file,) = (root.parent / "cache/images").rglob("web.cut")
    assert damaged(file.read_text()) != file.read_text()
    file.write_text(spoil(file.read_text()))
    assert ask(root) == (["lock: 1", None], 1)


def test_what_fails_is_not_kept(root: Path) -> None:
    def fail(_: Mapping[str, Read]) -> Json:
        raise ValueError("no")

    for _ in range(2):
        with pytest.raises(ValueError, match="no"):
            remembered(root, "web", "", {}, fail)


def test_where_nothing_can_be_kept_it_is_made_each_time(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (root.parent / "file").write_text("")
    monkeypatch.setenv("NEXTAI_CACHE", str(root.parent / "file"))
    assert [ask(root), ask(root)] == [(["lock: 1", None], 1)] * 2
