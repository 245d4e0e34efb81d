"""What the repository and its remote are like before a release."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from ops.command import Command, run
from ops.errors import Failure, UsageError
from ops.release.annotation import images
from ops.release.version import PREFIX, latest

if TYPE_CHECKING:
    from git import Repo


@dataclass(frozen=True, slots=True)
class Facts:
    """The state of the checkout and of the remote branch. `remote_head` is None where the remote has no such branch."""

    root: Path
    branch: str | None
    release_branch: str
    head: str
    changed: tuple[str, ...]
    shallow: bool
    remote: str
    remote_error: str | None
    remote_head: str | None
    behind: int
    remote_tags: tuple[str, ...]
    local_tags: tuple[str, ...]
    head_release: str | None  # the release that HEAD is
    pushed_release: str | None  # a release that the remote has on top of HEAD: its finish is missing here


@dataclass(frozen=True, slots=True)
class Tagged:
    """The release that a commit is: its tag, its version, and the digest of each image by repository."""

    tag: str
    version: str
    digests: Mapping[str, str]


def tagged(root: Path) -> Tagged | None:
    """The release that HEAD is by an annotated tag vX.Y.Z that names images. The remote is not asked, and no file looked at."""
    form = "--format=%(objecttype)%00%(refname:lstrip=2)%00%(contents:body)%00"
    argv = ("git", "for-each-ref", "--points-at=HEAD", form, f"refs/tags/{PREFIX}*")
    fields = iter(run(Command(argv, "asking git for the tags of HEAD", cwd=root)).stdout.split("\0"))
    named = {tag: images(body) for kind, tag, body in zip(fields, fields, fields, strict=False) if kind.strip() == "tag"}
    version = latest(tag for tag, digests in named.items() if digests) if named else None
    return Tagged(f"{PREFIX}{version}", str(version), named[f"{PREFIX}{version}"]) if version else None


def repository(root: Path) -> "Repo":
    """The Git repository of a checkout. Raises `UsageError` where there is none."""
    try:
        from git import InvalidGitRepositoryError, NoSuchPathError, Repo
    except ImportError as error:  # it looks for the program when it is imported
        raise Failure("reading the repository", "git: not found", "Install git, or put it on PATH.") from error

    try:
        return Repo(root)
    except (InvalidGitRepositoryError, NoSuchPathError) as error:
        raise UsageError("reading the repository", f"{root} is not a Git checkout", "Clone the repository with git.") from error


def observe(root: Path, *, branch: str = "main", remote: str = "origin") -> Facts:
    """Ask the checkout and, over the network, the remote. Nothing is changed but the remote-tracking branch."""
    repo = repository(root)
    if not repo.head.is_valid():
        raise UsageError("reading the repository", "there is no commit yet", "Commit something first.")
    head = repo.head.commit.hexsha
    listing, problem = _remote_refs(repo, remote, branch)
    remote_head = listing.get(f"refs/heads/{branch}")
    return Facts(
        root=root,
        branch=None if repo.head.is_detached else repo.active_branch.name,
        release_branch=branch,
        head=head,
        changed=tuple(_changed(repo)),
        shallow=repo.git.rev_parse("--is-shallow-repository") == "true",
        remote=remote,
        remote_error=problem,
        remote_head=remote_head,
        behind=_behind(repo, head, remote_head),
        remote_tags=tuple(ref.removeprefix("refs/tags/") for ref in listing if ref.startswith("refs/tags/") and not ref.endswith("^{}")),
        local_tags=tuple(tag.name for tag in repo.tags),
        head_release=_release_at(head, listing),
        pushed_release=_pushed_release(repo, head, remote_head, listing),
    )


def _changed(repo: "Repo") -> list[str]:
    output = str(repo.git.status("--porcelain", "-z", "--untracked-files=all"))
    return [entry[3:] for entry in output.split("\0") if entry[2:3] == " "]


def _remote_refs(repo: "Repo", remote: str, branch: str) -> tuple[dict[str, str], str | None]:
    """The remote's branch and tags by name, or why they could not be had."""
    from git import GitCommandError

    if remote not in [r.name for r in repo.remotes]:
        return {}, f"there is no remote named {remote}"
    # A prompt for a password would hang where nobody sits.
    quiet = {"GIT_TERMINAL_PROMPT": "0", "GIT_SSH_COMMAND": "ssh -o BatchMode=yes -o ConnectTimeout=10"}
    try:
        with repo.git.custom_environment(**quiet):
            output = str(repo.git.ls_remote(remote, kill_after_timeout=30))
            listing = {ref: sha for sha, _, ref in (line.partition("\t") for line in output.splitlines())}
            if f"refs/heads/{branch}" in listing:
                repo.git.fetch(remote, f"+refs/heads/{branch}:refs/remotes/{remote}/{branch}", "--no-tags", kill_after_timeout=120)
    except GitCommandError as error:
        return {}, f"the remote {remote} does not answer: {reason(str(error.stderr)) or error.status}"
    return listing, None


def reason(words: str) -> str:
    """The line of git's words that says why: its first `fatal:`, else its last line. GitPython puts `stderr: '…'` around them."""
    lines = [line.strip() for line in words.strip().removeprefix("stderr: '").removesuffix("'").splitlines() if line.strip()]
    fatal = [line.removeprefix("fatal: ") for line in lines if line.startswith("fatal: ")]
    return (fatal or lines[-1:] or [""])[0]


def _behind(repo: "Repo", head: str, remote_head: str | None) -> int:
    return int(repo.git.rev_list("--count", f"{head}..{remote_head}")) if remote_head else 0


def _pushed_release(repo: "Repo", head: str, remote_head: str | None, listing: dict[str, str]) -> str | None:
    if remote_head is None or remote_head == head or repo.git.rev_parse(f"{remote_head}^") != head:
        return None
    return _release_at(remote_head, listing)


def _release_at(commit: str, listing: dict[str, str]) -> str | None:
    """The release tag of the remote that leads to a commit. `^{}` is what an annotated tag points to."""
    tags = (ref for ref, sha in listing.items() if ref.endswith("^{}") and sha == commit and ref.startswith("refs/tags/v"))
    return next((ref.removeprefix("refs/tags/").removesuffix("^{}") for ref in tags), None)
