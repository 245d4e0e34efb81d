"""Who sent a request. The gateway verified the token and says so in X-User-Id; nobody else can reach a service."""

import re
from typing import Annotated
from uuid import UUID

from fastapi import Depends, Request

from nextai_service_kit.errors import ApiError

_UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")


def current_user(request: Request) -> UUID:
    """The signed-in user's id. Raises `ApiError` 401 without exactly one X-User-Id that is a uuid."""
    values = request.headers.getlist("X-User-Id")
    if len(values) != 1 or not _UUID.fullmatch(values[0]):
        raise ApiError(401, "unauthenticated", "Sign in first.")
    return UUID(values[0])


CurrentUser = Annotated[UUID, Depends(current_user)]
"""A route's parameter of this type makes it need a signed-in user."""
