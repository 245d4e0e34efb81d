"""Version numbers by Semantic Versioning 2.0.0, read from tags."""

from collections.abc import Iterable
from typing import TYPE_CHECKING

from ops.errors import UsageError

if TYPE_CHECKING:
    from semver import Version

BUMPS = ("major", "minor", "patch")
PREFIX = "v"


def latest(tags: Iterable[str]) -> "Version | None":
    """The highest released version among the tags `vX.Y.Z`; pre-releases and foreign tags do not count."""
    return max((version for version in _versions(tags) if not version.prerelease), default=None)


def released(tags: Iterable[str]) -> "Version | None":
    """The highest version among the tags `vX.Y.Z` and `vX.Y.Z-pre` of one commit: what it was released as last."""
    return max(_versions(tags), default=None)


def _versions(tags: Iterable[str]) -> "list[Version]":
    from semver import Version

    return [Version.parse(tag.removeprefix(PREFIX)) for tag in tags if is_version(tag)]


def is_version(tag: str) -> bool:
    """Whether a tag's name is that of a release: `vX.Y.Z`, or `vX.Y.Z-pre` of a pre-release."""
    from semver import Version

    name = tag.removeprefix(PREFIX)
    return name != tag and Version.is_valid(name) and not Version.parse(name).build


def bumped(previous: "Version | None", bump: str) -> "Version":
    """The version that follows; before the first release stands 0.0.0. Raises `UsageError` for an unknown bump."""
    from semver import Version

    check_bump(bump)
    return (previous or Version(0, 0, 0)).next_version(bump)


def check_bump(bump: str) -> None:
    """Raise `UsageError` for an unknown bump."""
    if bump not in BUMPS:
        raise UsageError("choosing the version", f"unknown bump {bump!r}", f"Use --bump {', --bump '.join(BUMPS)}.")
