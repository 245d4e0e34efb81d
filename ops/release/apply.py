"""Make the release: commit and tag as loose objects, then one atomic push, then this checkout follows.

Until the push nothing refers to the new objects, so a release that is interrupted has left nothing behind; after it the release
exists, and the finish on this machine is done by the next run if it was interrupted.
"""

import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from ops.errors import Failure
from ops.release.annotation import message
from ops.release.changelog import FILE, with_section
from ops.release.facts import Facts, repository
from ops.release.plan import Plan

if TYPE_CHECKING:
    from git import Repo


@dataclass(frozen=True, slots=True)
class Released:
    """The object ids of what was pushed."""

    tag: str
    commit: str
    tag_object: str


def publish(root: Path, platform: str, plan: Plan, section: str, digests: Mapping[str, str]) -> Released:
    """Push the release. `digests` maps the image's repository to its digest.

    Raises `Failure` when the remote refuses; then neither branch nor tag has moved anywhere.
    """
    repo = repository(root)
    commit = _commit(repo, plan, section)
    tag_object = _tag(repo, plan.tag, commit, message(platform, plan.version, digests, section))
    _push(repo, plan, commit, tag_object)
    finish(root, plan.tag, plan.branch, plan.remote)
    return Released(plan.tag, commit, tag_object)


def finish(root: Path, tag: str, branch: str, remote: str) -> None:
    """Bring the pushed release to this checkout: fetch its tag, and move the branch forward to it."""
    repo = repository(root)
    repo.git.fetch(remote, f"refs/tags/{tag}:refs/tags/{tag}", f"+refs/heads/{branch}:refs/remotes/{remote}/{branch}")
    repo.git.merge("--ff-only", f"refs/remotes/{remote}/{branch}")


def unfinished(facts: Facts) -> str | None:
    """The tag of a release that was pushed from here and not finished here."""
    return facts.pushed_release if facts.branch == facts.release_branch and not facts.changed else None


def _commit(repo: "Repo", plan: Plan, section: str) -> str:
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
        signed = ["-S"] if repo.config_reader().get_value("commit", "gpgsign", "false") is True else []
        return str(repo.git.commit_tree(tree, "-p", plan.head, "-m", f"chore(release): {plan.tag}", *signed))


def _tag(repo: "Repo", tag: str, commit: str, text: str) -> str:
    """An annotated tag object that no ref points to yet (format: git-mktag)."""
    tagger = repo.git.var("GIT_COMMITTER_IDENT")
    content = f"object {commit}\ntype commit\ntag {tag}\ntagger {tagger}\n\n{text}"
    with tempfile.TemporaryFile() as source:
        source.write(content.encode())
        source.seek(0)
        return str(repo.git.mktag(istream=source))


def _push(repo: "Repo", plan: Plan, commit: str, tag_object: str) -> None:
    from git import GitCommandError

    try:
        with repo.git.custom_environment(GIT_TERMINAL_PROMPT="0"):
            repo.git.push(
                "--atomic", "--porcelain", plan.remote, f"{commit}:refs/heads/{plan.branch}", f"{tag_object}:refs/tags/{plan.tag}"
            )
    except GitCommandError as error:
        words = str(error.stderr or error.stdout).strip()
        raise Failure(
            f"pushing {plan.tag} to {plan.remote}",
            f"the remote refused, and neither {plan.branch} nor {plan.tag} has moved:\n{words}",
            f"If {plan.branch} moved meanwhile: git pull --ff-only, then run it again.",
        ) from error
