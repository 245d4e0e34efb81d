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
    from semver import Version

    names = (tag.removeprefix(PREFIX) for tag in tags if tag.startswith(PREFIX))
    versions = [Version.parse(name) for name in names if Version.is_valid(name)]
    return max((v for v in versions if not v.prerelease and not v.build), default=None)


def bumped(previous: "Version | None", bump: str) -> "Version":
    """The version that follows; before the first release stands 0.0.0. Raises `UsageError` for an unknown bump."""
    from semver import Version

    check_bump(bump)
    return (previous or Version(0, 0, 0)).next_version(bump)


def check_bump(bump: str) -> None:
    """Raise `UsageError` for an unknown bump."""
    if bump not in BUMPS:
        raise UsageError("choosing the version", f"unknown bump {bump!r}", f"Use --bump {', --bump '.join(BUMPS)}.")
