"""Part of moving a deadline: what waits for it moves with it."""

from collections.abc import Collection, Mapping
from datetime import date, datetime
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from services.projects.model.project import Project
from services.projects.queries.milestones_together import milestones_for_change
from shared.actor import Actor
from shared.contracts.projects import MilestoneRescheduled


async def give_way(
    session: AsyncSession,
    project: Project,
    moved: Mapping[UUID, date],
    *,
    audience: Collection[str],
    actor: Actor,
    now: datetime,
) -> list[MilestoneRescheduled]:
    """Move the deadlines of milestones in a project that is locked.

    Returns:
        The facts, in the order of `moved`; nobody has been told yet.
    """
    if not moved:
        return []
    found = await milestones_for_change(session, project.id, moved)
    facts = []
    for milestone_id, due_on in moved.items():
        milestone = found[milestone_id]
        before = milestone.state()
        milestone.give_way(due_on, at=now)
        facts.append(
            MilestoneRescheduled.about(
                milestone.state(), before=before, by=actor, at=now, audience=audience
            )
        )
    return facts
