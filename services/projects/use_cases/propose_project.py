"""Use case: the lead opens a project for invitations."""

from datetime import datetime
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from services.projects.queries.projects import ProjectSeen, project_for_change
from shared.actor import Actor
from shared.contracts.projects import ProjectProposed
from shared.http.preconditions import ensure_version
from shared.messaging.outbox import announce


async def propose_project(
    session: AsyncSession,
    project_id: UUID,
    *,
    actor: Actor,
    now: datetime,
    expected: int | None,
) -> ProjectSeen:
    """Let others see the project and be invited.

    Raises:
        ProjectNotFound: for the actor there is none.
        MissingScope, MemberNotActive, NotProjectLead: the actor may not.
        VersionStale: the project is not at the expected version.
        ProjectEnded, ProjectNotDraft: it is no draft any more.
    """
    project, standing, progress = await project_for_change(session, project_id, actor=actor)
    project.ensure_led_by(standing)
    before = project.state()
    ensure_version(expected, before)
    project.propose(by=standing, at=now)
    announce(
        session,
        ProjectProposed.about(
            project.state(),
            before=before,
            by=actor,
            at=now,
            audience=project.audience(standing.places),
        ),
    )
    return project, standing, progress
