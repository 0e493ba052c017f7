"""Sessions of browsers."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from services.portal.model.browser_session import BrowserSession
from services.portal.model.heard_logout import HeardLogout


async def session_with(
    session: AsyncSession, cookie_hash: str, *, for_change: bool = False
) -> BrowserSession | None:
    """Find the session of a browser, as it is now."""
    query = select(BrowserSession).where(BrowserSession.cookie_hash == cookie_hash)
    if for_change:
        query = query.with_for_update().execution_options(populate_existing=True)
    found: BrowserSession | None = await session.scalar(query)
    return found


async def was_logged_out(session: AsyncSession, sid: UUID, *, now: datetime) -> bool:
    """Tell whether a notice has arrived that this session is over."""
    heard = select(HeardLogout).where(HeardLogout.sid == sid, HeardLogout.expires_at > now)
    return await session.scalar(select(heard.exists())) is True
