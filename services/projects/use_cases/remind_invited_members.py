"""Use case: time reminds members that have not answered."""

from datetime import datetime
from typing import Final

from sqlalchemy.ext.asyncio import AsyncSession

from services.projects.queries.participations import participations_to_remind
from shared.actor import Actor
from shared.contracts.projects import ParticipationReminded
from shared.messaging.outbox import announce

AT_ONCE: Final = 100


async def remind_invited_members(session: AsyncSession, now: datetime) -> bool:
    """Remind the invited members whose time to answer is running out, each once.

    Returns:
        Whether there may be more.
    """
    due = await participations_to_remind(session, now, limit=AT_ONCE)
    for participation, standing in due:
        before = participation.state()
        participation.remind(at=now)
        announce(
            session,
            ParticipationReminded.about(
                participation.state(),
                before=before,
                by=Actor.CLOCK,
                at=now,
                audience=participation.project.audience(standing.places),
            ),
        )
    return len(due) == AT_ONCE
