"""Every SELECT of projects that others begin with."""

from uuid import UUID

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import selectinload

from services.projects.model.milestone import Milestone
from services.projects.model.project import Project, no_project
from services.projects.model.standing import Standing
from services.projects.model.template import MILESTONES_MAX, Template
from services.projects.queries.standings import standing_in
from shared.actor import Actor


async def template_seen(
    session: AsyncSession, project_id: UUID, *, actor: Actor
) -> tuple[Template, Standing]:
    """Load a project that the actor may see as a template; nothing in it changes meanwhile.

    Of too many milestones one more than can be copied is loaded.

    Raises:
        ProjectNotFound: for the actor there is none.
    """
    project = await session.get(Project, project_id, with_for_update={"read": True})
    if project is None:
        raise no_project(project_id)
    standing = await standing_in(session, project_id, actor=actor)
    if not project.is_seen_by(standing):
        raise no_project(project_id)
    milestones = await session.scalars(
        select(Milestone)
        .options(selectinload(Milestone.contributions))
        .where(Milestone.project_id == project_id, Milestone.status != "cancelled")
        .order_by(Milestone.created_at, Milestone.id)
        .limit(MILESTONES_MAX + 1)
    )
    return Template(project, milestones.all()), standing
