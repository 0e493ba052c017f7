"""Use case: the lead writes the charter, before others take part on its terms."""

from datetime import datetime
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from services.projects.queries.projects import ProjectSeen, project_for_change
from shared.actor import Actor
from shared.contracts.projects import ProjectCharterAmended
from shared.http.preconditions import ensure_version
from shared.messaging.outbox import announce


async def amend_charter(
    session: AsyncSession,
    project_id: UUID,
    *,
    actor: Actor,
    now: datetime,
    expected: int | None,
    text: dict[str, str],
) -> ProjectSeen:
    """Replace the charter by a new version; the former ones stay.

    Raises:
        ProjectNotFound: for the actor there is none.
        MissingScope, MemberNotActive, NotProjectLead: the actor may not.
        VersionStale: the project is not at the expected version.
        ProjectEnded: the project is over.
        CharterAgreed: a member besides the lead has accepted to take part.
    """
    project, standing, progress = await project_for_change(session, project_id, actor=actor)
    project.ensure_led_by(standing)
    before = project.state()
    ensure_version(expected, before)
    session.add(project.write_charter(text, by=standing, at=now))
    announce(
        session,
        ProjectCharterAmended.about(
            project.state(),
            before=before,
            by=actor,
            at=now,
            audience=project.audience(standing.places),
        ),
    )
    return project, standing, progress
