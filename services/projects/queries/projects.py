"""Every SELECT of projects."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from sqlalchemy import BindParameter, ScalarSelect, exists, func, or_, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import InstrumentedAttribute

from services.projects.model.milestone import OPEN, Milestone
from services.projects.model.project import Progress, Project, no_project
from services.projects.model.standing import Standing
from services.projects.queries.sorting import Sort, keys_of
from services.projects.queries.standings import (
    HOME,
    PLACES,
    PROJECT_ID,
    VISIBLE,
    has_place,
    parameters,
    places_in,
    standing_from,
)
from shared.actor import Actor
from shared.contracts.projects import ProjectStatus
from shared.http.paging import Paging

ProjectSeen = tuple[Project, Standing, Progress]
"""A project with what the rules about it must know."""


def progress_of(project_id: BindParameter[UUID] | InstrumentedAttribute[UUID]) -> ScalarSelect[Any]:
    """How far the milestones of a project are, as a column."""
    return (
        select(
            func.jsonb_build_array(
                func.count().filter(Milestone.status.in_(sorted(OPEN))),
                func.count().filter(Milestone.status == "completed"),
            )
        )
        .where(Milestone.project_id == project_id)
        .correlate(Project)
        .scalar_subquery()
    )


_SEEN: Final = select(Project, HOME, PLACES, progress_of(Project.id)).where(VISIBLE)
_ONE_SEEN: Final = _SEEN.where(Project.id == PROJECT_ID)
_IS_SEEN: Final = select(exists().where(Project.id == PROJECT_ID, VISIBLE))
_AROUND: Final = select(HOME, places_in(PROJECT_ID), progress_of(PROJECT_ID))


async def project_seen(session: AsyncSession, project_id: UUID, *, actor: Actor) -> ProjectSeen:
    """Load a project that the actor may see, in one statement.

    Raises:
        ProjectNotFound: for the actor there is none.
    """
    found = await session.execute(_ONE_SEEN, parameters(actor, project_id=project_id))
    row = found.one_or_none()
    if row is None:
        raise no_project(project_id)
    return _read(actor, row)


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
    found = await session.execute(_AROUND, parameters(actor, project_id=project_id))
    home, places, progress = found.one()
    standing = standing_from(actor, home, places)
    if not project.is_seen_by(standing):
        raise no_project(project_id)
    return project, standing, Progress(*progress)


async def ensure_project_seen(session: AsyncSession, project_id: UUID, *, actor: Actor) -> None:
    """Tell an empty list from a project that the actor may not see.

    Raises:
        ProjectNotFound: for the actor there is none.
    """
    if not await session.scalar(_IS_SEEN, parameters(actor, project_id=project_id)):
        raise no_project(project_id)


async def list_projects(
    session: AsyncSession,
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
    """List projects that the actor may see. `member` leads them, takes part or is invited."""
    query = _SEEN
    if status is not None:
        query = query.where(Project.status == status)
    if member is not None:
        query = query.where(or_(Project.lead == member, has_place(member)))
    if lead is not None:
        query = query.where(Project.lead == lead)
    if objective is not None:
        query = query.where(Project.objectives.contains([objective]))
    if updated_since is not None:
        query = query.where(Project.updated_at >= updated_since)
    keys, descending = keys_of(Project, sort)
    rows, cursor = await paging.fetch_rows(
        session, query, *keys, descending=descending, parameters=parameters(actor)
    )
    return _read_all(actor, rows), cursor


def _read(actor: Actor, row: Sequence[Any]) -> ProjectSeen:
    project, home, places, progress = row
    return project, standing_from(actor, home, places), Progress(*progress)


def _read_all(actor: Actor, rows: Sequence[Sequence[Any]]) -> list[ProjectSeen]:
    return [_read(actor, row) for row in rows]
