"""Use case: time ends invitations that nobody has answered."""

from datetime import datetime
from typing import Final

from sqlalchemy.ext.asyncio import AsyncSession

from services.projects.queries.participations import participations_to_expire
from services.projects.use_cases.end_places import end_places
from shared.contracts.projects import ParticipationExpired

AT_ONCE: Final = 100


async def expire_invitations(session: AsyncSession, now: datetime) -> bool:
    """End the invitations whose time to answer is over, each once.

    Returns:
        Whether there may be more.
    """
    due = await participations_to_expire(session, now, limit=AT_ONCE)
    await end_places(
        session, due, end=lambda place: place.expire(at=now), kind=ParticipationExpired, at=now
    )
    return len(due) == AT_ONCE
