"""A clone of a bare repository on disk, and what tests of a release do with it."""

import subprocess
from pathlib import Path

from ops.release import observe, plan, publish
from ops.release.changelog import section

ROOT = Path(__file__).parents[2]
DIGESTS = {"registry.example/nextai/web": "sha256:" + "a" * 64}


def git(folder: Path, *arguments: str) -> str:
    done = subprocess.run(["git", *arguments], cwd=folder, check=True, capture_output=True, text=True)
    return done.stdout.strip()


def commit(folder: Path, name: str, text: str, message: str) -> None:
    (folder / name).write_text(text)
    git(folder, "add", name)
    git(folder, "commit", "-qm", message)


def release(folder: Path, bump: str = "minor") -> str:
    decided = plan(observe(folder), bump)
    publish(folder, "nextai-agent", decided, section(folder, decided.previous, decided.tag), DIGESTS)
    return decided.tag


def hook(clone: Path, name: str, lines: str) -> None:
    """Let the remote do something at a push."""
    file = clone.parent / "remote.git" / "hooks" / name
    file.write_text(f"#!/bin/sh\n{lines}\n")
    file.chmod(0o755)


def refs(folder: Path) -> str:
    return git(folder, "ls-remote", "origin")
