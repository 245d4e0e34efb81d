"""A person at the page: what they do there, and what their browser complains of."""

import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from playwright.sync_api import ConsoleMessage, Page, Response, expect


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody with an account."""

    name: str
    email: str
    password: str


@dataclass(slots=True)
class Visit:
    """One browser profile at the platform: a page, and what went wrong in it."""

    page: Page
    url: str
    problems: list[str] = field(default_factory=list)

    def open(self, path: str) -> Response | None:
        """Go to a path of the platform."""
        return self.page.goto(self.url + path)

    def sign_up(self, person: Person) -> None:
        """Make an account through the form, and arrive at the memories."""
        self.open("/sign-up")
        self.page.get_by_label("Name").fill(person.name)
        self.page.get_by_label("Email").fill(person.email)
        self.page.get_by_label("Password").fill(person.password)
        self.page.get_by_role("button", name="Create account").click()
        self.arrive()

    def sign_in(self, email: str, password: str) -> None:
        """Fill in and send the sign-in form."""
        self.open("/sign-in")
        self.page.get_by_label("Email").fill(email)
        self.page.get_by_label("Password").fill(password)
        self.page.get_by_role("button", name="Sign in").click()

    def arrive(self) -> None:
        """Wait until the memories page shows its list."""
        self.page.wait_for_url("**/memories")
        expect(self.page.locator("section[aria-busy=false]")).to_be_visible()

    def store(self, text: str) -> None:
        """Store one memory, and wait until it is in the list."""
        self.page.get_by_label("New memory").fill(text)
        self.page.get_by_role("button", name="Store").click()
        expect(self.page.get_by_role("listitem").filter(has_text=text)).to_be_visible()

    def search(self, query: str) -> None:
        """Search by Enter, and wait for the answer."""
        box = self.page.get_by_label("Search your memories")
        box.fill(query)
        box.press("Enter")
        expect(self.page.get_by_role("heading", name=f"Closest to “{query}”")).to_be_visible()


# Opens a browser profile of its own; options are Playwright's for a context.
Visitor = Callable[..., Visit]


def watch(visit: Visit) -> None:
    """Collect what the browser complains of: console errors (policy violations among them), exceptions, failed requests."""

    def console(message: ConsoleMessage) -> None:
        if message.type in {"error", "warning"}:
            visit.problems.append(f"{message.type}: {message.text} ({message.location.get('url')})")

    visit.page.on("console", console)
    visit.page.on("pageerror", lambda error: visit.problems.append(f"exception: {error}"))
    visit.page.on("response", lambda answer: visit.problems.append(f"{answer.status} {answer.url}") if answer.status >= 500 else None)


@contextmanager
def tolerated(visit: Visit, text: str) -> Iterator[None]:
    """A complaint that a step is meant to cause: exactly the messages with `text` are forgiven, and one must come."""
    before = len(visit.problems)
    yield
    meant = [problem for problem in visit.problems[before:] if text in problem]
    assert meant, f"no complaint about {text!r}"
    visit.problems[before:] = [problem for problem in visit.problems[before:] if text not in problem]


def somebody(name: str = "Mira Okafor") -> Person:
    """A person whom the platform has not met."""
    return Person(name, f"{uuid.uuid4().hex[:12]}@example.com", "a window seat on trains")
