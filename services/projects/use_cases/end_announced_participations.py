"""Use case: time lets members leave on the day that they announced."""

from datetime import datetime
from typing import Final

from sqlalchemy.ext.asyncio import AsyncSession

from services.projects.queries.participations import participations_to_withdraw
from services.projects.use_cases.end_places import end_places
from shared.contracts.projects import ParticipationWithdrawn

AT_ONCE: Final = 100


async def end_announced_participations(session: AsyncSession, now: datetime) -> bool:
    """End the places of members whose announced day has come, each once.

    Returns:
        Whether there may be more.
    """
    due = await participations_to_withdraw(session, now, limit=AT_ONCE)
    await end_places(
        session,
        due,
        end=lambda place: place.withdraw_as_announced(at=now),
        kind=ParticipationWithdrawn,
        at=now,
    )
    return len(due) == AT_ONCE
