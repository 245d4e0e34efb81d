"""The changelog: a section from the commits, put on top of the file."""

import shutil
import sys
from pathlib import Path

from ops.command import Command, run
from ops.errors import Failure

FILE = "CHANGELOG.md"
TITLE = "# Changelog\n"


def section(root: Path, previous: str | None, tag: str) -> str:
    """The Markdown section of the commits since the tag `previous` (all of them before the first release)."""
    program = shutil.which("git-cliff", path=str(Path(sys.executable).parent)) or shutil.which("git-cliff")
    if program is None:
        raise Failure("writing the changelog", "git-cliff is not installed", "Run the command with `uv run`, which installs it.")
    commits = [f"{previous}..HEAD"] if previous else []
    argv = (program, "--config", str(root / "pyproject.toml"), "--repository", str(root), "--tag", tag, "--strip", "all", *commits)
    # Without this the program asks a hosting service about the commits' authors.
    done = run(Command(argv, "writing the changelog", env={"GIT_CLIFF_OFFLINE": "true"}, cwd=root))
    return done.stdout.strip() + "\n"


def with_section(text: str, new: str) -> str:
    """The changelog `text` with a section on top, below the title."""
    older = text.removeprefix(TITLE).strip("\n")
    return "\n".join([TITLE, new.strip("\n"), *(["", older] if older else []), ""])
