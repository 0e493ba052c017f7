"""Use case: a browser asks for something, and shows its cookie."""

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import update
from sqlalchemy.ext.asyncio import AsyncSession

from services.portal.model.browser_session import BrowserSession
from services.portal.queries.browser_sessions import session_with
from services.portal.use_cases.sealed_tokens import access_token_of
from shared.one_time import hash_of
from shared.sealing import CannotOpen, Seals


@dataclass(frozen=True, slots=True)
class Present:
    """Somebody who is logged in."""

    sid: UUID
    access_token: str = field(repr=False)
    needs_tokens: bool
    """Whether the access token is about to end."""
    began_at: datetime


async def see_session(
    session: AsyncSession, cookie: str, *, rest: timedelta, seals: Seals, now: datetime
) -> Present | None:
    """Find who is logged in, and note that they are there.

    Returns:
        Nothing if the session does not stand, or not any more.
    """
    row = await session_with(session, hash_of(cookie))
    if row is None or not row.is_good(now, rest=rest):
        return None
    found = present(row, seals, now=now)
    if found is None or not row.needs_note(now):
        return found
    noted = await session.scalar(
        update(BrowserSession)
        .where(BrowserSession.id == row.id)
        .values(seen_at=now)
        .returning(BrowserSession.id)
    )
    # Whoever has ended it since it was read has deleted it.
    return None if noted is None else found


def present(row: BrowserSession, seals: Seals, *, now: datetime) -> Present | None:
    """Read a session; nothing if its tokens cannot be read any more."""
    try:
        access_token = access_token_of(row, seals)
    except CannotOpen:
        return None
    return Present(row.sid, access_token, row.needs_tokens(now), row.began_at)
