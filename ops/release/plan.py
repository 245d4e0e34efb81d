"""What a release will do: pure, from facts."""

from dataclasses import dataclass

from ops.console import counted
from ops.errors import Refused
from ops.release.facts import ReleaseFacts, is_path
from ops.release.version import PREFIX, bumped, latest

SHOWN = 5


@dataclass(frozen=True, slots=True)
class ReleasePlan:
    """The version, the tag and the branch that one push will move."""

    version: str
    tag: str
    previous: str | None
    head: str
    branch: str
    remote: str


def plan(facts: ReleaseFacts, bump: str, *, rehearsal: bool = False) -> ReleasePlan:
    """The release that follows from the facts. A `rehearsal` has images that only this machine has, so nothing else may hear of it.

    Raises `UsageError` for an unknown bump and `Refused` with every reason at once.
    """
    previous = latest([*facts.remote_tags, *facts.local_tags])
    version = bumped(previous, bump)
    tag = f"{PREFIX}{version}"
    before = f"{PREFIX}{previous}" if previous else None
    reasons = [*blockers(facts, tag), *_unknown(facts, before), *(_elsewhere(facts) if rehearsal else ())]
    if reasons:
        raise Refused(f"releasing {tag}", "\n".join(f"- {reason}" for reason in reasons), "Correct each of these, then run it again.")
    return ReleasePlan(str(version), tag, before, facts.head, facts.release_branch, facts.remote)


def blockers(facts: ReleaseFacts, tag: str) -> list[str]:
    """Every reason not to release."""
    branch, remote = facts.release_branch, f"{facts.remote}/{facts.release_branch}"
    reasons = []
    if facts.branch != branch:
        reasons.append(f"releases are made on {branch}; this is {facts.branch or 'a detached HEAD'}: git switch {branch}")
    if facts.changed:
        more = f" and {len(facts.changed) - SHOWN} more" if len(facts.changed) > SHOWN else ""
        reasons.append(f"the working tree is not clean: {', '.join(facts.changed[:SHOWN])}{more}: commit or stash them")
    if facts.shallow:
        reasons.append("the clone is shallow, so versions and commits are missing: git fetch --unshallow --tags")
    if facts.nobody:
        reasons.append(f"git does not know who you are ({facts.nobody}): git config user.name NAME; git config user.email ADDRESS")
    if facts.remote_error:
        reasons.append(facts.remote_error)
    elif facts.remote_head is None:
        reasons.append(f"{remote} does not exist: git push {facts.remote} {branch}")
    elif facts.behind:
        reasons.append(f"{facts.head[:7]} is {counted(facts.behind, 'commit')} behind {remote}: git pull --ff-only")
    elif facts.remote_head != facts.head:
        reasons.append(f"{remote} does not have {facts.head[:7]}, so no check has seen it: git push {facts.remote} {branch}")
    if len(facts.push_addresses) > 1:
        there = " and ".join(facts.push_addresses)
        reasons.append(
            f"{facts.remote} has {len(facts.push_addresses)} push addresses, and one may refuse what the other took: {there}: keep one"
            f" (git remote set-url --delete --push {facts.remote} ADDRESS), and let it mirror to the other"
        )
    if facts.head_release:
        reasons.append(f"there is nothing new: {facts.head[:7]} is {facts.head_release} itself")
    if tag in facts.remote_tags or tag in facts.local_tags:
        where = "on the remote" if tag in facts.remote_tags else "here only: git tag -d " + tag
        reasons.append(f"the tag {tag} exists {where}")
    return reasons


def _unknown(facts: ReleaseFacts, before: str | None) -> list[str]:
    """Why the commits since the last release cannot be told. A pull of a branch by its name brings no tags."""
    if before is None or before in facts.local_tags:
        return []
    return [f"the tag {before} is on the remote and not here, and the changelog begins at it: git fetch {facts.remote} tag {before}"]


def _elsewhere(facts: ReleaseFacts) -> list[str]:
    """Why this cannot be a rehearsal: where it would leave this machine, or not find again what it pushed."""
    change = f"rehearse in a clone of its own, after git remote set-url {facts.remote} PATH, a bare repository here"
    away = [address for address in facts.addresses if not is_path(address)]
    reasons = [f"a rehearsal stays on this machine, and {facts.remote} is {address}: {change}" for address in away]
    if not away and len(facts.addresses) > 1:
        reasons.append(f"a rehearsal has one remote, and {facts.remote} is {' and '.join(facts.addresses)}: {change}")
    return reasons
