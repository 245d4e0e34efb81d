"""A release against a real bare repository on disk: one atomic push, or nothing."""

import subprocess
import sys
from pathlib import Path

import pytest

from ops.errors import Failure, Refused, UsageError
from ops.release import finish, observe, plan, publish
from ops.release.annotation import images, message
from ops.release.apply import unfinished
from ops.release.changelog import section, with_section
from ops.release.version import bumped, latest

ROOT = Path(__file__).parents[2]
DIGESTS = {"registry.example/nextai/web": "sha256:" + "a" * 64}


def git(folder: Path, *arguments: str) -> str:
    done = subprocess.run(["git", *arguments], cwd=folder, check=True, capture_output=True, text=True)
    return done.stdout.strip()


def commit(folder: Path, name: str, text: str, message: str) -> None:
    (folder / name).write_text(text)
    git(folder, "add", name)
    git(folder, "commit", "-qm", message)


@pytest.fixture
def clone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A clone of a bare repository, in a path with a space, with two commits pushed."""
    for key, value in {"GIT_AUTHOR_NAME": "A", "GIT_AUTHOR_EMAIL": "a@example.org", "GIT_COMMITTER_NAME": "C"}.items():
        monkeypatch.setenv(key, value)
    monkeypatch.setenv("GIT_COMMITTER_EMAIL", "c@example.org")
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", "/dev/null")
    remote, folder = tmp_path / "remote.git", tmp_path / "a clone"
    git(tmp_path, "init", "-q", "--bare", "-b", "main", str(remote))
    git(tmp_path, "clone", "-q", str(remote), str(folder))
    git(folder, "switch", "-qc", "main")
    (folder / "pyproject.toml").write_text((ROOT / "pyproject.toml").read_text())
    commit(folder, "a", "1", "feat(web): a page")
    commit(folder, "pyproject.toml", (ROOT / "pyproject.toml").read_text() + "\n", "fix: settings")
    git(folder, "push", "-q", "origin", "main")
    return folder


def release(folder: Path, bump: str = "minor") -> str:
    decided = plan(observe(folder), bump)
    publish(folder, "nextai-agent", decided, section(folder, decided.previous, decided.tag), DIGESTS)
    return decided.tag


def refs(folder: Path) -> str:
    return git(folder, "ls-remote", "origin")


def test_a_release_is_a_commit_with_the_changelog_and_an_annotated_tag_with_the_digests(clone: Path) -> None:
    assert release(clone) == "v0.1.0"
    remote = clone.parent / "remote.git"
    assert git(remote, "cat-file", "-t", "v0.1.0") == "tag"
    assert git(remote, "rev-parse", "v0.1.0^{commit}") == git(remote, "rev-parse", "main") == git(clone, "rev-parse", "HEAD")
    annotation = git(remote, "tag", "-l", "--format=%(contents)", "v0.1.0")
    assert "Image: registry.example/nextai/web@sha256:" + "a" * 64 in annotation
    changelog = git(remote, "show", "main:CHANGELOG.md")
    assert "## 0.1.0" in changelog and "**web**: A page" in changelog and "### Fixed" in changelog
    assert git(clone, "status", "--porcelain") == ""


def test_the_second_release_lists_only_what_is_new_and_stands_on_top(clone: Path) -> None:
    release(clone)
    commit(clone, "b", "1", "feat: something new")
    git(clone, "push", "-q", "origin", "main")
    assert release(clone, "patch") == "v0.1.1"
    text = (clone / "CHANGELOG.md").read_text()
    assert text.index("## 0.1.1") < text.index("## 0.1.0")
    assert text.count("A page") == 1 and "release" not in text


def test_every_reason_not_to_release_is_told_at_once(clone: Path) -> None:
    (clone / "dirty").write_text("x")
    commit(clone, "c", "1", "feat: not pushed")
    with pytest.raises(Refused) as refusal:
        plan(observe(clone), "minor")
    assert "dirty" in refusal.value.cause and "has not got" in refusal.value.cause


def test_behind_the_remote_is_refused_with_the_number_of_commits(clone: Path) -> None:
    git(clone, "reset", "-q", "--hard", "HEAD^")
    with pytest.raises(Refused, match="1 commit behind"):
        plan(observe(clone), "minor")


def test_a_remote_that_does_not_answer_is_named(clone: Path) -> None:
    git(clone, "remote", "set-url", "origin", str(clone.parent / "gone.git"))
    with pytest.raises(Refused, match="origin does not answer"):
        plan(observe(clone), "minor")


def test_a_machine_without_git_is_told(monkeypatch: pytest.MonkeyPatch, clone: Path) -> None:
    monkeypatch.setitem(sys.modules, "git", None)  # as its import fails where there is no git
    with pytest.raises(Failure, match="git: not found"):
        observe(clone)


def test_a_release_with_nothing_new_is_refused(clone: Path) -> None:
    release(clone)
    with pytest.raises(Refused, match=r"nothing new: \w{7} is v0\.1\.0 itself"):
        plan(observe(clone), "minor")


def test_an_unknown_bump_is_a_usage_error(clone: Path) -> None:
    with pytest.raises(UsageError, match="unknown bump"):
        plan(observe(clone), "huge")


def test_a_push_that_the_remote_refuses_moves_nothing_anywhere(clone: Path) -> None:
    hook = clone.parent / "remote.git" / "hooks" / "update"
    hook.write_text('#!/bin/sh\ncase "$1" in refs/tags/*) echo "tags are closed" >&2; exit 1;; esac\n')
    hook.chmod(0o755)
    before = (refs(clone), git(clone, "show-ref"))
    with pytest.raises(Failure, match="tags are closed"):
        release(clone)
    assert (refs(clone), git(clone, "show-ref")) == before
    hook.unlink()
    assert release(clone) == "v0.1.0"


def test_somebody_who_pushed_in_between_wins_and_nothing_is_half_done(clone: Path) -> None:
    decided = plan(observe(clone), "minor")
    other = clone.parent / "other"
    git(clone.parent, "clone", "-q", str(clone.parent / "remote.git"), str(other))
    commit(other, "d", "1", "feat: faster")
    git(other, "push", "-q", "origin", "main")
    before = refs(clone)
    with pytest.raises(Failure, match="neither main nor"):
        publish(clone, "nextai-agent", decided, "## 0.1.0\n", DIGESTS)
    assert refs(clone) == before


def test_a_release_that_was_pushed_but_not_finished_here_is_finished_by_the_next_run(clone: Path) -> None:
    head = git(clone, "rev-parse", "HEAD")
    release(clone)
    pushed = git(clone, "rev-parse", "HEAD")
    git(clone, "reset", "-q", "--hard", head)
    git(clone, "tag", "-d", "v0.1.0")
    facts = observe(clone)
    assert unfinished(facts) == "v0.1.0"
    finish(clone, "v0.1.0", "main", "origin")
    assert git(clone, "rev-parse", "HEAD") == pushed and git(clone, "tag") == "v0.1.0"
    assert unfinished(observe(clone)) is None


def test_planning_writes_nothing(clone: Path) -> None:
    before = (refs(clone), git(clone, "show-ref"), git(clone, "status", "--porcelain"))
    decided = plan(observe(clone), "major")
    assert decided.tag == "v1.0.0"
    section(clone, decided.previous, decided.tag)
    assert (refs(clone), git(clone, "show-ref"), git(clone, "status", "--porcelain")) == before


def test_versions_are_ordered_as_numbers_and_prereleases_do_not_count() -> None:
    assert str(latest(["v0.9.0", "v0.10.0", "v1.0.0-rc.1", "w2.0.0", "vx"])) == "0.10.0"
    assert str(bumped(latest(["v0.10.3"]), "minor")) == "0.11.0"
    assert latest([]) is None


def test_the_section_is_put_below_the_title() -> None:
    assert with_section("", "## 1\n- a\n") == "# Changelog\n\n## 1\n- a\n"
    assert with_section("# Changelog\n\n## 1\n- a\n", "## 2\n") == "# Changelog\n\n## 2\n\n## 1\n- a\n"


def test_what_a_release_writes_into_its_annotation_is_what_a_deploy_reads() -> None:
    digests = {"registry.example/nextai/web": "sha256:" + "a" * 64, "127.0.0.1:5000/nextai/api": "sha256:" + "b" * 64}
    assert images(message("nextai-agent", "1.2.3", digests, "## 1.2.3\n### Added\n- a page\n")) == digests


def test_only_the_last_paragraph_of_an_annotation_names_images() -> None:
    named = f"Image: registry.example/nextai/web@sha256:{'a' * 64}"
    assert images(f"v1\n\n- a change\n\n{named}\n\n- another change\n") == {}
    assert images(f"v1\r\n\r\n{named}\r\nSigned-off-by: A\r\n") == {"registry.example/nextai/web": "sha256:" + "a" * 64}
    assert images("v1") == images("") == images("v1\n\nImage: registry.example/nextai/web@sha256:short") == {}
