"""A session is known good as long as nothing that it reads has changed, and never for another reason."""

import json
import os
import platform
import resource
import stat
from collections.abc import Callable
from dataclasses import replace
from datetime import date
from pathlib import Path

import pytest

from ops.checks import pythons, snapshot
from ops.checks.passes import MOST, Passes
from ops.checks.reads import Reads
from ops.checks.report import Outcome
from tests.unit.small_repository import PASSED, git, known, ran, repository, why

CODE = Reads(names_only=("docs/*",))


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "checkout").mkdir()
    return repository(tmp_path / "checkout")


@pytest.fixture
def passes(root: Path, tmp_path: Path) -> Passes:
    return Passes(root, tmp_path / "passes")


def record(passes: Passes) -> Path:
    (file,) = (file for file in passes.folder.rglob("*.json") if file.name != "last.json")
    return file


def program(folder: Path, version: str) -> None:
    """A kubectl of this version, in the place of the one before."""
    folder.mkdir(exist_ok=True)
    (folder / "new").write_text(f"#!/bin/sh\necho Client Version: v{version}\n")
    (folder / "new").chmod(0o755)
    (folder / "new").replace(folder / "kubectl")


def test_what_passed_is_known_good_until_a_file_changes_and_again_when_it_is_put_back(root: Path, passes: Passes) -> None:
    assert known(passes) is None and why(passes) == "lint is run: no pass of it is known"
    assert ran(passes) == ""
    found = known(passes)
    assert found and (found.session, found.passed, found.seconds) == ("lint", 3, 1.5)
    (root / "src/a.py").write_text("b\n")
    assert known(passes) is None and why(passes) == "lint is run: src/a.py changed"
    (root / "src/a.py").write_text("a\n")
    assert known(passes) == found


def test_of_a_file_that_is_not_read_the_name_and_the_mode_count(root: Path, passes: Passes) -> None:
    assert ran(passes, CODE) == ""
    (root / "docs/a.md").write_text("other\n")
    assert known(passes, CODE)
    (root / "docs/b.md").write_text("")
    assert known(passes, CODE) is None and why(passes, CODE) == "lint is run: docs/b.md is new"
    (root / "docs/b.md").unlink()
    (root / "docs/a.md").chmod(0o755)
    assert known(passes, CODE) is None
    assert known(passes, replace(CODE, but=("docs/a.md",))) is None


def ignored_here(root: Path) -> None:
    (root / ".git/info/exclude").write_text("mine\n")
    (root / "mine").mkdir()
    (root / "mine/a").write_text("a")


def not_looked_at(root: Path) -> None:
    git(root, "update-index", "--assume-unchanged", "src/a.py")
    (root / "src/a.py").write_text("b\n")


CHANGES: dict[str, Callable[[Path], object]] = {
    "a new file that is not committed": lambda root: (root / "generated.py").write_text(""),
    "a file that is gone": lambda root: (root / "src/a.py").unlink(),
    "an ignored file that no session makes": lambda root: (root / ".env.local").write_text("A=1"),
    "a file that git ignores here only": ignored_here,
    "a file that git was told not to look at": not_looked_at,
}


@pytest.mark.parametrize("what", CHANGES)
def test_a_change_of_the_checkout_counts(what: str, root: Path, passes: Passes) -> None:
    assert ran(passes) == ""
    CHANGES[what](root)
    assert known(passes) is None


def test_what_sessions_make_and_what_git_alone_knows_does_not_count(root: Path, passes: Passes) -> None:
    (root / "src/a.py").write_text("b\n")
    assert ran(passes) == ""
    git(root, "commit", "-qam", "feat: b")
    git(root, "switch", "-qc", "other")
    (root / "node_modules/x").mkdir(parents=True)
    (root / "node_modules/x/index.js").write_text("")
    assert known(passes)


def test_what_a_link_leads_to_counts(root: Path, passes: Passes, tmp_path: Path) -> None:
    (tmp_path / "outside").write_text("a")
    (root / "link").symlink_to(tmp_path / "outside")
    assert ran(passes) == ""
    (tmp_path / "outside").write_text("b")
    assert known(passes) is None


def other_repository(root: Path) -> None:
    (root / "inner").mkdir()
    repository(root / "inner")


def submodule(root: Path) -> None:
    (root.parent / "module").mkdir()
    git(root, "submodule", "add", "-q", str(repository(root.parent / "module")), "module")


def link_outside(root: Path) -> None:
    (root / "link").symlink_to(root.parent)


@pytest.mark.parametrize("make", [other_repository, submodule, link_outside])
def test_where_it_cannot_be_told_what_is_read_all_sessions_run(make: Callable[[Path], None], root: Path, passes: Passes) -> None:
    assert ran(passes) == ""
    make(root)
    assert known(passes) is None and why(passes).startswith("all sessions are run: ")


def test_a_folder_that_may_not_be_read_costs_the_pass_and_nothing_else(passes: Passes, monkeypatch: pytest.MonkeyPatch) -> None:
    def closed() -> list[Path]:
        raise PermissionError(13, "Permission denied", "/closed")

    monkeypatch.setattr(pythons, "candidates", closed)
    words = "all sessions are run: /closed: Permission denied. Make it readable, then run the checks again."
    assert known(passes) is None and why(passes) == words


def test_a_variable_counts_and_that_of_a_window_does_not(passes: Passes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SSH_TTY", "/dev/pts/1")
    assert ran(passes) == ""
    monkeypatch.setenv("SSH_TTY", "/dev/pts/2")
    assert known(passes)
    monkeypatch.setenv("GOFLAGS", "-race")
    assert known(passes) is None and why(passes) == "lint is run: variable GOFLAGS is new"


def test_no_value_of_a_variable_is_written(passes: Passes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REGISTRY_PASSWORD", "a value that is secret")
    assert ran(passes) == ""
    files = list(passes.folder.rglob("*.json"))
    assert len(files) == 2 and not [file for file in files if "a value that is secret" in file.read_text()]
    assert {stat.S_IMODE(file.stat().st_mode) for file in files} == {0o600}


def test_a_program_that_is_replaced_in_its_place_counts(passes: Passes, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}{os.pathsep}{os.environ['PATH']}")
    program(tmp_path / "bin", "1.36.0")
    assert ran(passes) == ""
    program(tmp_path / "bin", "1.36.1")
    assert known(passes) is None and why(passes) == "lint is run: program kubectl changed"


def test_settings_of_programs_in_the_home_folder_count(passes: Passes, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    assert ran(passes) == ""
    (tmp_path / ".npmrc").write_text("registry=https://npm.example")
    assert known(passes) is None


@pytest.mark.parametrize("other", ["machine", "platform"])
def test_another_machines_pass_is_none_here(other: str, passes: Passes, monkeypatch: pytest.MonkeyPatch) -> None:
    assert ran(passes) == ""
    monkeypatch.setattr(platform, other, lambda: "other")
    assert known(passes) is None


def test_another_checkouts_pass_is_none_here(root: Path, passes: Passes, tmp_path: Path) -> None:
    assert ran(passes) == ""
    root.rename(tmp_path / "moved")
    assert known(Passes(tmp_path / "moved", passes.folder)) is None


@pytest.mark.parametrize("outcome", [Outcome("lint", passed=1, skipped=1), Outcome("lint", failed=1), Outcome("lint", left_out=True)])
def test_what_did_not_run_wholly_is_not_kept(outcome: Outcome, passes: Passes) -> None:
    assert ran(passes, outcome=outcome) == "not all of it was run"
    assert known(passes) is None


def test_what_was_touched_while_it_ran_is_not_kept_even_if_it_is_as_before(root: Path, passes: Passes) -> None:
    attempt = passes.begin("lint", CODE)
    (root / "src/a.py").write_text("b\n")
    assert passes.end(attempt, CODE, PASSED) == "meanwhile src/a.py changed"
    attempt = passes.begin("lint", CODE)
    (root / "src/a.py").write_text("a\n")
    (root / "src/a.py").write_text("b\n")
    assert passes.end(attempt, CODE, PASSED) == "meanwhile a file was touched"
    assert known(passes, CODE) is None


@pytest.mark.parametrize("text", ["", "{", "[]", "null", '{"session": "lint"}', "\0" * 100])
def test_a_damaged_record_is_none(text: str, passes: Passes) -> None:
    assert ran(passes) == ""
    whole = record(passes).read_text()
    for damaged in (text, whole[: len(whole) // 2], whole.replace('"lint"', '"tests"'), whole.replace('"passed": 3', '"passed": "3"')):
        record(passes).write_text(damaged)
        (passes.folder / "lint/last.json").write_text(text)
        assert known(passes) is None and why(passes)
    assert ran(passes) == ""
    assert known(passes)


def test_a_full_disk_costs_the_record_and_nothing_else(passes: Passes) -> None:
    most = resource.getrlimit(resource.RLIMIT_FSIZE)
    attempt = passes.begin("lint", CODE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (20, most[1]))
    try:
        said = passes.end(attempt, CODE, PASSED)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, most)
    assert "File too large" in said
    assert known(passes, CODE) is None and [file for file in passes.folder.rglob("*") if file.is_file()] == []


@pytest.mark.parametrize("at", ["1970-01-01T00:00:00+00:00", "2999-12-31T23:59:59+00:00"])
def test_a_clock_that_jumps_changes_no_verdict(at: str, passes: Passes) -> None:
    assert ran(passes) == ""
    record(passes).write_text(json.dumps({**json.loads(record(passes).read_text()), "at": at}))
    os.utime(record(passes), (0, 0))
    assert known(passes)


def test_what_changes_with_the_day_is_known_for_a_day(passes: Passes, monkeypatch: pytest.MonkeyPatch) -> None:
    reads = Reads(days=True)
    assert ran(passes, reads) == ""
    assert known(passes, reads)

    class Tomorrow(date):
        @classmethod
        def today(cls) -> "Tomorrow":
            return cls(2999, 1, 1)

    monkeypatch.setattr(snapshot, "date", Tomorrow)
    assert known(passes, reads) is None


def test_the_passes_of_some_branches_are_kept_and_no_more(root: Path, passes: Passes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(snapshot, "_facts", lambda _: {})
    for number in range(MOST + 3):
        (root / "src/a.py").write_text(str(number))
        assert ran(passes) == ""
    assert known(passes)
    assert len(list(passes.folder.rglob("*.json"))) == MOST + 1
