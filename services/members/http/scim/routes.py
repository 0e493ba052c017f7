"""SCIM 2.0 over HTTP, for the directory of the member whose token it is. Source: RFC 7644.

One route takes every address below `/scim/v2`. What answers it is loaded with the first request:
its libraries take a quarter of the time that the service needs to start, and few processes are
ever asked.
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final

from fastapi import APIRouter, Request, Response

PREFIX: Final = "/scim/v2"
METHODS: Final = ["GET", "POST", "PUT", "PATCH", "DELETE"]

# Described by its own discovery (`/ServiceProviderConfig`, `/Schemas`), and not by OpenAPI.
router = APIRouter(include_in_schema=False)


@router.api_route(PREFIX + "{path:path}", methods=METHODS)
async def answer_directory(path: str, request: Request) -> Response:
    """Do what the directory asks."""
    answer = await asyncio.to_thread(_loaded)
    return await answer(path, request, base_url=f"{request.app.state.settings.issuer}{PREFIX}")


def _loaded() -> Callable[..., Awaitable[Response]]:
    from services.members.http.scim.answering import answer  # noqa: PLC0415

    return answer
