"""Make the release: commit and tag as loose objects, then one atomic push, then this checkout follows.

Until the push nothing refers to the new objects, so a release that is interrupted has left nothing behind; after it the release
exists, and the finish on this machine is done by the next run if it was interrupted.
"""

import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from ops.errors import Failure, Refused
from ops.release.annotation import message
from ops.release.changelog import FILE, with_section
from ops.release.facts import ANSWER_SECONDS, FETCH_SECONDS, ReleaseFacts, explained, moved, push_target, remote_git, repository, said
from ops.release.plan import ReleasePlan

if TYPE_CHECKING:
    from git import Repo

PUSH_SECONDS = 600  # the hooks of both sides run in it


@dataclass(frozen=True, slots=True)
class Released:
    """The object ids of what was pushed."""

    tag: str
    commit: str
    tag_object: str


def check_unchanged(root: Path, plan: ReleasePlan) -> None:
    """Raise `Refused` when the checkout is not what the plan was made from: images are built from its files."""
    if reasons := moved(root, plan.branch, plan.head):
        cause = "\n".join(["the checkout has changed since the plan was made:", *(f"- {reason}" for reason in reasons)])
        raise Refused(f"releasing {plan.tag}", cause, "Nothing was built or pushed. Run it again when the checkout stays as it is.")


def publish(root: Path, platform: str, plan: ReleasePlan, section: str, digests: Mapping[str, str]) -> Released:
    """Push the release. `digests` maps the image's repository to its digest.

    Raises `Failure` when git cannot make it or the remote refuses, and then neither branch nor tag has moved anywhere; or when it is
    released and this checkout could not follow.
    """
    repo = repository(root)
    remedy = "Correct what git says, then run it again. Of signing: git config user.signingKey, gpg.program, commit.gpgSign, tag.gpgSign."
    with explained(f"making the commit and the tag {plan.tag}", "git did not make them, and nothing was pushed", remedy):
        commit = _commit(repo, plan, section)
        tag_object = _tag(repo, plan.tag, commit, message(platform, plan.version, digests, section))
    _push(repo, plan, commit, tag_object)
    finish(root, plan.tag, plan.branch, plan.remote)
    return Released(plan.tag, commit, tag_object)


def finish(root: Path, tag: str, branch: str, remote: str) -> None:
    """Bring the pushed release to this checkout: fetch its tag, and move the branch forward to it.

    Raises `Failure` that says that the release is out.
    """
    repo = repository(root)
    doing, state = f"bringing {tag} to this checkout", f"{tag} is released, and only this checkout has not followed"
    follow = f"git switch {branch} && git pull --ff-only {remote} {branch} && git fetch {remote} tag {tag}"
    remedy = f"Do not release again. Correct that, then: {follow}"
    with explained(doing, state, remedy):
        refspecs = (f"refs/tags/{tag}:refs/tags/{tag}", f"+refs/heads/{branch}:refs/remotes/{remote}/{branch}")
        remote_git(repo, FETCH_SECONDS, "fetch", push_target(repo, remote), *refspecs)
        now = None if repo.head.is_detached else repo.active_branch.name
        if now != branch:  # chosen while the images were built: that branch is not the release's to move
            raise Failure(doing, f"{state}:\nit is on {now or 'a detached HEAD'} now", remedy)
        repo.git.merge("--ff-only", f"refs/remotes/{remote}/{branch}")


def unfinished(facts: ReleaseFacts) -> str | None:
    """The tag of a release that was pushed from here and not finished here."""
    return facts.pushed_release if facts.branch == facts.release_branch and not facts.changed else None


def _commit(repo: "Repo", plan: ReleasePlan, section: str) -> str:
    """A commit on top of HEAD with the changelog, made through an index of its own: neither branch nor files are touched."""
    from git import GitCommandError

    try:
        older = repo.git.show(f"{plan.head}:{FILE}", strip_newline_in_stdout=False)
    except GitCommandError:
        older = ""
    with tempfile.TemporaryDirectory(prefix="nextai-release-") as folder:
        source = Path(folder, FILE)
        source.write_text(with_section(older, section), encoding="utf-8")
        blob = repo.git.hash_object("-w", str(source))
        with repo.git.custom_environment(GIT_INDEX_FILE=str(Path(folder, "index"))):
            repo.git.read_tree(plan.head)
            repo.git.update_index("--add", "--cacheinfo", f"100644,{blob},{FILE}")
            tree = repo.git.write_tree()
        signed = ["-S"] if _wants(repo, "commit.gpgSign") else []
        return str(repo.git.commit_tree(tree, "-p", plan.head, "-m", f"chore(release): {plan.tag}", *signed))


def _tag(repo: "Repo", tag: str, commit: str, text: str) -> str:
    """An annotated tag object that no ref points to yet, signed as this checkout's settings say (tag.gpgSign).

    Only `git tag` signs, and it makes a ref: in a repository that is thrown away, which writes its objects into this one.
    """
    common = Path(repo.common_dir).resolve()
    with tempfile.TemporaryDirectory(prefix="nextai-release-") as folder:
        aside, source = Path(folder, "git"), Path(folder, "annotation")
        source.write_text(text, encoding="utf-8")
        repo.git.init("--quiet", "--bare", f"--object-format={repo.git.rev_parse('--show-object-format')}", str(aside))
        repo.git.config("--file", str(aside / "config"), "include.path", str(common / "config"))
        with repo.git.custom_environment(GIT_DIR=str(aside), GIT_OBJECT_DIRECTORY=str(common / "objects")):
            repo.git.tag("--annotate", "--cleanup=verbatim", "--file", str(source), tag, commit)
            return str(repo.git.rev_parse(f"refs/tags/{tag}"))


def _wants(repo: "Repo", setting: str) -> bool:
    """Whether a setting of git is on, in any of the spellings that git takes (git-config, boolean)."""
    from git import GitCommandError

    try:
        return str(repo.git.config("--type=bool", "--get", setting)) == "true"
    except GitCommandError as error:
        if error.status == 1:  # it is not set
            return False
        raise


def _push(repo: "Repo", plan: ReleasePlan, commit: str, tag_object: str) -> None:
    from git import GitCommandError

    doing, refspecs = f"pushing {plan.tag} to {plan.remote}", (f"{commit}:refs/heads/{plan.branch}", f"{tag_object}:refs/tags/{plan.tag}")
    try:
        remote_git(repo, PUSH_SECONDS, "push", "--atomic", "--porcelain", plan.remote, *refspecs)
    except GitCommandError as error:
        arrived = _arrived(repo, plan, tag_object)
        if arrived:  # only the answer was lost
            return
        if arrived is False and error.status == 1:
            cause = f"the remote refused, and nothing of this release is there:\n{said(error)}"
            raise Failure(doing, cause, f"If {plan.branch} moved meanwhile: git pull --ff-only, then run it again.") from error
        there = f"{plan.tag} is not there now" if arrived is False else f"whether {plan.tag} is there, the remote does not say"
        remedy = "Run it again when the remote answers: a release that arrived late is brought here, else it is made."
        raise Failure(doing, f"it broke off, and {there}:\n{said(error)}", remedy) from error


def _arrived(repo: "Repo", plan: ReleasePlan, tag_object: str) -> bool | None:
    """Whether the remote has this very tag; None where it does not answer."""
    from git import GitCommandError

    try:
        return tag_object in remote_git(repo, ANSWER_SECONDS, "ls_remote", push_target(repo, plan.remote), f"refs/tags/{plan.tag}")
    except GitCommandError:
        return None
