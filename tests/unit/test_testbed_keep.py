"""What is made once: its key, and that nothing half made is ever taken for whole."""

import multiprocessing
import os
import signal
from pathlib import Path

import pytest

from ops.testbed.keep import kept, key_of, write


def quiet(_: str) -> None:
    """Nobody reads it."""


def test_the_key_changes_with_any_source_and_with_where_one_ends() -> None:
    assert key_of("go.mod", "go.sum") == key_of("go.mod", "go.sum")
    assert key_of("go.mod", "go.sum") != key_of("go.mod", "go.sun")
    assert key_of("ab", "c") != key_of("a", "bc")


def test_is_made_once(tmp_path: Path) -> None:
    made = []

    def make(work: Path) -> None:
        made.append(work)
        (work / "result").write_text("whole")

    for _ in range(2):
        assert (kept(tmp_path / "thing", make, "making a thing", quiet) / "result").read_text() == "whole"
    assert len(made) == 1
    assert [path.name for path in tmp_path.iterdir()] == ["thing"]


def test_a_failure_leaves_nothing(tmp_path: Path) -> None:
    def make(work: Path) -> None:
        (work / "half").write_text("")
        raise RuntimeError("the disk is full")

    with pytest.raises(RuntimeError):
        kept(tmp_path / "thing", make, "making a thing", quiet)
    assert list(tmp_path.iterdir()) == []


def _die_half_way(target: Path) -> None:
    def make(work: Path) -> None:
        (work / "half").write_text("")
        os.kill(os.getpid(), signal.SIGKILL)

    kept(target, make, "making a thing", quiet)


def _write_whole(work: Path) -> None:
    write(work / "result", "whole")


def test_a_kill_half_way_leaves_nothing_that_counts_and_the_next_one_removes_it(tmp_path: Path) -> None:
    child = multiprocessing.get_context("fork").Process(target=_die_half_way, args=(tmp_path / "thing",))
    child.start()
    child.join()
    assert child.exitcode == -signal.SIGKILL
    assert not (tmp_path / "thing").exists()
    assert len(list(tmp_path.glob(".new-*"))) == 1
    kept(tmp_path / "thing", _write_whole, "making a thing", quiet)
    assert [path.name for path in tmp_path.iterdir()] == ["thing"]


def test_a_secret_file_is_never_readable_by_others(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "key"
    write(path, "old")
    assert write(path, "new", 0o600).stat().st_mode & 0o777 == 0o600
    assert path.read_text() == "new"
