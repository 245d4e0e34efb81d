"""What a person does at the page, in a real browser against the running platform."""

import http.client
import json
import re
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Route, expect

from tests.e2e.visits import Person, Visit, Visitor, somebody, tolerated

BAKERY = "The bakery by the canal opens at six on Sundays"
CAKE = "Grandmother's plum cake needs less sugar and more cinnamon"
TRAIN = "Mira prefers the window seat on trains"


def test_store_search_and_sign_out(visitor: Visitor, person: Person) -> None:
    visit = visitor()
    visit.sign_up(person)
    expect(visit.page.get_by_text("Nothing here yet")).to_be_visible()
    expect(visit.page.get_by_text(person.name)).to_be_visible()
    for text in (BAKERY, CAKE, TRAIN):
        visit.store(text)

    visit.search("when does the bakery open")
    expect(visit.page.get_by_role("listitem").first).to_contain_text(BAKERY)
    expect(visit.page.get_by_role("status")).to_have_text(re.compile(r"\d memor(y|ies) found for when does the bakery open"))
    visit.search("sugar for the cake")
    expect(visit.page.get_by_role("listitem").first).to_contain_text(CAKE)

    visit.page.get_by_role("button", name="Sign out").click()
    visit.page.wait_for_url("**/sign-in?signed-out=1")
    visit.open("/memories")
    expect(visit.page).to_have_url(re.compile(r"/sign-in$"))
    answer = visit.page.request.get(visit.url + "/api/memories")
    assert answer.status == 401
    assert answer.json()["error"]["requestId"] == answer.headers["x-request-id"]


def test_memories_are_there_at_the_next_sign_in(visitor: Visitor, person: Person) -> None:
    first = visitor()
    first.sign_up(person)
    first.store(TRAIN)
    second = visitor()
    second.sign_in(person.email, person.password)
    second.arrive()
    expect(second.page.get_by_role("listitem")).to_have_text([re.compile(TRAIN)])


def test_a_deleted_memory_is_gone(visitor: Visitor, person: Person) -> None:
    visit = visitor()
    visit.sign_up(person)
    visit.store(BAKERY)
    visit.store(CAKE)
    visit.page.get_by_role("button", name=re.compile("^Delete: The bakery")).click()
    expect(visit.page.get_by_role("button", name="Keep")).to_be_focused()
    visit.page.keyboard.press("Escape")
    expect(visit.page.get_by_role("button", name=re.compile("^Delete: The bakery"))).to_be_focused()
    visit.page.keyboard.press("Enter")
    visit.page.get_by_role("button", name="Delete for good").click()
    expect(visit.page.get_by_role("status")).to_have_text("Memory deleted")
    visit.page.reload()
    visit.arrive()
    expect(visit.page.get_by_role("listitem")).to_have_text([re.compile(re.escape(CAKE))])


def test_what_is_too_long_is_kept_and_not_stored(visitor: Visitor, person: Person) -> None:
    visit = visitor()
    visit.sign_up(person)
    field = visit.page.get_by_label("New memory")
    field.fill("x" * 4100)
    expect(visit.page.get_by_text("100 characters too long")).to_be_visible()
    visit.page.get_by_role("button", name="Store").click()
    expect(visit.page.get_by_role("alert").filter(has_text="Too long to store")).to_be_visible()
    expect(field).to_have_value("x" * 4100)


def test_what_is_written_while_a_memory_is_being_stored_stays(visitor: Visitor, person: Person) -> None:
    visit = visitor()
    visit.sign_up(person)
    field = visit.page.get_by_label("New memory")

    def meanwhile(route: Route) -> None:
        field.press_sequentially(f" {CAKE}")
        route.continue_()

    visit.page.route("**/api/memories", meanwhile)
    visit.store(BAKERY)
    expect(field).to_have_value(CAKE)


def test_a_memory_that_came_after_the_sessions_end_is_kept_and_stored_after_signing_in(visitor: Visitor, person: Person) -> None:
    visit = visitor()
    visit.sign_up(person)
    visit.page.context.clear_cookies()
    field = visit.page.get_by_label("New memory")
    with tolerated(visit, "401"):
        field.fill(BAKERY)
        field.press("Enter")
        expect(visit.page.get_by_role("alert").filter(has_text="Your session is over")).to_be_visible()
    expect(field).to_be_focused()
    visit.page.keyboard.press("Tab")
    visit.page.keyboard.press("Tab")
    expect(visit.page.get_by_role("link", name="Sign in again")).to_be_focused()
    with visit.page.context.expect_page() as opened:
        visit.page.keyboard.press("Enter")
    tab = Visit(opened.value, visit.url)
    expect(tab.page).to_have_url(re.compile(r"/sign-in\?expired=1$"))
    tab.sign_in(person.email, person.password)
    tab.arrive()

    expect(field).to_have_value(BAKERY)
    field.press("Enter")
    expect(visit.page.get_by_role("listitem")).to_have_text([re.compile(BAKERY)])
    expect(visit.page.get_by_role("link", name="Sign in again")).to_have_count(0)


def test_a_search_that_failed_is_tried_again_and_the_keyboard_stays_at_the_list(visitor: Visitor, person: Person) -> None:
    visit = visitor()
    visit.sign_up(person)
    visit.store(BAKERY)
    visit.page.route("**/api/memories/search*", lambda route: route.abort(), times=1)
    again = visit.page.get_by_role("button", name="Try again")
    box = visit.page.get_by_label("Search your memories")
    with tolerated(visit, "ERR_FAILED"):
        box.fill("bakery")
        box.press("Enter")
        expect(again).to_be_visible()
    again.press("Enter")
    expect(visit.page.get_by_role("heading", name="Closest to “bakery”")).to_be_focused()
    visit.page.get_by_role("button", name="Show all").press("Enter")
    expect(visit.page.get_by_role("heading", name="All memories")).to_be_focused()


def test_a_wrong_password_is_said_and_nothing_typed_is_lost(visitor: Visitor, person: Person) -> None:
    visitor().sign_up(person)
    visit = visitor()
    with tolerated(visit, "401"):
        visit.sign_in(person.email, "not the password")
        alert = visit.page.get_by_role("alert").filter(has_text="do not belong together")
        expect(alert).to_be_focused()
    expect(visit.page.get_by_label("Email")).to_have_value(person.email)
    expect(visit.page).to_have_url(re.compile("/sign-in$"))


def test_an_address_that_is_taken_is_said(visitor: Visitor, person: Person) -> None:
    visitor().sign_up(person)
    visit = visitor()
    with tolerated(visit, "409"):
        visit.open("/sign-up")
        visit.page.get_by_label("Name").fill("Somebody Else")
        visit.page.get_by_label("Email").fill(person.email)
        visit.page.get_by_label("Password").fill("another password")
        visit.page.get_by_role("button", name="Create account").click()
        expect(visit.page.get_by_role("alert").filter(has_text="account with this email")).to_be_visible()


def test_another_person_neither_sees_nor_finds_nor_deletes_it(visitor: Visitor, person: Person) -> None:
    owner = visitor()
    owner.sign_up(person)
    owner.store(BAKERY)
    memory = owner.page.request.get(owner.url + "/api/memories").json()["items"][0]

    other = visitor()
    other.sign_up(somebody("Tomas Brandt"))
    expect(other.page.get_by_text("Nothing here yet")).to_be_visible()
    other.search(BAKERY)
    expect(other.page.get_by_text("Nothing comes to mind")).to_be_visible()
    origin = {"Origin": other.url}
    assert other.page.request.delete(f"{other.url}/api/memories/{memory['id']}", headers=origin).status == 404
    owner.page.reload()
    expect(owner.page.get_by_role("listitem")).to_have_text([re.compile(BAKERY)])


def test_sign_up_store_and_search_by_keyboard_alone(visitor: Visitor, person: Person) -> None:
    visit = visitor()
    visit.open("/sign-up")
    keyboard = visit.page.keyboard
    keyboard.press("Tab")
    expect(visit.page.get_by_role("link", name="Skip to content")).to_be_focused()
    for label, text in (("Name", person.name), ("Email", person.email), ("Password", person.password)):
        keyboard.press("Tab")
        expect(visit.page.get_by_label(label)).to_be_focused()
        keyboard.type(text)
    outline = visit.page.get_by_label("Password").evaluate("element => getComputedStyle(element).outlineStyle")
    assert outline == "solid"
    keyboard.press("Enter")
    visit.arrive()

    expect(visit.page.get_by_role("heading", name="Memories", exact=True)).to_be_focused()  # what comes next is the new memory
    keyboard.press("Tab")
    expect(visit.page.get_by_label("New memory")).to_be_focused()
    keyboard.type("Two lines:")
    keyboard.press("Shift+Enter")
    keyboard.type(CAKE)
    keyboard.press("Enter")
    expect(visit.page.get_by_role("listitem").filter(has_text=CAKE)).to_be_visible()
    keyboard.press("Tab")
    keyboard.press("Tab")
    expect(visit.page.get_by_label("Search your memories")).to_be_focused()
    keyboard.type("cinnamon")
    keyboard.press("Enter")
    expect(visit.page.get_by_role("heading", name="Closest to “cinnamon”")).to_be_visible()


@pytest.mark.parametrize("path", ["/sign-in", "/sign-up", "/memories", "/nowhere"])
def test_a_phone_scrolls_in_one_direction(visitor: Visitor, person: Person, path: str) -> None:
    visit = visitor(viewport={"width": 360, "height": 740}, device_scale_factor=2, is_mobile=True, has_touch=True)
    if path == "/memories":
        visit.sign_up(person)
        visit.store(BAKERY)
        visit.store("https://example.com/" + "a-very-long-address-without-a-break" * 8)
        visit.page.get_by_role("button", name=re.compile("^Delete: The bakery")).click()
    elif path == "/nowhere":
        with tolerated(visit, "404"):
            visit.open(path)
    else:
        visit.open(path)
    width = visit.page.evaluate("[document.documentElement.scrollWidth, document.documentElement.clientWidth]")
    assert width == [360, 360]


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_is_readable_in_either_scheme(visitor: Visitor, person: Person, scheme: str, tmp_path: Path) -> None:
    visit = visitor(color_scheme=scheme, viewport={"width": 1200, "height": 900})
    visit.sign_up(person)
    visit.store(BAKERY)
    picture = visit.page.screenshot(path=tmp_path / f"{scheme}.png")
    assert len(picture) > 10_000
    luminance = """selector => {
        const channels = colour => colour.match(/[\\d.]+/g).slice(0, 3).map(Number)
            .map(v => v / 255).map(v => v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4);
        const light = ([r, g, b]) => 0.2126 * r + 0.7152 * g + 0.0722 * b;
        const element = document.querySelector(selector);
        let ground = element;
        while (getComputedStyle(ground).backgroundColor === 'rgba(0, 0, 0, 0)') ground = ground.parentElement;
        return [light(channels(getComputedStyle(element).color)), light(channels(getComputedStyle(ground).backgroundColor))];
    }"""
    for selector in (".memory-text", ".lead", ".memory-foot", ".button.primary", ".hint", ".button.quiet", ".list-head .tally"):
        text, ground = visit.page.evaluate(luminance, selector)
        contrast = (max(text, ground) + 0.05) / (min(text, ground) + 0.05)
        assert contrast >= 4.5, f"{selector}: {contrast:.2f}"
    ground = visit.page.evaluate(luminance, "body")[1]
    assert ground < 0.1 if scheme == "dark" else ground > 0.8


def test_signing_in_works_without_scripts(visitor: Visitor, person: Person) -> None:
    visitor().sign_up(person)
    visit = visitor(java_script_enabled=False)
    visit.sign_in(person.email, "not the password")
    expect(visit.page.get_by_role("alert")).to_contain_text("do not belong together")
    expect(visit.page.get_by_label("Email")).to_have_value(person.email)
    visit.page.get_by_label("Password").fill(person.password)
    visit.page.get_by_role("button", name="Sign in").click()
    visit.page.wait_for_url("**/memories")
    expect(visit.page.get_by_role("heading", name="Memories", exact=True)).to_be_visible()
    # What only scripts can show is said, and nothing pretends to be on its way.
    word = visit.page.locator("noscript p")  # Playwright looks for no text in there
    expect(word).to_be_visible()
    assert "this browser runs none" in word.inner_text()
    expect(visit.page.locator(".ghost").first).to_be_hidden()


@pytest.mark.parametrize(
    ("line", "status"),
    [("GET /%FF", 400), ("GET /memories/%", 400), ("GET /api/%E0%A4%A", 400), ("TRACE /memories", 405), ("PROPFIND /api/memories", 405)],
)
def test_odd_requests_are_refused_with_the_error_body(visitor: Visitor, line: str, status: int) -> None:
    address = urlsplit(visitor().url)
    connection = http.client.HTTPConnection(address.hostname or "", address.port, timeout=20)
    method, _, path = line.partition(" ")
    connection.request(method, path)
    answer = connection.getresponse()
    error = json.loads(answer.read())["error"]
    assert (answer.status, error["code"]) == (status, "bad_request" if status == 400 else "method_not_allowed")
    assert error["requestId"] == answer.headers["X-Request-Id"]
    connection.close()


def test_no_script_sees_a_token(visitor: Visitor, person: Person) -> None:
    visit = visitor()
    visit.sign_up(person)
    assert visit.page.evaluate("document.cookie") == ""
    assert visit.page.evaluate("localStorage.length + sessionStorage.length") == 0
    cookies = visit.page.context.cookies()
    assert {cookie["httpOnly"] for cookie in cookies} == {True}
    assert {cookie["sameSite"] for cookie in cookies} == {"Lax"}


def test_a_session_outlives_its_access_token(visitor: Visitor, person: Person) -> None:
    visit = visitor()
    visit.sign_up(person)
    before = {cookie["name"]: cookie["value"] for cookie in visit.page.context.cookies()}
    access = next(name for name in before if name.endswith("nextai_access"))
    visit.page.context.clear_cookies(name=access)  # as the browser does when it has lapsed
    together = "() => Promise.all(Array.from({length: 6}, () => fetch('/api/memories').then(answer => answer.status)))"
    assert visit.page.evaluate(together) == [200] * 6
    after = {cookie["name"]: cookie["value"] for cookie in visit.page.context.cookies()}
    assert after.keys() == before.keys()
    refresh = next(name for name in before if name.endswith("nextai_refresh"))
    assert after[refresh] != before[refresh]
    visit.store(TRAIN)


def test_the_policy_stops_a_script_that_is_not_ours(visitor: Visitor) -> None:
    visit = visitor()
    answer = visit.open("/sign-in")
    assert answer is not None
    policy = answer.headers["content-security-policy"]
    assert "unsafe-inline" not in policy
    assert "frame-ancestors 'none'" in policy
    with tolerated(visit, "Content Security Policy"):
        visit.page.evaluate("""() => {
            const script = document.createElement('div');
            script.innerHTML = '<img src="data:," onerror="window.stolen = true">';
            document.body.append(script);
            return new Promise(done => document.addEventListener('securitypolicyviolation', done, {once: true}));
        }""")
    assert visit.page.evaluate("window.stolen") is None


def test_another_site_cannot_post(visitor: Visitor, person: Person) -> None:
    visit = visitor()
    visit.sign_up(person)
    evil = {"Origin": "https://evil.example.com"}
    answer = visit.page.request.post(visit.url + "/api/memories", data={"text": "forged"}, headers=evil)
    assert answer.status == 403
    assert answer.json()["error"]["code"] == "foreign_origin"
    visit.page.reload()
    expect(visit.page.get_by_text("Nothing here yet")).to_be_visible()
