"""Every SELECT of facts that wait for their project."""

from collections.abc import Collection, Sequence
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from services.notifications.model.known import KnownProject
from services.notifications.model.unplaced_fact import UnplacedFact


async def known_projects(session: AsyncSession, project_ids: Collection[UUID]) -> set[UUID]:
    """Tell of which of these projects we have heard."""
    if not project_ids:
        return set()
    found = await session.scalars(select(KnownProject.id).where(KnownProject.id.in_(project_ids)))
    return set(found)


async def placeable_facts(session: AsyncSession, *, limit: int) -> Sequence[UnplacedFact]:
    """Lock facts whose project we have heard of by now."""
    found = await session.scalars(
        select(UnplacedFact)
        .join(KnownProject, KnownProject.id == UnplacedFact.project_id)
        .order_by(UnplacedFact.event_id)
        .limit(limit)
        .with_for_update(of=UnplacedFact)
    )
    return found.all()
