"""Every SELECT of projects."""

from datetime import datetime
from typing import Any, Final
from uuid import UUID

from sqlalchemy import (
    BindParameter,
    ScalarSelect,
    Text,
    bindparam,
    cast,
    exists,
    func,
    literal,
    or_,
    select,
)
from sqlalchemy.dialects.postgresql import ARRAY, array
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import InstrumentedAttribute

from services.projects.model.milestone import Milestone
from services.projects.model.plan import OPEN
from services.projects.model.project import Progress, Project, no_project
from services.projects.model.standing import Standing
from services.projects.queries.sorting import Sort, sorts_of
from services.projects.queries.standings import (
    HOME,
    INSTANT,
    MEMBER,
    PLACES,
    PROJECT_ID,
    VISIBLE,
    ensure_may_read,
    has_place,
    parameters,
    places_in,
    reading_from,
    standing_from,
)
from shared.actor import Actor
from shared.contracts.projects import ProjectStatus
from shared.http.paging import Listing, Paging
from shared.reading import Question, Reading

ProjectSeen = tuple[Project, Standing, Progress]
"""A project with what the rules about it must know."""


def progress_of(project_id: BindParameter[UUID] | InstrumentedAttribute[UUID]) -> ScalarSelect[Any]:
    """How far the milestones of a project are, as a column."""
    return (
        select(
            func.jsonb_build_array(
                func.count().filter(Milestone.status.in_(map(literal, sorted(OPEN)))),
                func.count().filter(Milestone.status == "completed"),
            )
        )
        .where(Milestone.project_id == project_id)
        .correlate(Project)
        .scalar_subquery()
    )


_SEEN: Final = select(Project, HOME, PLACES, progress_of(Project.id)).where(VISIBLE)
_ONE_SEEN: Final = Question(_SEEN.where(Project.id == PROJECT_ID))
_IS_SEEN: Final = Question(select(exists().where(Project.id == PROJECT_ID, VISIBLE), HOME))
_PROGRESS: Final = Question(select(progress_of(PROJECT_ID)))
_AROUND: Final = Question(select(HOME, places_in(PROJECT_ID), progress_of(PROJECT_ID)))


async def project_seen(reading: Reading, project_id: UUID, *, actor: Actor) -> ProjectSeen:
    """Load a project that the actor may see, in one statement.

    Raises:
        ClientRevoked, OfficialMayNotAct, SessionOver, MissingScope: the actor may not read.
        ProjectNotFound: for the actor there is none.
    """
    found = await reading.rows(_ONE_SEEN, parameters(actor, project_id=project_id))
    if not found:
        await ensure_may_read(reading, actor=actor)
        raise no_project(project_id)
    return _read(actor, *found[0])


async def project_for_change(
    session: AsyncSession, project_id: UUID, *, actor: Actor
) -> ProjectSeen:
    """Load a project that the actor may see, locked until the transaction ends.

    Every change below a project holds this lock, so that rules which span the whole project are
    asked about what is true.

    Raises:
        ProjectNotFound: for the actor there is none.
    """
    project = await session.get(Project, project_id, with_for_update={"key_share": True})
    if project is None:
        raise no_project(project_id)
    [(home, places, progress)] = await _AROUND.asked_in(
        session, parameters(actor, project_id=project_id)
    )
    standing = standing_from(actor, home, places)
    if not project.is_seen_by(standing):
        raise no_project(project_id)
    return project, standing, Progress(*progress)


async def progress_in(session: AsyncSession, project_id: UUID) -> Progress:
    """Tell how far the milestones of a locked project are, with what was just changed."""
    await session.flush()
    [(progress,)] = await _PROGRESS.asked_in(session, {"project_id": project_id})
    return Progress(*progress)


async def ensure_project_seen(reading: Reading, project_id: UUID, *, actor: Actor) -> None:
    """Tell an empty list from a project that the actor may not see.

    Raises:
        ClientRevoked, OfficialMayNotAct, SessionOver, MissingScope: the actor may not read.
        ProjectNotFound: for the actor there is none.
    """
    [(is_seen, home)] = await reading.rows(_IS_SEEN, parameters(actor, project_id=project_id))
    reading_from(actor, home, None)
    if not is_seen:
        raise no_project(project_id)


_LISTED: Final = Listing(
    _SEEN,
    filters={
        "status": Project.status == bindparam("status", type_=Text()),
        "member": or_(Project.lead == MEMBER, has_place(MEMBER)),
        "lead": Project.lead == bindparam("lead", type_=Text()),
        "objective": Project.objectives.contains(
            cast(array([bindparam("objective", type_=Text())]), ARRAY(Text()))
        ),
        "updated_since": Project.updated_at >= bindparam("updated_since", type_=INSTANT),
    },
    sorts=sorts_of(Project),
)


async def list_projects(
    reading: Reading,
    paging: Paging,
    *,
    actor: Actor,
    sort: Sort = "created",
    status: ProjectStatus | None = None,
    member: str | None = None,
    lead: str | None = None,
    objective: str | None = None,
    updated_since: datetime | None = None,
) -> tuple[list[ProjectSeen], str | None]:
    """List projects that the actor may see. `member` leads them, takes part or is invited.

    Raises:
        ClientRevoked, OfficialMayNotAct, SessionOver, MissingScope: the actor may not read.
        CursorUnknown: the cursor was not made by this list.
    """
    filters = {
        "status": status,
        "member": member,
        "lead": lead,
        "objective": objective,
        "updated_since": updated_since,
    }
    rows, cursor = await _LISTED.read(
        reading, paging, sort=sort, filters=filters, parameters=parameters(actor)
    )
    if not rows:
        await ensure_may_read(reading, actor=actor)
    return [_read(actor, *row) for row in rows], cursor


def _read(actor: Actor, project: Project, home: Any, places: Any, progress: Any) -> ProjectSeen:
    return project, reading_from(actor, home, places), Progress(*progress)
