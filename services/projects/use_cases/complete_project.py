"""Use case: the lead closes a project as done."""

from datetime import datetime
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from services.projects.queries.projects import ProjectSeen, project_for_change
from services.projects.use_cases.end_with_project import end_with_project
from shared.actor import Actor
from shared.contracts.projects import ProjectCompleted
from shared.http.preconditions import ensure_version
from shared.messaging.outbox import announce


async def complete_project(
    session: AsyncSession,
    project_id: UUID,
    *,
    actor: Actor,
    now: datetime,
    expected: int | None,
) -> ProjectSeen:
    """Close a project as done. Final.

    Raises:
        ProjectNotFound: for the actor there is none.
        MissingScope, MemberNotActive, NotProjectLead: the actor may not.
        VersionStale: the project is not at the expected version.
        ProjectEnded, ProjectNotActive: there is no work going on.
        MilestonesOpen: a milestone is neither completed nor cancelled.
        NothingAchieved: no milestone is completed.
    """
    project, standing, progress = await project_for_change(session, project_id, actor=actor)
    project.ensure_led_by(standing)
    before = project.state()
    ensure_version(expected, before)
    project.complete(progress, by=standing, at=now)
    announce(
        session,
        ProjectCompleted.about(
            project.state(),
            before=before,
            by=actor,
            at=now,
            audience=project.audience(standing.places),
        ),
    )
    for fact in await end_with_project(session, project, standing=standing, actor=actor, now=now):
        announce(session, fact)
    return project, standing, progress
