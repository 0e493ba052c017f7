"""Use case: time notes that deadlines have passed."""

from datetime import datetime
from typing import Final

from sqlalchemy.ext.asyncio import AsyncSession

from services.projects.queries.milestones import milestones_to_note_as_overdue
from shared.actor import Actor
from shared.contracts.projects import MilestoneBecameOverdue
from shared.messaging.outbox import announce

AT_ONCE: Final = 100


async def note_overdue_milestones(session: AsyncSession, now: datetime) -> bool:
    """Note the open milestones whose deadline has passed, each once.

    Returns:
        Whether there may be more.
    """
    due = await milestones_to_note_as_overdue(session, now, limit=AT_ONCE)
    for milestone, standing in due:
        before = milestone.state()
        milestone.become_overdue(at=now)
        announce(
            session,
            MilestoneBecameOverdue.about(
                milestone.state(),
                before=before,
                by=Actor.CLOCK,
                at=now,
                audience=milestone.project.audience(standing.places),
            ),
        )
    return len(due) == AT_ONCE
