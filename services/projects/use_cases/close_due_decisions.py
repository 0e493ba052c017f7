"""Use case: time closes decisions."""

from datetime import datetime
from typing import Final
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from services.projects.model.standing import Standing
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
    standings: dict[UUID, Standing] = {}
    for decision, at_first in due:
        verdict = decision.verdict(now)
        if decision.status != "open" or verdict is None:
            continue  # one before it has ended the project, and with it this one
        standings[decision.project_id] = await conclude(
            session,
            decision,
            verdict,
            standing=standings.get(decision.project_id, at_first),
            actor=Actor.CLOCK,
            now=now,
        )
    return len(due) == AT_ONCE
