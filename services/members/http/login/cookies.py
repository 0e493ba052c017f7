"""What a browser is known by, and who is at it."""

from datetime import datetime, timedelta
from typing import Final

from fastapi import Request
from sqlalchemy.ext.asyncio import AsyncSession

from services.members.model.sign_in import SignIn
from services.members.settings import MembersSettings
from services.members.use_cases.see_sign_in import see_sign_in
from shared.http.browser import cookie_of

LOGIN_PATH: Final = "/login"

SIGN_IN: Final = "__Host-sign-in"
"""The session of a person."""

BROWSER: Final = "__Host-login"
"""A browser on its way to a provider and back; the same for all its tabs."""

CITY: Final = "__Host-city"
"""The member that somebody chose last time, by its slug."""

CITY_SECONDS: Final = 365 * 24 * 3600


async def sign_in_of(request: Request, session: AsyncSession, *, now: datetime) -> SignIn | None:
    """Find the session of the person in this browser: one that stands, of somebody who may act."""
    cookie = cookie_of(request, SIGN_IN)
    if cookie is None:
        return None
    settings: MembersSettings = request.app.state.settings
    rest = timedelta(seconds=settings.sign_in_rest_seconds)
    return await see_sign_in(session, cookie, rest=rest, now=now)
