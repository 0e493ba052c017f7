"""What messaging forgets, and when: longer than anything can come again, but not for ever."""

from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import delete, text
from sqlalchemy.ext.asyncio import AsyncSession

from shared.messaging.tables import InboxEntry, RememberedAnswer
from shared.timers import Timer

INBOX_KEPT: Final = timedelta(days=30)
ANSWERS_KEPT: Final = timedelta(hours=48)
HOUR_SECONDS: Final = 3600


async def forget_inbox(session: AsyncSession, now: datetime) -> bool:
    await session.execute(delete(InboxEntry).where(InboxEntry.received_at < now - INBOX_KEPT))
    return False


async def forget_answers(session: AsyncSession, now: datetime) -> bool:
    await session.execute(text("SET LOCAL statement_timeout = '60s'"))
    await session.execute(
        delete(RememberedAnswer).where(RememberedAnswer.answered_at < now - ANSWERS_KEPT)
    )
    return False


def housekeeping() -> list[Timer]:
    return [
        Timer("forget-inbox", forget_inbox, every_seconds=HOUR_SECONDS),
        Timer("forget-answers", forget_answers, every_seconds=HOUR_SECONDS),
    ]
