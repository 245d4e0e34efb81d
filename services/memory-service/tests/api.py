"""A person who uses the API, as the gateway presents them."""

from dataclasses import dataclass
from typing import TypedDict
from uuid import UUID

import httpx


class Item(TypedDict):
    """A memory in an answer; score only in a search's."""

    id: str
    text: str
    createdAt: str
    score: float


@dataclass(frozen=True, slots=True)
class Person:
    """Calls the API with an X-User-Id."""

    http: httpx.Client
    id: UUID

    def call(self, method: str, path: str, json: object = None, **query: str | int) -> httpx.Response:
        return self.http.request(method, path, json=json, params=query, headers={"X-User-Id": str(self.id)})

    def add(self, text: str) -> Item:
        answer = self.call("POST", "/memories", {"text": text})
        assert answer.status_code == 201, answer.text
        item: Item = answer.json()
        return item

    def items(self, path: str = "/memories", **query: str | int) -> list[Item]:
        answer = self.call("GET", path, **query)
        assert answer.status_code == 200, answer.text
        items: list[Item] = answer.json()["items"]
        return items

    def texts(self) -> list[str]:
        return [item["text"] for item in self.items()]

    def found(self, q: str, limit: int = 10) -> list[str]:
        return [item["text"] for item in self.items("/memories/search", q=q, limit=limit)]


def refused(answer: httpx.Response, status: int, code: str) -> None:
    """Check status and error body."""
    assert answer.status_code == status, answer.text
    error = answer.json()["error"]
    assert error["code"] == code
    assert error["message"]
    assert error["requestId"] == answer.headers["X-Request-Id"]
