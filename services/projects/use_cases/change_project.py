"""Use case: the lead changes what a project says of itself."""

from datetime import datetime
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from services.projects.model.project import ProjectChanges
from services.projects.queries.projects import ProjectSeen, project_for_change
from shared.actor import Actor
from shared.contracts.projects import ProjectChanged
from shared.http.preconditions import ensure_version
from shared.messaging.outbox import announce


async def change_project(
    session: AsyncSession,
    project_id: UUID,
    *,
    actor: Actor,
    now: datetime,
    expected: int | None,
    changes: ProjectChanges,
) -> ProjectSeen:
    """Replace the given fields of a project.

    Raises:
        ProjectNotFound: for the actor there is none.
        MissingScope, MemberNotActive, NotProjectLead: the actor may not.
        VersionStale: the project is not at the expected version.
        ProjectEnded: the project is over.
        PeriodReversed: it would end before it starts.
    """
    project, standing, progress = await project_for_change(session, project_id, actor=actor)
    project.ensure_led_by(standing)
    before = project.state()
    ensure_version(expected, before)
    project.change(changes, by=standing, at=now)
    announce(
        session,
        ProjectChanged.about(
            project.state(),
            before=before,
            by=actor,
            at=now,
            audience=project.audience(standing.places),
        ),
    )
    return project, standing, progress
