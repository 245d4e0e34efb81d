"""A small git checkout, and the passes of sessions in it."""

import subprocess
from pathlib import Path

from ops.checks.passes import Passes
from ops.checks.reads import EVERYTHING, Reads
from ops.checks.report import Outcome, Pass

PASSED = Outcome("lint", 1.5, 3)


def git(root: Path, *arguments: str) -> None:
    settings = ("-c", "user.name=a", "-c", "user.email=a@example.org", "-c", "protocol.file.allow=always", "-c", "core.hooksPath=/dev/null")
    subprocess.run(("git", *settings, *arguments), cwd=root, check=True, capture_output=True)


def repository(root: Path) -> Path:
    """Three files, committed; node_modules and .env.local are ignored."""
    for name, text in {"src/a.py": "a\n", "docs/a.md": "a\n", ".gitignore": "node_modules/\n.env.local\n"}.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    git(root, "init", "-q", "-b", "main")
    git(root, "add", ".")
    git(root, "commit", "-qm", "feat: a")
    return root


def ran(passes: Passes, reads: Reads = EVERYTHING, outcome: Outcome = PASSED) -> str:
    """A session that passes; why its pass was not kept."""
    return passes.end(passes.begin("lint", reads), reads, outcome)


def known(passes: Passes, reads: Reads = EVERYTHING) -> Pass | None:
    """The pass that `ci` would find now."""
    return passes.known(["lint"], lambda _: reads, lambda _: None).get("lint")


def why(passes: Passes, reads: Reads = EVERYTHING) -> str:
    """What `ci` says of a session that is not known good."""
    told: list[str] = []
    passes.known(["lint"], lambda _: reads, told.append)
    return " ".join(told)
