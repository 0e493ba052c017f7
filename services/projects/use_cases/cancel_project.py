"""Use case: the lead ends a project without its result."""

from datetime import datetime
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from services.projects.queries.projects import ProjectSeen, project_for_change
from services.projects.use_cases.end_with_project import end_with_project
from shared.actor import Actor
from shared.contracts.projects import ProjectCancelled
from shared.http.preconditions import ensure_version
from shared.messaging.outbox import announce


async def cancel_project(
    session: AsyncSession,
    project_id: UUID,
    *,
    actor: Actor,
    now: datetime,
    expected: int | None,
    reason: str,
) -> ProjectSeen:
    """End a project without its result. Final.

    Raises:
        ProjectNotFound: for the actor there is none.
        MissingScope, MemberNotActive, NotProjectLead: the actor may not.
        VersionStale: the project is not at the expected version.
        ProjectEnded: it has ended before.
    """
    project, standing, progress = await project_for_change(session, project_id, actor=actor)
    project.ensure_led_by(standing)
    before = project.state()
    ensure_version(expected, before)
    project.cancel(reason, by=standing, at=now)
    announce(
        session,
        ProjectCancelled.about(
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
