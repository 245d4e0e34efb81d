"""The HTTP API. Handlers are plain functions, so that FastAPI runs them, and their blocking calls to Milvus, in threads."""

import base64
import binascii
import re
from collections.abc import Callable
from datetime import datetime
from typing import Annotated, TypeVar
from uuid import UUID

from fastapi import APIRouter, Query, Response
from nextai_service_kit.connection import StoreUnavailable
from nextai_service_kit.errors import ApiError
from nextai_service_kit.identity import CurrentUser
from nextai_service_kit.text import Visible
from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from memory_service.store import LONGEST, MOST, Memory, MemoryStore, Position, TooManyMemories

Text = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=LONGEST), Visible]
Words = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=500), Visible]
_T = TypeVar("_T")


class NewMemory(BaseModel):
    """What POST /memories takes."""

    model_config = ConfigDict(extra="forbid")
    text: Text


class MemoryBody(BaseModel):
    """A memory as the API shows it."""

    id: UUID
    text: str
    createdAt: datetime


class FoundBody(MemoryBody):
    """A memory that a search found; 1 is the best score."""

    score: float


class PageBody(BaseModel):
    """GET /memories. `cursor` gets the next page; null on the last one."""

    items: list[MemoryBody]
    cursor: str | None


class SearchBody(BaseModel):
    """GET /memories/search."""

    items: list[FoundBody]


def router(store: MemoryStore) -> APIRouter:
    """The routes on a store."""
    routes = APIRouter(prefix="/memories")

    @routes.post("", status_code=201)
    def add(user: CurrentUser, new: NewMemory) -> MemoryBody:
        return _body(_asked(lambda: store.add(user, new.text)))

    @routes.get("")
    def page(
        user: CurrentUser, limit: Annotated[int, Field(ge=1, le=100)] = 50, cursor: Annotated[str | None, Query(max_length=200)] = None
    ) -> PageBody:
        after = None if cursor is None else _position(cursor)
        found = _asked(lambda: store.page(user, limit, after))
        return PageBody(items=[_body(memory) for memory in found.memories], cursor=None if found.next is None else _cursor(found.next))

    @routes.get("/search")
    def search(user: CurrentUser, q: Words, limit: Annotated[int, Field(ge=1, le=50)] = 10) -> SearchBody:
        found = _asked(lambda: store.search(user, q, limit))
        return SearchBody(items=[FoundBody(**_body(one.memory).model_dump(), score=round(one.score, 4)) for one in found])

    @routes.delete("/{memory}", status_code=204)
    def remove(user: CurrentUser, memory: UUID) -> Response:
        if not _asked(lambda: store.remove(user, memory)):
            raise ApiError(404, "memory_not_found", "You have no such memory.")
        return Response(status_code=204)

    return routes


def _asked(question: Callable[[], _T]) -> _T:
    """The store's answer, or its failure as the API tells it."""
    try:
        return question()
    except TooManyMemories as error:
        raise ApiError(409, "too_many_memories", f"You have {MOST} memories, the most that are kept. Delete some first.") from error
    except StoreUnavailable as error:
        raise ApiError(503, "unavailable", "Memories cannot be reached. Try again in a moment.") from error


def _body(memory: Memory) -> MemoryBody:
    return MemoryBody(id=memory.id, text=memory.text, createdAt=memory.created_at)


def _cursor(position: Position) -> str:
    return base64.urlsafe_b64encode(f"{position.created}.{position.id}".encode()).decode().rstrip("=")


def _position(cursor: str) -> Position:
    try:
        text = base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)).decode("ascii")
    except (binascii.Error, ValueError):
        text = ""
    match = re.fullmatch(r"([0-9]{1,18})\.([0-9a-f-]{36})", text)
    if match is None:
        raise ApiError(422, "validation", "cursor: not one that this API gave")
    return Position(int(match[1]), match[2])
