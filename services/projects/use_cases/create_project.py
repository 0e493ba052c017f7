"""Use case: a member begins a project."""

from datetime import date, datetime

from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession

from services.projects.model.project import Progress, Project, ReferenceTaken
from services.projects.model.topic import ensure_in_use
from services.projects.queries.projects import ProjectSeen
from services.projects.queries.standings import standing_outside
from services.projects.queries.topics import topics_in_use
from shared.actor import Actor
from shared.contracts.projects import ProjectDrafted, Visibility
from shared.messaging.outbox import announce


async def create_project(
    session: AsyncSession,
    *,
    actor: Actor,
    now: datetime,
    reference: str,
    title: dict[str, str],
    summary: dict[str, str],
    objectives: tuple[str, ...],
    themes: tuple[str, ...],
    visibility: Visibility,
    starts_on: date | None,
    ends_on: date | None,
) -> ProjectSeen:
    """Draft a project that the actor's member leads.

    Raises:
        MissingScope, MemberNotActive: the actor may not write.
        PeriodReversed: it would end before it starts.
        TopicNotInUse: the network has no such objective or theme in use.
        ReferenceTaken: a project, which the actor may not be allowed to see, has the reference.
    """
    standing = await standing_outside(session, actor=actor)
    project = Project.draft(
        by=standing,
        at=now,
        reference=reference,
        title=title,
        summary=summary,
        objectives=objectives,
        themes=themes,
        visibility=visibility,
        starts_on=starts_on,
        ends_on=ends_on,
    )
    in_use = await topics_in_use(session, objectives=objectives, themes=themes)
    ensure_in_use(in_use, objectives=objectives, themes=themes)
    try:
        async with session.begin_nested():
            session.add(project)
    except IntegrityError as error:
        raise ReferenceTaken(f"The reference {reference!r} is taken.") from error
    announce(
        session,
        ProjectDrafted.about(
            project.state(), by=actor, at=now, audience=project.audience(standing.places)
        ),
    )
    return project, standing, Progress()
