"""Use case: sessions that ended are forgotten once no token of theirs could be good anyway."""

from datetime import datetime

from sqlalchemy import delete
from sqlalchemy.ext.asyncio import AsyncSession

from services.notifications.model.known import KnownSession


async def forget_sessions(session: AsyncSession, now: datetime) -> bool:
    """Forget them all.

    Returns:
        That there is nothing more to do.
    """
    await session.execute(delete(KnownSession).where(KnownSession.good_until < now))
    return False
