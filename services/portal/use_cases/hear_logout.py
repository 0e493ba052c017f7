"""Use case: the authorization server says that a session is over."""

from datetime import datetime
from typing import Any

from sqlalchemy import CursorResult, delete
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from services.portal.model.browser_session import BrowserSession
from services.portal.model.heard_logout import HeardLogout
from services.portal.model.logout_token import Left


async def hear_logout(session: AsyncSession, left: Left, *, now: datetime) -> bool:
    """End the session that is meant, or all of the official if none is named.

    Returns:
        Whether this was said for the first time; a notice counts once.
    """
    await session.execute(delete(HeardLogout).where(HeardLogout.expires_at <= now))
    noted: CursorResult[Any] = await session.execute(  # type: ignore[assignment]
        insert(HeardLogout)
        .values(identifier=left.identifier, sid=left.sid, expires_at=left.forget_at)
        .on_conflict_do_nothing()
    )
    if noted.rowcount != 1:
        return False
    meant = (
        BrowserSession.sid == left.sid
        if left.sid is not None
        else BrowserSession.official_id == left.official_id
    )
    await session.execute(delete(BrowserSession).where(meant))
    return True
