"""The browser and the platform that the page's tests use."""

import os
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, BrowserContext, expect, sync_playwright

from tests.e2e.running import platform_url
from tests.e2e.visits import Person, Visit, Visitor, somebody, watch

expect.set_options(timeout=10_000)  # a loaded machine is slow, not broken


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
