"""Use case: the lead begins the work."""

from datetime import datetime
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from services.projects.queries.projects import ProjectSeen, project_for_change
from shared.actor import Actor
from shared.contracts.projects import ProjectActivated
from shared.http.preconditions import ensure_version
from shared.messaging.outbox import announce


async def activate_project(
    session: AsyncSession,
    project_id: UUID,
    *,
    actor: Actor,
    now: datetime,
    expected: int | None,
) -> ProjectSeen:
    """Begin the work of a project.

    Raises:
        ProjectNotFound: for the actor there is none.
        MissingScope, MemberNotActive, NotProjectLead: the actor may not.
        VersionStale: the project is not at the expected version.
        ProjectEnded, ProjectNotProposed: it is not proposed.
        NobodyTakesPart: no participant besides the lead has accepted.
    """
    project, standing, progress = await project_for_change(session, project_id, actor=actor)
    project.ensure_led_by(standing)
    before = project.state()
    ensure_version(expected, before)
    project.activate(by=standing, at=now)
    announce(
        session,
        ProjectActivated.about(
            project.state(),
            before=before,
            by=actor,
            at=now,
            audience=project.audience(standing.places),
        ),
    )
    return project, standing, progress
