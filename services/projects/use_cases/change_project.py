"""Use case: the lead changes what a project says of itself."""

from datetime import datetime
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from services.projects.model.project import ProjectChanges
from services.projects.model.topic import ensure_in_use
from services.projects.queries.projects import ProjectSeen, project_for_change
from services.projects.queries.topics import topics_in_use
from shared.actor import Actor
from shared.contracts.event import EVERYONE
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

    Whoever begins to see the project by this does not learn how it was before.

    Raises:
        ProjectNotFound: for the actor there is none.
        MissingScope, MemberNotActive, NotProjectLead: the actor may not.
        VersionStale: the project is not at the expected version.
        ProjectEnded: the project is over.
        PeriodReversed: it would end before it starts.
        TopicNotInUse: the network has no such objective or theme in use.
    """
    project, standing, progress = await project_for_change(session, project_id, actor=actor)
    project.ensure_led_by(standing)
    before = project.state()
    ensure_version(expected, before)
    named = project.named_anew(changes)
    ensure_in_use(await topics_in_use(session, **named), **named)
    told_before = project.audience(standing.places)
    project.change(changes, by=standing, at=now)
    state, audience = project.state(), project.audience(standing.places)
    if audience == EVERYONE != told_before:
        before = state.model_copy(update={"visibility": before.visibility})
    announce(
        session,
        ProjectChanged.about(state, before=before, by=actor, at=now, audience=audience),
    )
    return project, standing, progress
