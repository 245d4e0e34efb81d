"""What the repository and its remote are like before a release."""

import os
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from ops import gitwords
from ops.command import Command, run
from ops.errors import Failure, UsageError
from ops.release.annotation import images
from ops.release.version import PREFIX, is_version, released
from ops.secret import hide

if TYPE_CHECKING:
    from git import GitCommandError, Repo

ANSWER_SECONDS = 30
FETCH_SECONDS = 120


@dataclass(frozen=True, slots=True)
class ReleaseFacts:
    """The state of the checkout and of the remote branch. `remote_head` is None where the remote has no such branch."""

    root: Path
    branch: str | None
    release_branch: str
    head: str
    changed: tuple[str, ...]
    shallow: bool
    nobody: str | None  # why git does not know who would release
    remote: str
    addresses: tuple[str, ...]  # of the remote, to fetch from and to push to
    push_addresses: tuple[str, ...]  # of them, those that a push goes to
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
    """The release that HEAD is by an annotated tag vX.Y.Z[-pre] that names images. The remote is not asked, and no file looked at."""
    form = "--format=%(objecttype)%00%(refname:lstrip=2)%00%(contents:body)%00"
    argv = ("git", "for-each-ref", "--points-at=HEAD", form, f"refs/tags/{PREFIX}*")
    fields = iter(run(Command(argv, "asking git for the tags of HEAD", cwd=root)).stdout.split("\0"))
    named = {tag: images(body) for kind, tag, body in zip(fields, fields, fields, strict=False) if kind.strip() == "tag"}
    version = released(tag for tag, digests in named.items() if digests) if named else None
    return Tagged(f"{PREFIX}{version}", str(version), named[f"{PREFIX}{version}"]) if version else None


def repository(root: Path) -> "Repo":
    """The Git repository of a checkout. Raises `UsageError` where there is none, and `Failure` where git does not trust or find it."""
    try:
        from git import GitCommandError, InvalidGitRepositoryError, NoSuchPathError, Repo
    except ImportError as error:  # it looks for the program when it is imported
        raise Failure("reading the repository", "git: not found", "Install git, or put it on PATH.") from error

    try:
        repo = Repo(root)
        repo.git.rev_parse("--git-dir")  # what GitPython reads by itself says nothing of what git refuses
        return repo
    except GitCommandError as error:
        words = said(error)
        remedy = gitwords.remedy(words) or "Correct what git says, then run it again."
        raise Failure("reading the repository", f"git cannot read it:\n{words}", remedy) from error
    except (InvalidGitRepositoryError, NoSuchPathError) as error:
        raise UsageError("reading the repository", f"{root} is not a Git checkout", "Clone the repository with git.") from error


def observe(root: Path, *, branch: str = "main", remote: str = "origin") -> ReleaseFacts:
    """Ask the checkout and, over the network, the remote. Nothing is changed but the remote-tracking branch."""
    repo = repository(root)
    with explained("reading the repository", "git cannot read it", "Correct what git says, then run it again."):
        return _observe(repo, root, branch, remote)


def _observe(repo: "Repo", root: Path, branch: str, remote: str) -> ReleaseFacts:
    if not repo.head.is_valid():
        raise UsageError("reading the repository", "there is no commit yet", "Commit something first.")
    head = repo.head.commit.hexsha
    asked = push_target(repo, remote)
    listing, problem = _remote_refs(repo, remote, asked, branch)
    remote_head = listing.get(f"refs/heads/{branch}")
    return ReleaseFacts(
        root=root,
        branch=None if repo.head.is_detached else repo.active_branch.name,
        release_branch=branch,
        head=head,
        changed=tuple(_changed(repo)),
        shallow=repo.git.rev_parse("--is-shallow-repository") == "true",
        nobody=_nobody(repo),
        remote=remote,
        addresses=_without_passwords([*_urls(repo, remote), *_urls(repo, remote, "--push")]),
        push_addresses=_without_passwords(_urls(repo, remote, "--push")),
        remote_error=problem,
        remote_head=remote_head,
        behind=_behind(repo, head, remote_head),
        remote_tags=tuple(ref.removeprefix("refs/tags/") for ref in listing if ref.startswith("refs/tags/") and not ref.endswith("^{}")),
        local_tags=tuple(tag.name for tag in repo.tags),
        head_release=_release_at(repo, asked, head, listing),
        pushed_release=_pushed_release(repo, asked, head, remote_head, listing),
    )


def moved(root: Path, branch: str, head: str) -> list[str]:
    """What of this checkout is not any more as it was when it was on `branch`, at `head`, and clean."""
    repo = repository(root)
    now = None if repo.head.is_detached else repo.active_branch.name
    reasons = [] if now == branch else [f"it is on {now or 'a detached HEAD'}, and was on {branch}"]
    if repo.head.commit.hexsha != head:
        reasons.append(f"it is at {repo.head.commit.hexsha[:7]}, and was at {head[:7]}")
    return [*reasons, *(f"{file} has changed" for file in _changed(repo))]


def is_path(address: str) -> bool:
    """Whether git takes a remote's address for a path on this machine, and not for a host or a helper (git-fetch, "GIT URLS")."""
    if "://" in address:
        return address.startswith("file://")
    return bool(address) and ":" not in address.partition("/")[0]


def remote_git(repo: "Repo", seconds: float, subcommand: str, *words: str) -> str:
    """A git command that talks to a remote: without a password prompt, and with a time limit. Raises `GitCommandError`.

    A prompt would hang without a person at the terminal. The program that this machine uses for SSH stays.
    """
    ssh = os.environ.get("GIT_SSH_COMMAND") or str(repo.config_reader().get_value("core", "sshCommand", "ssh"))
    quiet = {"GIT_TERMINAL_PROMPT": "0", "GIT_SSH_COMMAND": f"{ssh} -o BatchMode=yes -o ConnectTimeout=10"}
    with repo.git.custom_environment(**quiet):
        return str(getattr(repo.git, subcommand)(*words, kill_after_timeout=seconds))


@contextmanager
def explained(doing: str, state: str, remedy: str) -> Iterator[None]:
    """git's errors as a `Failure`: `state` says what is done and what is not, and git's own words follow."""
    from git import GitCommandError

    try:
        yield
    except GitCommandError as error:
        words = said(error)
        raise Failure(doing, f"{state}:\n{words}", gitwords.remedy(words) or remedy) from error


def said(error: "GitCommandError") -> str:
    """git's own words, without what GitPython puts around them."""
    for text in (str(error.stderr), str(error.stdout)):
        if words := unwrapped(text):
            return words
    return f"git ended with {error.status}"


def _nobody(repo: "Repo") -> str | None:
    """Why git would not make a commit: it asks for a name and an address, of the author and of the committer."""
    from git import GitCommandError

    try:
        for role in ("AUTHOR", "COMMITTER"):
            repo.git.var(f"GIT_{role}_IDENT")
    except GitCommandError as error:
        return reason(str(error.stderr))
    return None


def push_target(repo: "Repo", remote: str) -> str:
    """Where to ask for what a push has done: the remote, or its push address where that is another (a mirror may be behind)."""
    pushes = _urls(repo, remote, "--push")
    return pushes[0] if len(pushes) == 1 and pushes != _urls(repo, remote) else remote


def _urls(repo: "Repo", remote: str, *push: str) -> list[str]:
    """Where a fetch, or with `--push` a push, would go, as git's settings rewrite it."""
    if remote not in [r.name for r in repo.remotes]:
        return []
    return str(repo.git.remote("get-url", *push, "--all", remote)).splitlines()


def _without_passwords(addresses: list[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(hide(address) for address in addresses))


def _changed(repo: "Repo") -> list[str]:
    output = str(repo.git.status("--porcelain", "-z", "--untracked-files=all"))
    return [entry[3:] for entry in output.split("\0") if entry[2:3] == " "]


def _remote_refs(repo: "Repo", remote: str, asked: str, branch: str) -> tuple[dict[str, str], str | None]:
    """The remote's branch and tags by name, or why they could not be had."""
    from git import GitCommandError

    if remote not in [r.name for r in repo.remotes]:
        return {}, f"there is no remote named {remote}"
    listing: dict[str, str] = {}
    try:
        output = remote_git(repo, ANSWER_SECONDS, "ls_remote", asked)
        listing = {ref: sha for sha, _, ref in (line.partition("\t") for line in output.splitlines())}
        if f"refs/heads/{branch}" in listing:
            remote_git(repo, FETCH_SECONDS, "fetch", asked, f"+refs/heads/{branch}:refs/remotes/{remote}/{branch}", "--no-tags")
    except GitCommandError as error:
        why = reason(str(error.stderr)) or f"git ended with {error.status}"
        if not listing:
            return {}, f"the remote {remote} does not answer: {why}"
        way_out = gitwords.remedy(str(error.stderr))
        return {}, f"{remote} answers, and {branch} cannot be fetched into this checkout: {why}" + (f" {way_out}" if way_out else "")
    return listing, None


def reason(words: str) -> str:
    """The lines of git's words that say why: its first `fatal:` or `error:`, else its last line. GitPython puts `stderr: '…'` around them.

    Of a connection git says at the end only that it could not read: why stands in the lines before, in the words of SSH.
    """
    lines = [line.strip() for line in unwrapped(words).splitlines() if line.strip()]
    first = next((n for n, line in enumerate(lines) if line.startswith(("fatal: ", "error: "))), None)
    if first is None:
        return (lines[-1:] or [""])[0]
    if "Could not read from remote repository" in lines[first] and first:
        return "; ".join(lines[:first][-3:])
    return re.sub(r"^(fatal|error): ", "", lines[first])


def unwrapped(words: str) -> str:
    """git's words without what GitPython puts around them."""
    text = words.strip()
    for name in ("stderr", "stdout"):
        if text.startswith(f"{name}: '"):
            text = text.removeprefix(f"{name}: '").removesuffix("'").strip()
    return hide(text)


def _behind(repo: "Repo", head: str, remote_head: str | None) -> int:
    return int(repo.git.rev_list("--count", f"{head}..{remote_head}")) if remote_head else 0


def _pushed_release(repo: "Repo", asked: str, head: str, remote_head: str | None, listing: Mapping[str, str]) -> str | None:
    if remote_head is None or remote_head == head or repo.git.rev_parse(f"{remote_head}^") != head:
        return None
    return _release_at(repo, asked, remote_head, listing)


def _release_at(repo: "Repo", asked: str, commit: str, listing: Mapping[str, str]) -> str | None:
    """The release of the remote that a commit is: an annotated tag of a version's name that names images.

    `^{}` is what an annotated tag points to (git-ls-remote). Anybody can push a tag of such a name, so its annotation is read.
    """
    refs = [ref.removesuffix("^{}") for ref, sha in listing.items() if ref.endswith("^{}") and sha == commit]
    names = [ref.removeprefix("refs/tags/") for ref in refs if ref.startswith("refs/tags/")]
    version = released(name for name in names if is_version(name) and images(_annotation(repo, asked, name, listing[f"refs/tags/{name}"])))
    return f"{PREFIX}{version}" if version else None


def _annotation(repo: "Repo", asked: str, tag: str, tag_object: str) -> str:
    """The text of a tag of the remote, which is fetched where this checkout does not have it, without making the tag here."""
    from git import GitCommandError

    with explained(f"reading the tag {tag} of the remote", "git could not get it", f"git fetch {asked} tag {tag}"):
        try:
            return str(repo.git.cat_file("tag", tag_object))
        except GitCommandError:
            remote_git(repo, FETCH_SECONDS, "fetch", "--no-tags", "--no-write-fetch-head", asked, f"refs/tags/{tag}")
            return str(repo.git.cat_file("tag", tag_object))
