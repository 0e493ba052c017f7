"""Use case: sessions that are over leave no tokens behind."""

from datetime import datetime, timedelta

from sqlalchemy import delete, or_
from sqlalchemy.ext.asyncio import AsyncSession

from services.portal.model.browser_session import BrowserSession
from services.portal.model.heard_logout import HeardLogout


async def forget_sessions(session: AsyncSession, *, rest: timedelta, now: datetime) -> None:
    """Delete what is over by itself; whoever logs in does so for all."""
    await session.execute(
        delete(BrowserSession).where(
            or_(BrowserSession.ends_at <= now, BrowserSession.seen_at <= now - rest)
        )
    )
    await session.execute(delete(HeardLogout).where(HeardLogout.expires_at <= now))
