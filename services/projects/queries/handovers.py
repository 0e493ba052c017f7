"""Every SELECT of handovers of the lead."""

from typing import Any, Final
from uuid import UUID

from sqlalchemy import Uuid, bindparam, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import contains_eager
from sqlalchemy.orm.attributes import set_committed_value

from services.projects.model.handover import OPEN, Handover, no_handover
from services.projects.model.project import Project
from services.projects.model.standing import Standing
from services.projects.queries.projects import ensure_project_seen
from services.projects.queries.standings import (
    HOME,
    PLACES,
    PROJECT_ID,
    VISIBLE,
    ensure_may_read,
    parameters,
    reading_from,
    standing_in,
)
from shared.actor import Actor
from shared.http.paging import Listing, Paging
from shared.reading import Question, Reading

HandoverSeen = tuple[Handover, Standing]

_SEEN: Final = (
    select(Handover, Project, HOME, PLACES)
    .join(Project, Handover.project_id == Project.id)
    .where(VISIBLE)
)
_ONE_SEEN: Final = Question(_SEEN.where(Handover.id == bindparam("handover_id", type_=Uuid())))
_LISTED: Final = Listing(
    _SEEN.where(Handover.project_id == PROJECT_ID),
    filters={},
    sorts={"created": (Handover.created_at, Handover.id)},
)


async def handover_seen(reading: Reading, handover_id: UUID, *, actor: Actor) -> HandoverSeen:
    """Load a handover in a project that the actor may see.

    Raises:
        ClientRevoked, OfficialMayNotAct, SessionOver, MissingScope: the actor may not read.
        HandoverNotFound: for the actor there is none.
    """
    found = await reading.rows(_ONE_SEEN, parameters(actor, handover_id=handover_id))
    if not found:
        await ensure_may_read(reading, actor=actor)
        raise no_handover(handover_id)
    return _read(actor, *found[0])


async def list_handovers(
    reading: Reading, paging: Paging, project_id: UUID, *, actor: Actor
) -> tuple[list[HandoverSeen], str | None]:
    """List the handovers of a project, oldest first: who has led it until when.

    Raises:
        ClientRevoked, OfficialMayNotAct, SessionOver, MissingScope: the actor may not read.
        ProjectNotFound: for the actor there is no such project.
        CursorUnknown: the cursor was not made by this list.
    """
    rows, cursor = await _LISTED.read(
        reading,
        paging,
        sort="created",
        filters={},
        parameters=parameters(actor, project_id=project_id),
    )
    if not rows:
        await ensure_project_seen(reading, project_id, actor=actor)
    return [_read(actor, *row) for row in rows], cursor


async def handover_for_change(
    session: AsyncSession, handover_id: UUID, *, actor: Actor
) -> HandoverSeen:
    """Load a handover that the actor may see; its project and it stay locked, in this order.

    Raises:
        HandoverNotFound: for the actor there is none.
    """
    handover = await session.scalar(
        select(Handover)
        .select_from(Project)
        .join(Handover, Handover.project_id == Project.id)
        .options(contains_eager(Handover.project))
        .where(Handover.id == handover_id)
        .with_for_update(key_share=True)
    )
    if handover is None:
        raise no_handover(handover_id)
    standing = await standing_in(session, handover.project_id, actor=actor)
    if not handover.project.is_seen_by(standing):
        raise no_handover(handover_id)
    return handover, standing


async def open_handover_of(session: AsyncSession, project: Project) -> Handover | None:
    """Find the handover of a locked project that has not ended, and lock it."""
    await session.flush()
    handover = await session.scalar(
        select(Handover)
        .where(Handover.project_id == project.id, Handover.status.in_(sorted(OPEN)))
        .with_for_update(key_share=True)
    )
    if handover is not None:
        set_committed_value(handover, "project", project)
    return handover


def _read(
    actor: Actor, handover: Handover, project: Project, home: Any, places: Any
) -> HandoverSeen:
    handover.project = project
    return handover, reading_from(actor, home, places)
