"""Every SELECT of participations."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from sqlalchemy import bindparam, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import contains_eager

from services.projects.model.participation import Participation, no_participation
from services.projects.model.standing import Standing
from services.projects.queries.projects import ensure_project_seen
from services.projects.queries.sorting import Sort, keys_of
from services.projects.queries.standings import (
    HOME,
    PLACES,
    VISIBLE,
    parameters,
    standing_from,
    standing_in,
)
from shared.actor import Actor
from shared.contracts.projects import ParticipationStatus
from shared.http.paging import Paging

ParticipationSeen = tuple[Participation, Standing]

_SEEN: Final = (
    select(Participation, HOME, PLACES)
    .join(Participation.project)
    .options(contains_eager(Participation.project))
    .where(VISIBLE)
)
_ONE_SEEN: Final = _SEEN.where(Participation.id == bindparam("participation_id"))


async def participation_seen(
    session: AsyncSession, participation_id: UUID, *, actor: Actor
) -> ParticipationSeen:
    """Load a participation in a project that the actor may see, in one statement.

    Raises:
        ParticipationNotFound: for the actor there is none.
    """
    found = await session.execute(_ONE_SEEN, parameters(actor, participation_id=participation_id))
    row = found.one_or_none()
    if row is None:
        raise no_participation(participation_id)
    return _read(actor, row)


async def participation_for_change(
    session: AsyncSession, participation_id: UUID, *, actor: Actor
) -> ParticipationSeen:
    """Load a participation that the actor may see; it and its project stay locked.

    Raises:
        ParticipationNotFound: for the actor there is none.
    """
    participation = await session.scalar(
        select(Participation)
        .join(Participation.project)
        .options(contains_eager(Participation.project))
        .where(Participation.id == participation_id)
        .with_for_update(key_share=True)
    )
    if participation is None:
        raise no_participation(participation_id)
    standing = await standing_in(session, participation.project_id, actor=actor)
    if not participation.project.is_seen_by(standing):
        raise no_participation(participation_id)
    return participation, standing


async def list_participations(
    session: AsyncSession,
    paging: Paging,
    *,
    actor: Actor,
    sort: Sort = "created",
    project_id: UUID | None = None,
    member: str | None = None,
    status: ParticipationStatus | None = None,
    updated_since: datetime | None = None,
) -> tuple[list[ParticipationSeen], str | None]:
    """List participations in projects that the actor may see."""
    query = _SEEN
    if project_id is not None:
        query = query.where(Participation.project_id == project_id)
    if member is not None:
        query = query.where(Participation.member == member)
    if status is not None:
        query = query.where(Participation.status == status)
    if updated_since is not None:
        query = query.where(Participation.updated_at >= updated_since)
    keys, descending = keys_of(Participation, sort)
    rows, cursor = await paging.fetch_rows(
        session, query, *keys, descending=descending, parameters=parameters(actor)
    )
    return _read_all(actor, rows), cursor


async def list_participations_of_project(
    session: AsyncSession,
    paging: Paging,
    project_id: UUID,
    *,
    actor: Actor,
    sort: Sort = "created",
    status: ParticipationStatus | None = None,
    updated_since: datetime | None = None,
) -> tuple[list[ParticipationSeen], str | None]:
    """List the participations of one project.

    Raises:
        ProjectNotFound: for the actor there is no such project.
    """
    found, cursor = await list_participations(
        session,
        paging,
        actor=actor,
        sort=sort,
        project_id=project_id,
        status=status,
        updated_since=updated_since,
    )
    if not found:
        await ensure_project_seen(session, project_id, actor=actor)
    return found, cursor


def _read(actor: Actor, row: Sequence[Any]) -> ParticipationSeen:
    participation, home, places = row
    return participation, standing_from(actor, home, places)


def _read_all(actor: Actor, rows: Sequence[Sequence[Any]]) -> list[ParticipationSeen]:
    return [_read(actor, row) for row in rows]
