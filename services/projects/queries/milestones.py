"""Every SELECT of milestones and their contributions."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from sqlalchemy import bindparam, exists, or_, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import contains_eager, selectinload

from services.projects.model.contribution import Contribution
from services.projects.model.milestone import OPEN, Milestone, no_milestone
from services.projects.model.project import ENDED, Project
from services.projects.model.standing import Standing
from services.projects.queries.projects import ensure_project_seen
from services.projects.queries.sorting import MilestoneSort, keys_of
from services.projects.queries.standings import (
    HOME,
    PLACES,
    VISIBLE,
    parameters,
    standing_from,
    standing_in,
)
from shared.actor import Actor
from shared.contracts.projects import MilestoneStatus
from shared.http.paging import Paging

MilestoneSeen = tuple[Milestone, Standing]

_SEEN: Final = (
    select(Milestone, HOME, PLACES)
    .join(Milestone.project)
    .options(contains_eager(Milestone.project), selectinload(Milestone.contributions))
    .where(VISIBLE)
)
_ONE_SEEN: Final = _SEEN.where(Milestone.id == bindparam("milestone_id"))


async def milestone_seen(
    session: AsyncSession, milestone_id: UUID, *, actor: Actor
) -> MilestoneSeen:
    """Load a milestone of a project that the actor may see.

    Raises:
        MilestoneNotFound: for the actor there is none.
    """
    found = await session.execute(_ONE_SEEN, parameters(actor, milestone_id=milestone_id))
    row = found.one_or_none()
    if row is None:
        raise no_milestone(milestone_id)
    return _read(actor, row)


async def milestone_for_change(
    session: AsyncSession, milestone_id: UUID, *, actor: Actor
) -> MilestoneSeen:
    """Load a milestone that the actor may see; it and its project stay locked.

    Raises:
        MilestoneNotFound: for the actor there is none.
    """
    milestone = await session.scalar(
        select(Milestone)
        .join(Milestone.project)
        .options(contains_eager(Milestone.project), selectinload(Milestone.contributions))
        .where(Milestone.id == milestone_id)
        .with_for_update(key_share=True)
    )
    if milestone is None:
        raise no_milestone(milestone_id)
    standing = await standing_in(session, milestone.project_id, actor=actor)
    if not milestone.project.is_seen_by(standing):
        raise no_milestone(milestone_id)
    return milestone, standing


async def milestones_to_note_as_overdue(
    session: AsyncSession, now: datetime, *, limit: int
) -> list[MilestoneSeen]:
    """Load open milestones whose deadline has passed unnoticed, locked with their projects.

    What another transaction holds is left out, and found again next time.
    """
    found = await session.scalars(
        select(Milestone)
        .join(Milestone.project)
        .options(contains_eager(Milestone.project), selectinload(Milestone.contributions))
        .where(
            Milestone.status.in_(sorted(OPEN)),
            Milestone.is_overdue.is_(False),
            Milestone.due_at <= now,
            Project.status.not_in(sorted({*ENDED, "draft"})),
        )
        .order_by(Milestone.due_at)
        .limit(limit)
        .with_for_update(key_share=True, skip_locked=True)
    )
    milestones = found.all()
    rows = await session.execute(
        select(Project.id, PLACES).where(
            Project.id.in_({milestone.project_id for milestone in milestones})
        )
    )
    standings = {
        project_id: standing_from(Actor.CLOCK, None, places) for project_id, places in rows
    }
    return [(milestone, standings[milestone.project_id]) for milestone in milestones]


async def list_milestones(
    session: AsyncSession,
    paging: Paging,
    *,
    actor: Actor,
    sort: MilestoneSort = "created",
    project_id: UUID | None = None,
    member: str | None = None,
    status: MilestoneStatus | None = None,
    due_before: datetime | None = None,
    overdue: bool | None = None,
    updated_since: datetime | None = None,
) -> tuple[list[MilestoneSeen], str | None]:
    """List milestones of projects that the actor may see, with what is contributed to them.

    `member` is accountable or contributes; before `due_before` the deadline is over.
    """
    query = _SEEN
    if project_id is not None:
        query = query.where(Milestone.project_id == project_id)
    if member is not None:
        contributes = (
            exists()
            .where(Contribution.milestone_id == Milestone.id, Contribution.member == member)
            .correlate(Milestone)
        )
        query = query.where(or_(Milestone.accountable == member, contributes))
    if status is not None:
        query = query.where(Milestone.status == status)
    if due_before is not None:
        query = query.where(Milestone.due_at < due_before)
    if overdue is not None:
        query = query.where(Milestone.is_overdue.is_(overdue))
    if updated_since is not None:
        query = query.where(Milestone.updated_at >= updated_since)
    keys, descending = keys_of(Milestone, sort)
    rows, cursor = await paging.fetch_rows(
        session, query, *keys, descending=descending, parameters=parameters(actor)
    )
    return _read_all(actor, rows), cursor


async def list_milestones_of_project(
    session: AsyncSession,
    paging: Paging,
    project_id: UUID,
    *,
    actor: Actor,
    sort: MilestoneSort = "created",
    status: MilestoneStatus | None = None,
    overdue: bool | None = None,
    updated_since: datetime | None = None,
) -> tuple[list[MilestoneSeen], str | None]:
    """List the milestones of one project.

    Raises:
        ProjectNotFound: for the actor there is no such project.
    """
    found, cursor = await list_milestones(
        session,
        paging,
        actor=actor,
        sort=sort,
        project_id=project_id,
        status=status,
        overdue=overdue,
        updated_since=updated_since,
    )
    if not found:
        await ensure_project_seen(session, project_id, actor=actor)
    return found, cursor


def _read(actor: Actor, row: Sequence[Any]) -> MilestoneSeen:
    milestone, home, places = row
    return milestone, standing_from(actor, home, places)


def _read_all(actor: Actor, rows: Sequence[Sequence[Any]]) -> list[MilestoneSeen]:
    return [_read(actor, row) for row in rows]
