"""A release, and what remotes, tags and git's settings are really like."""

import subprocess
from pathlib import Path

import pytest

from ops.errors import Failure, Refused
from ops.release import finish, observe, plan, publish
from ops.release.apply import unfinished
from ops.release.facts import reason, tagged
from tests.unit.release_clone import DIGESTS, commit, git, hook, refs, release

FOREIGN = ["v9.0.0", "v9.0.0-rc.1", "v9.0.0+build", "vendor", "v9"]


@pytest.mark.parametrize("tag", FOREIGN)
def test_an_annotated_tag_that_names_no_images_is_no_release(clone: Path, tag: str) -> None:
    git(clone, "tag", "-a", "-m", "somebody's", tag)
    git(clone, "push", "-q", "origin", tag)
    git(clone, "tag", "-d", tag)
    facts = observe(clone)
    assert facts.head_release is None and tagged(clone) is None
    assert git(clone, "tag") == ""  # it was looked at, and not taken over


@pytest.mark.parametrize("tag", FOREIGN)
def test_a_commit_on_top_with_somebodys_tag_is_no_release_to_be_finished(clone: Path, tag: str) -> None:
    head = git(clone, "rev-parse", "HEAD")
    commit(clone, "b", "1", "feat: more")
    git(clone, "tag", "-a", "-m", "somebody's\n\nImage: none", tag)
    git(clone, "push", "-q", "origin", "main", tag)
    git(clone, "reset", "-q", "--hard", head)
    git(clone, "tag", "-d", tag)
    facts = observe(clone)
    assert facts.pushed_release is None and unfinished(facts) is None
    with pytest.raises(Refused, match="1 commit behind"):
        plan(facts, "minor")


def test_a_candidate_with_images_is_a_release_of_its_commit(clone: Path) -> None:
    git(clone, "tag", "-a", "-m", f"nextai 1.0.0-rc.1\n\nImage: r/web@sha256:{'b' * 64}", "v1.0.0-rc.1")
    found = tagged(clone)
    assert found and found.tag == "v1.0.0-rc.1" and found.digests == {"r/web": "sha256:" + "b" * 64}


def test_two_push_addresses_are_refused_before_anything_is_pushed(clone: Path) -> None:
    mirror = clone.parent / "mirror.git"
    git(clone.parent, "clone", "-q", "--bare", str(clone.parent / "remote.git"), str(mirror))
    for address in (clone.parent / "remote.git", mirror):
        git(clone, "remote", "set-url", "--add", "--push", "origin", str(address))
    with pytest.raises(Refused) as refusal:
        plan(observe(clone), "minor")
    assert "2 push addresses" in refusal.value.cause and str(mirror) in refusal.value.cause and "set-url --delete" in refusal.value.cause
    git(clone, "remote", "set-url", "--delete", "--push", "origin", str(mirror))
    assert release(clone) == "v0.1.0"


def test_where_a_push_goes_is_asked_and_not_a_mirror_that_is_behind(clone: Path) -> None:
    mirror, remote = clone.parent / "mirror.git", clone.parent / "remote.git"
    git(clone.parent, "clone", "-q", "--bare", str(remote), str(mirror))
    git(clone, "remote", "set-url", "origin", str(mirror))
    git(clone, "remote", "set-url", "--push", "origin", str(remote))
    assert release(clone) == "v0.1.0"
    assert git(remote, "tag") == "v0.1.0" and git(mirror, "tag") == ""
    assert git(clone, "rev-parse", "v0.1.0^{commit}") == git(clone, "rev-parse", "HEAD") == git(remote, "rev-parse", "main")
    assert observe(clone).head_release == "v0.1.0"


@pytest.fixture
def signing(clone: Path) -> Path:
    """The clone with a key of SSH, and git told to sign everything."""
    key = clone.parent / "key"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(key)], check=True)
    for setting, value in {"gpg.format": "ssh", "user.signingKey": f"{key}.pub", "tag.gpgSign": "1", "commit.gpgSign": "yes"}.items():
        git(clone, "config", setting, value)
    return clone


def test_commit_and_tag_are_signed_where_git_is_told_to(signing: Path) -> None:
    release(signing)
    remote = signing.parent / "remote.git"
    assert "gpgsig " in git(remote, "cat-file", "commit", "main")
    assert "-----BEGIN SSH SIGNATURE-----" in git(remote, "cat-file", "tag", "v0.1.0")
    found = tagged(signing)
    assert found and dict(found.digests) == DIGESTS
    allowed = signing.parent / "allowed"
    allowed.write_text(f"a@example.org,c@example.org {(signing.parent / 'key.pub').read_text()}")
    git(signing, "-c", f"gpg.ssh.allowedSignersFile={allowed}", "verify-tag", "v0.1.0")
    git(signing, "-c", f"gpg.ssh.allowedSignersFile={allowed}", "verify-commit", "HEAD")


def test_a_signed_release_that_was_interrupted_is_finished(signing: Path) -> None:
    head = git(signing, "rev-parse", "HEAD")
    release(signing)
    git(signing, "reset", "-q", "--hard", head)
    git(signing, "tag", "-d", "v0.1.0")
    assert unfinished(observe(signing)) == "v0.1.0"
    finish(signing, "v0.1.0", "main", "origin")
    assert observe(signing).head_release == "v0.1.0"


@pytest.mark.parametrize("setting", ["commit.gpgSign", "tag.gpgSign"])
def test_what_cannot_be_signed_is_refused_with_the_reason(clone: Path, setting: str) -> None:
    git(clone, "config", setting, "on")
    git(clone, "config", "gpg.program", "/bin/false")
    before = (refs(clone), git(clone, "show-ref"))
    with pytest.raises(Failure) as failure:
        release(clone)
    assert "gpg failed to sign" in failure.value.cause and "nothing was pushed" in failure.value.cause
    assert (refs(clone), git(clone, "show-ref")) == before


def test_nothing_is_signed_where_git_is_not_told_to(clone: Path) -> None:
    git(clone, "config", "commit.gpgSign", "off")
    release(clone)
    assert "gpgsig" not in git(clone, "cat-file", "commit", "HEAD") and "SIGNATURE" not in git(clone, "cat-file", "tag", "v0.1.0")


def test_a_lock_that_is_left_is_named_and_not_the_remote(clone: Path) -> None:
    other = clone.parent / "other"
    git(clone.parent, "clone", "-q", str(clone.parent / "remote.git"), str(other))
    commit(other, "b", "1", "feat: more")
    git(other, "push", "-q", "origin", "main")
    lock = clone / ".git" / "refs" / "remotes" / "origin" / "main.lock"
    lock.parent.mkdir(parents=True, exist_ok=True)
    lock.touch()
    with pytest.raises(Refused) as refusal:
        plan(observe(clone), "minor")
    assert "does not answer" not in refusal.value.cause and f"remove {lock}" in refusal.value.cause


def test_a_checkout_of_another_user_is_called_that(clone: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GIT_TEST_ASSUME_DIFFERENT_OWNER", "1")  # git's own switch for its tests
    with pytest.raises(Failure) as failure:
        observe(clone)
    assert "dubious ownership" in failure.value.cause and f"safe.directory {clone}" in failure.value.remedy
    with pytest.raises(Failure) as failure:
        tagged(clone)
    assert "belongs to another user" in failure.value.remedy


def test_the_words_of_ssh_are_the_reason_of_a_refused_login() -> None:
    words = """stderr: 'git@example.org: Permission denied (publickey).
fatal: Could not read from remote repository.

Please make sure you have the correct access rights
and the repository exists.'"""
    assert reason(words) == "git@example.org: Permission denied (publickey)."
    assert reason("stderr: 'fatal: Could not read from remote repository.'") == "Could not read from remote repository."
    assert reason("stderr: 'error: cannot lock ref\nfatal: no'") == "cannot lock ref"


def test_a_password_in_an_address_is_in_no_message(clone: Path) -> None:
    git(clone, "remote", "set-url", "origin", "https://me:canary@127.0.0.1:9/a.git")
    with pytest.raises(Refused) as refusal:
        plan(observe(clone), "minor", rehearsal=True)
    assert "canary" not in refusal.value.cause and "127.0.0.1:9" in refusal.value.cause
    assert reason("stderr: 'fatal: unable to access 'https://me:canary@h/a': no'") == "unable to access 'https://***@h/a': no"


def test_a_refused_push_says_so_without_the_password(clone: Path) -> None:
    hook(clone, "pre-receive", "echo 'see https://me:canary@example.org' >&2; exit 1")
    decided = plan(observe(clone), "minor")
    with pytest.raises(Failure) as failure:
        publish(clone, "nextai-agent", decided, "## 0.1.0\n", DIGESTS)
    assert "canary" not in failure.value.cause and "example.org" in failure.value.cause
