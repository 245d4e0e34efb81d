"""The platform that the page's tests use."""

import json
import os
import shutil
import urllib.request
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path

import pytest
from filelock import FileLock

STATE = Path(__file__).resolve().parents[2] / ".nox" / "e2e"


def platform_url() -> AbstractContextManager[str]:
    """The address of a running platform: E2E_BASE_URL, or one of the tests' own, which runs as long as the context is open."""
    if url := os.environ.get("E2E_BASE_URL"):
        return nullcontext(url.rstrip("/"))
    return _on_this_machine()


@contextmanager
def _on_this_machine() -> Iterator[str]:
    """Empty at first, with data and secrets in a folder of its own; that folder keeps the logs when it has ended."""
    from ops import catalog, local
    from ops.config.local import page
    from ops.verbs.up import down, up

    platform = catalog.load()
    address = page(platform).rstrip("/")
    # What was built is this checkout's, whoever runs it: Node's output lies in the checkout itself, and only one folder may say what it is.
    built = local.state_folder() / "build"
    STATE.parent.mkdir(exist_ok=True)
    with FileLock(f"{STATE}.lock"), pytest.MonkeyPatch.context() as patch:
        patch.setenv("NEXTAI_STATE", str(STATE))
        down(platform)  # what a run that was killed has left
        if STATE.exists():
            shutil.rmtree(STATE)
        STATE.mkdir(mode=0o700)
        (STATE / "build").symlink_to(built)
        if _answers(address):
            cause = f"starting the platform for the page's tests: one answers at {address} already, and its data are somebody's"
            pytest.fail(f"while {cause}\nnext: `invoke down` there, or test that very one: E2E_BASE_URL={address}", pytrace=False)
        up(platform, engine="embedded", detach=True)
        try:
            yield address
        finally:
            down(platform)


def _answers(address: str) -> bool:
    try:
        with urllib.request.urlopen(f"{address}/api/health", timeout=2) as answer:
            return bool(json.load(answer)["service"] == "web")
    except (OSError, ValueError, KeyError):
        return False
