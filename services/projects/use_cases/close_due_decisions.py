"""Use case: time closes decisions."""

from datetime import datetime
from typing import Final

from sqlalchemy.ext.asyncio import AsyncSession

from services.projects.queries.decisions import decisions_to_close
from services.projects.use_cases.conclude import conclude
from shared.actor import Actor

AT_ONCE: Final = 20


async def close_due_decisions(session: AsyncSession, now: datetime) -> bool:
    """Close the decisions whose deadline has passed, each once.

    Returns:
        Whether there may be more.
    """
    due = await decisions_to_close(session, now, limit=AT_ONCE)
    for decision, standing in due:
        verdict = decision.verdict(now)
        if verdict is not None:
            await conclude(
                session, decision, verdict, standing=standing, actor=Actor.CLOCK, now=now
            )
    return len(due) == AT_ONCE
