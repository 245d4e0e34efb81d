"""Which files a linter gets: what Git knows, by name. A check that finds nothing to check fails."""

from pathlib import Path

from ops.command import Command, run
from ops.errors import Failure


def tracked(root: Path, *patterns: str) -> list[str]:
    """The tracked and the new, not ignored files that match Git pathspecs, relative to `root`.

    Raises `Failure` when there is none.
    """
    argv = ("git", "ls-files", "-z", "--cached", "--others", "--exclude-standard", "--", *patterns)
    listing = run(Command(argv, "listing the files to check", cwd=root)).stdout
    files = sorted({name for name in listing.split("\0") if name and (root / name).is_file()})
    if not files:
        raise Failure("listing the files to check", f"nothing matches {' '.join(patterns)}", "Correct the pattern in noxfile.py.")
    return files
