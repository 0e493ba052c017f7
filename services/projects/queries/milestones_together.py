"""Milestones of a project that are changed together."""

from collections.abc import Collection
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import contains_eager, selectinload

from services.projects.model.milestone import Milestone


async def milestones_for_change(
    session: AsyncSession, project_id: UUID, milestone_ids: Collection[UUID]
) -> dict[UUID, Milestone]:
    """Load those of the milestones that belong to the project, locked until the transaction ends.

    Who asks holds the lock of the project, which whoever changes a milestone takes first: nobody
    who holds one of these waits for another.
    """
    found = await session.scalars(
        select(Milestone)
        .join(Milestone.project)
        .options(contains_eager(Milestone.project), selectinload(Milestone.contributions))
        .where(Milestone.project_id == project_id, Milestone.id.in_(milestone_ids))
        .order_by(Milestone.id)
        .with_for_update(key_share=True, of=Milestone)
    )
    return {milestone.id: milestone for milestone in found}
