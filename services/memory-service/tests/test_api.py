import json
from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

import pytest
from fastapi.testclient import TestClient

from tests.api import Person, refused


def test_a_stored_memory_is_listed_and_found_at_once(ann: Person) -> None:
    made = ann.add("  The spare key is under the blue flower pot.  ")
    assert made["text"] == "The spare key is under the blue flower pot."
    assert str(UUID(made["id"])) == made["id"]
    assert datetime.now(UTC) - datetime.fromisoformat(made["createdAt"]) < timedelta(minutes=1)
    assert ann.items() == [made]
    (hit,) = ann.items("/memories/search", q="where is the key")
    assert {**hit, "score": 0.0} == {**made, "score": 0.0}
    assert 0 < hit["score"] <= 1


def test_a_list_is_newest_first_and_goes_on_by_cursor(ann: Person) -> None:
    made = [ann.add(f"thought number {n}")["text"] for n in range(7)]
    pages: list[list[str]] = []
    cursor: str | None = ""
    while cursor is not None:
        answer = ann.call("GET", "/memories", limit=3, **({"cursor": cursor} if cursor else {})).json()
        pages.append([item["text"] for item in answer["items"]])
        cursor = answer["cursor"]
    assert [len(page) for page in pages] == [3, 3, 1]
    assert [text for page in pages for text in page] == made[::-1]


def test_a_deleted_memory_is_gone(ann: Person) -> None:
    kept, gone = ann.add("I like green tea"), ann.add("I like black tea")
    assert ann.call("DELETE", f"/memories/{gone['id']}").status_code == 204
    assert ann.items() == [kept]
    assert ann.found("black tea") == ["I like green tea"]
    refused(ann.call("DELETE", f"/memories/{gone['id']}"), 404, "memory_not_found")


def test_another_users_memories_are_neither_listed_nor_found_nor_deleted(ann: Person, bob: Person) -> None:
    secret = ann.add("My bank card PIN is 4821")
    assert bob.texts() == []
    assert bob.found("My bank card PIN is 4821") == []
    refused(bob.call("DELETE", f"/memories/{secret['id']}"), 404, "memory_not_found")
    cursor = "OTk5OTk5OTk5OTk5OTk5OTkuZmZmZmZmZmYtZmZmZi1mZmZmLWZmZmYtZmZmZmZmZmZmZmZm"
    assert bob.items(cursor=cursor) == []
    assert [item["id"] for item in ann.items(cursor=cursor)] == [secret["id"]]


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"X-User-Id": ""},
        {"X-User-Id": "1"},
        {"X-User-Id": f'{uuid4()}" or user_id != "'},
        {"X-User-Id": str(uuid4()).upper()},
        {"X-User-Id": uuid4().hex},
        {"X-User-Id": f"{{{uuid4()}}}"},
        {"X-User-Id": f"{uuid4()},{uuid4()}"},
    ],
)
@pytest.mark.parametrize(
    ("method", "path"), [("POST", "/memories"), ("GET", "/memories"), ("GET", "/memories/search?q=x"), ("DELETE", f"/memories/{uuid4()}")]
)
def test_without_a_users_id_nothing_is_answered(http: TestClient, headers: dict[str, str], method: str, path: str) -> None:
    refused(http.request(method, path, headers=headers, json={"text": "x"} if method == "POST" else None), 401, "unauthenticated")


def test_two_user_ids_are_none(http: TestClient, ann: Person, bob: Person) -> None:
    refused(http.get("/memories", headers=[("X-User-Id", str(ann.id)), ("X-User-Id", str(bob.id))]), 401, "unauthenticated")


def test_the_longest_text_is_kept_whole_in_any_script(ann: Person) -> None:
    for character in ("a", "é", "记", "🎈"):
        assert ann.add(character * 4000)["text"] == character * 4000
    assert ann.texts() == [character * 4000 for character in ("🎈", "记", "é", "a")]


@pytest.mark.parametrize(
    "text", ['"', "\\", "'; drop", 'x" or user_id != "', "a\0b", "a\u2028b", "{user}", "%s", "a\nb\tc", "!!!", "🎈", "\u202ea", "null"]
)
def test_odd_texts_come_back_as_they_were(ann: Person, text: str) -> None:
    ann.add(text)
    assert ann.texts() == [text]
    assert ann.found(text) == [text]


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"text": ""},
        {"text": " \n\t "},
        {"text": "\u200b \u2060"},
        {"text": "x" * 4001},
        {"text": 1},
        {"text": None},
        [],
        {"text": "x", "user_id": "y"},
    ],
)
def test_a_wrong_body_is_refused(ann: Person, body: object) -> None:
    refused(ann.call("POST", "/memories", body), 422, "validation")
    assert ann.texts() == []


def test_half_a_character_is_refused(ann: Person) -> None:
    headers = {"X-User-Id": str(ann.id), "Content-Type": "application/json"}
    for content, status, code in ((rb'{"text": "\ud83d"}', 422, "validation"), (b"{", 400, "bad_request"), (b"", 422, "validation")):
        refused(ann.http.post("/memories", content=content, headers=headers), status, code)


@pytest.mark.parametrize(
    ("path", "query"),
    [
        ("/memories", {"limit": 0}),
        ("/memories", {"limit": 101}),
        ("/memories", {"limit": "many"}),
        ("/memories", {"cursor": "x"}),
        ("/memories", {"cursor": "é"}),
        ("/memories", {"cursor": "MS54"}),
        ("/memories/search", {}),
        ("/memories/search", {"q": "  "}),
        ("/memories/search", {"q": "\u200b"}),
        ("/memories/search", {"q": "x" * 501}),
        ("/memories/search", {"q": "x", "limit": 51}),
        ("/memories/search", {"q": "x", "limit": -1}),
    ],
)
def test_a_wrong_query_is_refused(ann: Person, path: str, query: dict[str, str | int]) -> None:
    refused(ann.call("GET", path, **query), 422, "validation")


def test_an_id_that_is_no_uuid_is_refused(ann: Person) -> None:
    refused(ann.call("DELETE", "/memories/1"), 422, "validation")


def test_what_is_not_there_has_the_error_body(http: TestClient) -> None:
    refused(http.get("/nothing"), 404, "not_found")
    answer = http.put("/memories")
    refused(answer, 405, "method_not_allowed")
    assert answer.headers["Allow"] == "GET, HEAD, POST"
    refused(http.get("/openapi.json"), 404, "not_found")


def test_a_search_gives_no_more_than_its_limit_nearest_first(ann: Person) -> None:
    for place in ("Lisbon", "Porto", "Faro", "Braga"):
        ann.add(f"I have been to {place} by train")
    hits = ann.items("/memories/search", q="train to Porto", limit=3)
    assert len(hits) == 3
    assert hits[0]["text"] == "I have been to Porto by train"
    assert [hit["score"] for hit in hits] == sorted((hit["score"] for hit in hits), reverse=True)


def test_health_and_readiness(http: TestClient) -> None:
    live = http.get("/health")
    assert (live.status_code, live.json()) == (200, {"status": "ok", "service": "memory-service", "version": "1.2.3"})
    ready = http.get("/health/ready")
    assert (ready.status_code, ready.json()) == (200, {"status": "ok", "checks": {"milvus": "ok"}})


def test_what_a_person_wrote_is_not_logged(ann: Person, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("DEBUG")
    ann.add("my diary says zebra")
    ann.found("zebra diary")
    ann.call("POST", "/memories", {"text": "zebra" * 1000})
    records = [record for record in caplog.records if not record.name.startswith(("httpx", "asyncio"))]
    assert records
    assert "zebra" not in json.dumps([str(vars(record)) for record in records])
