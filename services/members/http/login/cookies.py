"""What a browser is known by.

Every cookie has the prefix `__Host-`: it comes from this host alone, over TLS, and from no part of
it in particular. `Lax` and not `Strict`: a browser that comes back from a provider must show them.
"""

from datetime import datetime, timedelta
from typing import Final

from fastapi import Request, Response
from sqlalchemy.ext.asyncio import AsyncSession

from services.members.model.sign_in import SignIn
from services.members.settings import MembersSettings
from services.members.use_cases.see_sign_in import see_sign_in

LOGIN_PATH: Final = "/login"

SIGN_IN: Final = "__Host-sign-in"
"""The session of a person."""

BROWSER: Final = "__Host-login"
"""A browser on its way to a provider and back; the same for all its tabs."""

CITY: Final = "__Host-city"
"""The member that somebody chose last time, by its slug."""

COOKIE_LIMIT: Final = 200
CITY_SECONDS: Final = 365 * 24 * 3600


async def sign_in_of(request: Request, session: AsyncSession, *, now: datetime) -> SignIn | None:
    """Find the session of the person in this browser: one that stands, of somebody who may act."""
    cookie = cookie_of(request, SIGN_IN)
    if cookie is None:
        return None
    settings: MembersSettings = request.app.state.settings
    rest = timedelta(seconds=settings.sign_in_rest_seconds)
    return await see_sign_in(session, cookie, rest=rest, now=now)


def cookie_of(request: Request, name: str) -> str | None:
    """Read a cookie, unless it is none of ours."""
    value = request.cookies.get(name, "")
    return value if 0 < len(value) <= COOKIE_LIMIT and value.isascii() else None


def set_cookie(response: Response, name: str, value: str, *, seconds: int | None = None) -> None:
    """Give the browser a cookie, until it is closed or for so many seconds."""
    response.set_cookie(
        name, value, max_age=seconds, path="/", secure=True, httponly=True, samesite="lax"
    )


def drop_cookie(response: Response, name: str) -> None:
    response.delete_cookie(name, path="/", secure=True, httponly=True, samesite="lax")
