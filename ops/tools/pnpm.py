"""pnpm in the very version that package.json names, fetched once from the npm registry into the cache."""

import json
import shutil
import sys
import tempfile
from pathlib import Path

from ops.command import Command, run
from ops.errors import Failure
from ops.tools.cachefolder import cache
from ops.tools.table import Tool


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
    if not program.exists():
        from filelock import FileLock

        home = program.parents[2]
        home.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(f"{home}.lock"):
            if not program.exists():
                _fetch(version, npm, home)
    # It is the pinned version already. Without this pnpm looks itself up in the registry to write that into the lock file, and
    # `--frozen-lockfile` fails where a registry does not show it that version.
    environment = {**node.env, "pnpm_config_pm_on_fail": "ignore"}
    return Tool("pnpm", (str(program),), version, "npm, as package.json says", environment)


def _fetch(version: str, npm: Tool, home: Path) -> None:
    print(f"fetching pnpm {version} (once)", file=sys.stderr, flush=True)
    aside = Path(tempfile.mkdtemp(prefix="pnpm-", suffix=".new", dir=home.parent))
    try:
        run(
            Command(
                (*npm.argv, "install", "--prefix", str(aside), "--no-audit", "--no-fund", "--loglevel=error", f"pnpm@{version}"),
                doing=f"fetching pnpm {version}",
                env=npm.env,
                cwd=aside,
                remedy="Check that the npm registry is reachable (`npm ping`), then run it again.",
            )
        )
        shutil.rmtree(home, ignore_errors=True)
        aside.rename(home)
    finally:
        shutil.rmtree(aside, ignore_errors=True)
