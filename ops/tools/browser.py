"""A Chromium for the end-to-end tests: this machine's, Debian's, or the one that Playwright fetches."""

import os
import shutil
import sys
from glob import escape, glob
from pathlib import Path

from ops.command import Command, run
from ops.errors import Failure
from ops.folders import home
from ops.tools.table import Spec, Tool
from ops.tools.versions import version_of


def fetched(spec: Spec) -> Tool | None:
    """A browser that Playwright fetched earlier."""
    base = Path(os.environ.get("PLAYWRIGHT_BROWSERS_PATH") or home() / ".cache" / "ms-playwright")
    # Not Path.glob, which raises where the folder may not be read.
    for name in sorted(glob(str(Path(escape(str(base))) / "chromium-*/chrome-linux*/chrome")), reverse=True):  # noqa: PTH207
        program = Path(name)
        if version := version_of((str(program),), spec.ask, program):
            return Tool("chromium", (str(program),), version, "fetched by Playwright")
    return None


def install() -> None:
    """Fetch a browser: Debian's package where this process may install it, else Playwright's. Raises `Failure` with the remedy."""
    if os.geteuid() == 0 and shutil.which("apt-get"):
        print("installing Debian's chromium (once, about 40 s)", file=sys.stderr, flush=True)
        apt = ("apt-get", "-qq", "-o", "DPkg::Lock::Timeout=120")
        quiet = {"DEBIAN_FRONTEND": "noninteractive"}
        remedy = "Run `apt-get update && apt-get install chromium`, and read what it says."
        run(Command((*apt, "update"), "reading Debian's package lists", quiet, remedy=remedy))
        run(
            Command(
                (*apt, "install", "-y", "--no-install-recommends", "chromium", "fonts-dejavu-core"),
                "installing chromium",
                quiet,
                remedy=remedy,
            )
        )
        return
    print("fetching Playwright's chromium (once)", file=sys.stderr, flush=True)
    try:
        run(Command((sys.executable, "-m", "playwright", "install", "chromium"), "fetching a browser"), timeout=600)
    except Failure as failure:
        remedy = "Install Chromium or Chrome with your system's package manager, so that it is on PATH."
        raise Failure("fetching a browser", failure.cause, remedy) from failure
