"""Use case: a member begins a project with what another one was."""

from datetime import date, datetime
from uuid import UUID

from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession

from services.projects.model.project import Progress, ReferenceTaken
from services.projects.queries.projects import ProjectSeen
from services.projects.queries.standings import standing_outside
from services.projects.queries.templates import template_seen
from services.projects.queries.topics import topics_in_use
from shared.actor import Actor
from shared.contracts.projects import MilestonePlanned, ProjectDrafted, Visibility
from shared.messaging.outbox import announce


async def copy_project(
    session: AsyncSession,
    template_id: UUID,
    *,
    actor: Actor,
    now: datetime,
    reference: str,
    title: dict[str, str],
    visibility: Visibility,
    starts_on: date,
) -> ProjectSeen:
    """Draft a project that the actor's member leads, like one that it may see.

    Raises:
        ProjectNotFound: for the actor there is no such template.
        MissingScope, MemberNotActive: the actor may not write.
        TemplateTooLarge: it has too many milestones.
        CopyOutsideCalendar: a day would lie beyond those that can be told.
        PeriodReversed: it would end before it starts.
        ReferenceTaken: a project, which the actor may not be allowed to see, has the reference.
    """
    template, _ = await template_seen(session, template_id, actor=actor)
    standing = await standing_outside(session, actor=actor)
    copied = template.copy(
        by=standing,
        at=now,
        reference=reference,
        title=title,
        visibility=visibility,
        starts_on=starts_on,
        in_use=await topics_in_use(
            session, objectives=template.project.objectives, themes=template.project.themes
        ),
    )
    project = copied.project
    try:
        async with session.begin_nested():
            session.add(project)
    except IntegrityError as error:
        raise ReferenceTaken(f"The reference {reference!r} is taken.") from error
    if copied.charter is not None:
        session.add(copied.charter)
    session.add_all(copied.milestones)
    audience = project.audience(standing.places)
    announce(session, ProjectDrafted.about(project.state(), by=actor, at=now, audience=audience))
    for milestone in copied.milestones:
        announce(
            session,
            MilestonePlanned.about(milestone.state(), by=actor, at=now, audience=audience),
        )
    return project, standing, Progress(open_milestones=len(copied.milestones))
