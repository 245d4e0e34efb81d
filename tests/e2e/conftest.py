"""The browser and the platform that the page's tests use."""

import json
import os
import shutil
import urllib.request
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path

import pytest
from filelock import FileLock
from playwright.sync_api import Browser, BrowserContext, expect, sync_playwright

from tests.e2e.visits import Person, Visit, Visitor, somebody, watch

expect.set_options(timeout=10_000)  # a loaded machine is slow, not broken

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


@pytest.fixture(scope="session")
def base_url() -> Iterator[str]:
    """Where the page of the platform is."""
    with platform_url() as url:
        yield url


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """One chromium for all tests; each visit has a profile of its own."""
    from ops import tools

    chromium = tools.find("chromium")
    # Root may not use Chromium's sandbox, and containers have a small /dev/shm.
    options = [*chromium.argv[1:], "--no-sandbox", "--disable-dev-shm-usage"]
    environment: dict[str, str | float | bool] = {**os.environ, **chromium.env}
    with sync_playwright() as playwright:
        running = playwright.chromium.launch(executable_path=chromium.argv[0], args=options, env=environment)
        yield running
        running.close()


@pytest.fixture
def visitor(browser: Browser, base_url: str) -> Iterator[Visitor]:
    """Opens browser profiles; at the test's end none may have logged an error or broken the page's content policy."""
    visits: list[tuple[BrowserContext, Visit]] = []

    def visit(**options: object) -> Visit:
        context = browser.new_context(locale="en-GB", timezone_id="UTC", **options)  # type: ignore[arg-type]
        one = Visit(context.new_page(), base_url)
        watch(one)
        visits.append((context, one))
        return one

    yield visit
    problems = [problem for _, one in visits for problem in one.problems]
    for context, _ in visits:
        context.close()
    assert problems == []


@pytest.fixture
def person() -> Person:
    """Somebody new."""
    return somebody()
