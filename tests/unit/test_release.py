"""A release against a real bare repository on disk: one atomic push, or nothing."""

import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest

from ops.errors import Failure, Refused, UsageError
from ops.release import apply, finish, observe, plan, publish
from ops.release.annotation import images, message
from ops.release.apply import unfinished
from ops.release.changelog import section, with_section
from ops.release.facts import is_path, tagged
from ops.release.version import bumped, latest
from ops.verbs import release as release_verb
from tests.unit.release_clone import DIGESTS, commit, git, hook, refs, release


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


def test_a_last_release_whose_tag_is_not_here_is_named_with_the_way_to_it(clone: Path) -> None:
    release(clone)
    commit(clone, "b", "1", "feat: something new")
    git(clone, "push", "-q", "origin", "main")
    git(clone, "tag", "-d", "v0.1.0")  # as after a pull of a branch by its name
    with pytest.raises(Refused, match=r"git fetch origin tag v0\.1\.0"):
        plan(observe(clone), "minor")
    git(clone, "fetch", "-q", "origin", "tag", "v0.1.0")
    assert release(clone) == "v0.2.0"


def test_every_reason_not_to_release_is_told_at_once(clone: Path) -> None:
    (clone / "dirty").write_text("x")
    commit(clone, "c", "1", "feat: not pushed")
    with pytest.raises(Refused) as refusal:
        plan(observe(clone), "minor")
    assert "dirty" in refusal.value.cause and "does not have" in refusal.value.cause


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
    with pytest.raises(Failure, match="nothing of this release is there"):
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


def test_a_rehearsal_never_leaves_this_machine(clone: Path) -> None:
    git(clone, "remote", "set-url", "--push", "origin", "git@example.org:nextai/platform.git")
    (clone / "dirty").write_text("x")
    with pytest.raises(Refused) as refusal:
        plan(observe(clone), "minor", rehearsal=True)
    assert "dirty" in refusal.value.cause and "git@example.org:nextai/platform.git" in refusal.value.cause
    (clone / "dirty").unlink()
    git(clone, "config", "--unset", "remote.origin.pushurl")
    assert plan(observe(clone), "minor", rehearsal=True).tag == "v0.1.0"


@pytest.mark.parametrize(
    ("address", "local"),
    [
        ("/srv/git/a.git", True),
        ("../a.git", True),
        ("a:b/../c.git", False),  # host a, as git reads it
        ("./a:b.git", True),
        ("file:///srv/git/a.git", True),
        ("FILE:///srv/git/a.git", False),  # git knows no such scheme
        ("git@example.org:a.git", False),
        ("ssh://localhost/a.git", False),
        ("https://example.org/a.git", False),
        ("ext::sh -c a", False),
        ("", False),
    ],
)
def test_an_address_is_a_path_where_git_takes_it_for_one(address: str, local: bool) -> None:
    assert is_path(address) is local


def test_a_rehearsal_with_one_push_address_elsewhere_is_refused(clone: Path) -> None:
    git(clone, "remote", "set-url", "--add", "--push", "origin", str(clone.parent / "remote.git"))
    git(clone, "remote", "set-url", "--add", "--push", "origin", "https://example.org/a.git")
    with pytest.raises(Refused, match=r"example\.org"):
        plan(observe(clone), "minor", rehearsal=True)


@pytest.mark.parametrize("role", ["AUTHOR", "COMMITTER"])
def test_who_releases_must_be_known_before_anything_is_built(clone: Path, monkeypatch: pytest.MonkeyPatch, role: str) -> None:
    for name in (f"GIT_{role}_NAME", f"GIT_{role}_EMAIL", "EMAIL"):
        monkeypatch.delenv(name, raising=False)
    git(clone, "config", "user.useConfigOnly", "true")
    with pytest.raises(Refused, match=r"git does not know who you are .*: git config user\.name NAME"):
        plan(observe(clone), "minor")
    git(clone, "config", "user.name", "A")
    git(clone, "config", "user.email", "a@example.org")
    assert release(clone) == "v0.1.0"


def test_a_commit_that_cannot_be_signed_is_told_and_leaves_nothing(clone: Path) -> None:
    git(clone, "config", "commit.gpgsign", "true")
    git(clone, "config", "gpg.program", "/bin/false")
    before = (refs(clone), git(clone, "show-ref"))
    with pytest.raises(Failure) as failure:
        release(clone)
    assert "gpg failed to sign" in failure.value.cause and "nothing was pushed" in failure.value.cause
    assert "user.signingKey" in failure.value.remedy
    assert (refs(clone), git(clone, "show-ref")) == before
    git(clone, "config", "commit.gpgsign", "false")
    assert release(clone) == "v0.1.0"


def test_a_push_that_arrived_without_an_answer_is_a_release(clone: Path) -> None:
    hook(clone, "post-receive", "kill -9 $PPID")
    release(clone)
    assert git(clone, "rev-parse", "HEAD") == git(clone, "rev-parse", "origin/main") == git(clone, "rev-parse", "v0.1.0^{commit}")
    assert git(clone.parent / "remote.git", "cat-file", "-t", "v0.1.0") == "tag"


def test_a_push_that_gets_no_answer_ends_in_time_and_can_be_made_again(clone: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(apply, "PUSH_SECONDS", 1)
    hook(clone, "pre-receive", "sleep 60")
    before = refs(clone)
    started = time.monotonic()
    with pytest.raises(Failure) as failure:
        release(clone)
    assert time.monotonic() - started < 30
    assert "v0.1.0 is not there now" in failure.value.cause and "run it again" in failure.value.remedy.lower()
    assert refs(clone) == before
    (clone.parent / "remote.git" / "hooks" / "pre-receive").unlink()
    monkeypatch.setattr(apply, "PUSH_SECONDS", 60)
    assert release(clone) == "v0.1.0"


def test_all_that_talks_to_a_remote_asks_nobody_and_keeps_the_own_ssh(clone: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    log = clone.parent / "log"
    program = clone.parent / "ssh"
    program.write_text(f'#!/bin/sh\necho "$GIT_TERMINAL_PROMPT $@" >> {log}\nwhile [ $# -gt 1 ]; do shift; done\nexec sh -c "$1"\n')
    program.chmod(0o755)
    git(clone, "config", "core.sshCommand", f"{program} -i key")
    git(clone, "config", "ssh.variant", "ssh")
    monkeypatch.delenv("GIT_SSH_COMMAND", raising=False)
    git(clone, "remote", "set-url", "origin", f"ssh://host{clone.parent}/remote.git")
    release(clone)
    calls = log.read_text().splitlines()
    assert len([line for line in calls if "git-receive-pack" in line]) == 1
    assert len([line for line in calls if "git-upload-pack" in line]) >= 3
    assert all(line.startswith("0 -i key -o BatchMode=yes -o ConnectTimeout=10") for line in calls)


def test_a_release_whose_remote_is_gone_after_the_push_is_told_to_be_out_and_is_finished_later(clone: Path) -> None:
    remote, gone = clone.parent / "remote.git", clone.parent / "gone.git"
    hook(clone, "post-receive", f"mv {remote} {gone}")
    with pytest.raises(Failure) as failure:
        release(clone)
    assert "v0.1.0 is released" in failure.value.cause and "git fetch origin tag v0.1.0" in failure.value.remedy
    gone.rename(remote)
    (remote / "hooks" / "post-receive").unlink()
    assert unfinished(observe(clone)) == "v0.1.0"
    finish(clone, "v0.1.0", "main", "origin")
    assert git(clone, "rev-parse", "HEAD") == git(clone, "rev-parse", "v0.1.0^{commit}")


def test_a_file_in_the_way_of_the_finish_is_told_and_the_release_is_out(clone: Path) -> None:
    hook(clone, "post-receive", f"echo mine > '{clone}/CHANGELOG.md'")
    with pytest.raises(Failure) as failure:
        release(clone)
    assert "v0.1.0 is released" in failure.value.cause and "CHANGELOG.md" in failure.value.cause
    assert (clone / "CHANGELOG.md").read_text() == "mine\n"
    with pytest.raises(Refused, match=r"CHANGELOG\.md"):  # the second run says the same, and releases nothing more
        plan(observe(clone), "minor")
    (clone / "CHANGELOG.md").unlink()
    finish(clone, "v0.1.0", "main", "origin")
    assert unfinished(observe(clone)) is None


def test_the_finish_moves_no_branch_that_was_chosen_meanwhile(clone: Path) -> None:
    head = git(clone, "rev-parse", "HEAD")
    hook(clone, "post-receive", f"unset GIT_DIR; git -C '{clone}' switch -qc other")
    with pytest.raises(Failure, match=r"v0\.1\.0 is released.*\n.*other"):
        release(clone)
    assert git(clone, "rev-parse", "other") == git(clone, "rev-parse", "main") == head


def test_of_two_who_release_at_once_one_does_and_the_other_follows(clone: Path) -> None:
    other = clone.parent / "other"
    git(clone.parent, "clone", "-q", str(clone.parent / "remote.git"), str(other))
    minor, major = plan(observe(clone), "minor"), plan(observe(other), "major")
    publish(clone, "nextai-agent", minor, "## 0.1.0\n", DIGESTS)
    before = (refs(clone), git(other, "show-ref"))
    with pytest.raises(Failure, match="nothing of this release is there"):
        publish(other, "nextai-agent", major, "## 1.0.0\n", DIGESTS)
    assert (refs(clone), git(other, "show-ref")) == before
    assert unfinished(observe(other)) == "v0.1.0"
    finish(other, "v0.1.0", "main", "origin")
    with pytest.raises(Refused, match="nothing new"):
        plan(observe(other), "major")


@pytest.fixture
def verb(clone: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The verb in this clone, with images that need no engine; what was done with them."""
    from ops import catalog
    from ops.verbs import build as rooms

    done: list[str] = []
    made = replace(catalog.load(), root=clone)

    def planned(*_: object, **__: object) -> tuple[None, None]:
        done.append("planned")
        return None, None

    def published(*_: object) -> dict[str, str]:
        done.append("published")
        return dict.fromkeys(made.images, "sha256:" + "a" * 64)

    monkeypatch.setattr(release_verb, "load", lambda: made)
    monkeypatch.setattr(rooms, "planned", planned)
    monkeypatch.setattr(rooms, "publish", published)
    return done


def run(*, testbed: bool = False, dry_run: bool = False) -> int:
    return release_verb.release("minor", testbed=testbed, yes=True, dry_run=dry_run)


def test_the_verb_releases_and_a_rehearsal_releases_to_a_path(clone: Path, verb: list[str]) -> None:
    assert run(testbed=True) == 0
    assert verb == ["planned", "published"]
    assert set(tagged(clone).digests.values()) == {"sha256:" + "a" * 64}  # type: ignore[union-attr]


def test_a_rehearsal_for_a_remote_elsewhere_builds_nothing(clone: Path, verb: list[str]) -> None:
    git(clone, "remote", "set-url", "--push", "origin", "https://example.org/a.git")
    with pytest.raises(Refused) as refusal:
        run(testbed=True)
    assert refusal.value.code == 3 and verb == []


@pytest.mark.parametrize("change", ["file", "commit", "branch"])
def test_a_checkout_that_changed_during_the_question_is_not_built(
    clone: Path, verb: list[str], monkeypatch: pytest.MonkeyPatch, change: str
) -> None:
    def confirm(*_: object, **__: object) -> None:
        if change == "file":
            (clone / "dirty").write_text("x")
        elif change == "commit":
            commit(clone, "e", "1", "feat: e")
        else:
            git(clone, "switch", "-qc", "other")

    monkeypatch.setattr(release_verb, "confirm", confirm)
    before = refs(clone)
    with pytest.raises(Refused, match="changed since"):
        run()
    assert "published" not in verb and refs(clone) == before


def test_a_dry_run_does_not_finish_what_was_interrupted(clone: Path, verb: list[str]) -> None:
    head = git(clone, "rev-parse", "HEAD")
    release(clone)
    git(clone, "reset", "-q", "--hard", head)
    assert run(dry_run=True) == 0
    assert git(clone, "rev-parse", "HEAD") == head
    assert run() == 0
    assert git(clone, "rev-parse", "HEAD") != head and verb == []
