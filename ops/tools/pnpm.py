"""pnpm in the very version that package.json names, fetched once from the npm registry into the cache."""

import json
import sys
from pathlib import Path

from ops.command import Command, run
from ops.errors import Failure
from ops.folders import cache
from ops.tools.kept import kept, unmarked, whole
from ops.tools.table import Tool
from ops.tools.versions import version_of


def wanted(root: Path) -> str:
    """The version in package.json's packageManager ("pnpm@12.21.0", perhaps with a hash behind it)."""
    doing = "reading which pnpm to use"
    file = root / "package.json"
    try:
        document = json.loads(file.read_text("utf-8"))
    except OSError as error:
        raise Failure(doing, f"{file}: {error.strerror}", "git restore package.json") from error
    except ValueError as error:
        raise Failure(doing, f"{file}: {error}", "Correct the file.") from error
    name, _, version = str(document.get("packageManager", "")).partition("@")
    if name != "pnpm" or not version:
        raise Failure(doing, f'{file} has no "packageManager": "pnpm@VERSION"', "Add it.")
    return version.partition("+")[0]


def place(version: str) -> Path:
    """Where the fetched program is, or would be."""
    return cache() / "tools" / f"pnpm-{version}" / "node_modules" / ".bin" / "pnpm"


def tool(version: str, node: Tool, npm: Tool) -> Tool:
    """pnpm, fetched if it is not there yet."""
    program = place(version)
    kept(_home(program), lambda aside: _fetch(version, npm, aside), lambda: _starts(version, program))
    return _tool(version, program, node)


def present(version: str, node: Tool) -> Tool | None:
    """pnpm, where it is there already."""
    program = place(version)
    return _tool(version, program, node) if whole(_home(program)) or (unmarked(_home(program)) and _starts(version, program)) else None


def _home(program: Path) -> Path:
    return program.parents[2]


def _starts(version: str, program: Path) -> bool:
    return version_of((str(program),), ("--version",), program) == version


def _tool(version: str, program: Path, node: Tool) -> Tool:
    # It is the pinned version already. Without this pnpm looks itself up in the registry to write that into the lock file, and
    # `--frozen-lockfile` fails where a registry does not show it that version.
    return Tool("pnpm", (str(program),), version, "npm, as package.json says", {**node.env, "pnpm_config_pm_on_fail": "ignore"})


def _fetch(version: str, npm: Tool, folder: Path) -> None:
    print(f"fetching pnpm {version} (once)", file=sys.stderr, flush=True)
    run(
        Command(
            (*npm.argv, "install", "--prefix", str(folder), "--no-audit", "--no-fund", "--loglevel=error", f"pnpm@{version}"),
            doing=f"fetching pnpm {version}",
            env=npm.env,
            cwd=folder,
            remedy="Check that the npm registry is reachable (`npm ping`), then run it again.",
        )
    )
