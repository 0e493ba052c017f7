"""Every SELECT of participations."""

from collections.abc import Collection, Sequence
from datetime import date, datetime
from typing import Any, Final
from uuid import UUID

from sqlalchemy import (
    ColumnElement,
    Date,
    Select,
    Text,
    Uuid,
    and_,
    bindparam,
    case,
    cast,
    func,
    literal,
    or_,
    select,
)
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import contains_eager
from sqlalchemy.orm.attributes import set_committed_value

from services.projects.model.participation import (
    HAS_A_PLACE,
    Participation,
    no_participation,
)
from services.projects.model.project import ENDED, UNDER_WAY, Project
from services.projects.model.standing import Standing
from services.projects.queries.projects import ensure_project_seen
from services.projects.queries.sorting import Sort, sorts_of
from services.projects.queries.standings import (
    HAS_A_PLACE_NOW,
    HOME,
    INSTANT,
    MEMBER,
    PLACES,
    PROJECT_ID,
    VISIBLE,
    ensure_may_read,
    parameters,
    reading_from,
    standing_from,
    standing_in,
)
from shared.actor import Actor
from shared.contracts.projects import ParticipationStatus
from shared.http.paging import Listing, Paging
from shared.reading import Question, Reading

ParticipationSeen = tuple[Participation, Standing]

_SEEN: Final = (
    select(Participation, Project, HOME, PLACES).join(Participation.project).where(VISIBLE)
)
_WITH_PROJECT: Final = (
    select(Participation)
    .select_from(Project)  # which is locked first
    .join(Participation, Participation.project_id == Project.id)
    .options(contains_eager(Participation.project))
)
_ONE_SEEN: Final = Question(
    _SEEN.where(Participation.id == bindparam("participation_id", type_=Uuid()))
)


async def participation_seen(
    reading: Reading, participation_id: UUID, *, actor: Actor
) -> ParticipationSeen:
    """Load a participation in a project that the actor may see, in one statement.

    Raises:
        ClientRevoked, OfficialMayNotAct, SessionOver, MissingScope: the actor may not read.
        ParticipationNotFound: for the actor there is none.
    """
    found = await reading.rows(_ONE_SEEN, parameters(actor, participation_id=participation_id))
    if not found:
        await ensure_may_read(reading, actor=actor)
        raise no_participation(participation_id)
    return _read(actor, *found[0])


async def participation_for_change(
    session: AsyncSession, participation_id: UUID, *, actor: Actor
) -> ParticipationSeen:
    """Load a participation that the actor may see; its project and it stay locked, in this order.

    Raises:
        ParticipationNotFound: for the actor there is none.
    """
    participation = await session.scalar(
        _WITH_PROJECT.where(Participation.id == participation_id).with_for_update(key_share=True)
    )
    if participation is None:
        raise no_participation(participation_id)
    standing = await standing_in(session, participation.project_id, actor=actor)
    if not participation.project.is_seen_by(standing):
        raise no_participation(participation_id)
    return participation, standing


async def open_participation_of(
    session: AsyncSession, project: Project, member: str
) -> Participation | None:
    """Find the place that a member has in a locked project, and lock it; the lead may have none."""
    participation = await session.scalar(
        select(Participation)
        .where(
            Participation.project_id == project.id,
            Participation.member == member,
            HAS_A_PLACE_NOW,
        )
        .with_for_update(key_share=True)
    )
    if participation is not None:
        set_committed_value(participation, "project", project)
    return participation


# What the clock does. What another transaction holds is left out, and found again next time.


async def participations_to_remind(
    session: AsyncSession, now: datetime, *, limit: int
) -> list[ParticipationSeen]:
    """Load invitations whose members are to be reminded, locked with their projects.

    Nobody is reminded of what cannot be answered: the project must be under way, and the time to
    answer not be over.
    """
    return await _due(
        session,
        _WITH_PROJECT.where(
            Participation.status == "invited",
            Participation.remind_at <= now,
            Participation.answer_by_at > now,
            Project.status.in_(sorted(UNDER_WAY)),
        )
        .order_by(Participation.remind_at)
        .limit(limit),
    )


async def participations_to_expire(
    session: AsyncSession, now: datetime, *, limit: int
) -> list[ParticipationSeen]:
    """Load invitations that were not answered in time, locked with their projects."""
    return await _due(
        session,
        _WITH_PROJECT.where(
            Participation.status == "invited",
            Participation.answer_by_at <= now,
            Project.status.not_in(sorted(ENDED)),
        )
        .order_by(Participation.answer_by_at)
        .limit(limit),
    )


async def participations_to_withdraw(
    session: AsyncSession, now: datetime, *, limit: int
) -> list[ParticipationSeen]:
    """Load the places whose members leave now, as they announced, locked with their projects."""
    return await _due(
        session,
        _WITH_PROJECT.where(
            Participation.status == "accepted",
            Participation.withdraws_at <= now,
            Project.status.not_in(sorted(ENDED)),
        )
        .order_by(Participation.withdraws_at)
        .limit(limit),
    )


async def open_participations_of(
    session: AsyncSession, members: Collection[str]
) -> list[ParticipationSeen]:
    """Load all places of members in projects that go on, locked with their projects.

    That of the lead is not among them: only a handover ends it.

    In the order of the projects, so that two who do this at once wait for each other once.
    """
    found = await session.scalars(
        _WITH_PROJECT.where(
            Participation.member.in_(sorted(members)),
            Participation.role != "lead",
            Participation.status.in_(sorted(HAS_A_PLACE)),
            Project.status.not_in(sorted(ENDED)),
        )
        .order_by(Participation.project_id, Participation.id)
        .with_for_update(key_share=True)
    )
    return await _among_others(session, found.all())


async def _due(session: AsyncSession, query: Select[Participation]) -> list[ParticipationSeen]:
    found = await session.scalars(query.with_for_update(key_share=True, skip_locked=True))
    return await _among_others(session, found.all())


async def _among_others(
    session: AsyncSession, participations: Sequence[Participation]
) -> list[ParticipationSeen]:
    """Say who else has a place, for the clock. Asked once the projects are locked."""
    rows = await session.execute(
        select(Project.id, PLACES).where(
            Project.id.in_({participation.project_id for participation in participations})
        )
    )
    standings = {
        project_id: standing_from(Actor.CLOCK, None, places) for project_id, places in rows
    }
    return [(each, standings[each.project_id]) for each in participations]


_ACCEPTED_ON: Final = func.coalesce(
    Participation.accepted_on,
    # The previous release, which may still be at work, writes no such day.
    case(
        (
            Participation.status.in_((literal("accepted"), literal("withdrawn"))),
            cast(func.timezone("UTC", Participation.answered_at), Date),
        )
    ),
)
_WITHDRAWN_ON: Final = func.coalesce(Participation.withdrawn_on, Participation.withdraws_on)
_ON: Final = bindparam("on", type_=Date())

TOOK_PART: Final[ColumnElement[bool]] = and_(
    _ACCEPTED_ON <= _ON, or_(_WITHDRAWN_ON.is_(None), _WITHDRAWN_ON > _ON)
)
"""Matches who takes part on a day: `Participation.takes_part_on` in SQL."""

_LISTED: Final = Listing(
    _SEEN,
    filters={
        "project_id": Participation.project_id == PROJECT_ID,
        "member": Participation.member == MEMBER,
        "status": Participation.status == bindparam("status", type_=Text()),
        "on": TOOK_PART,
        "updated_since": Participation.updated_at >= bindparam("updated_since", type_=INSTANT),
    },
    sorts=sorts_of(Participation),
)


async def list_participations(
    reading: Reading,
    paging: Paging,
    *,
    actor: Actor,
    sort: Sort = "created",
    project_id: UUID | None = None,
    member: str | None = None,
    status: ParticipationStatus | None = None,
    on: date | None = None,
    updated_since: datetime | None = None,
) -> tuple[list[ParticipationSeen], str | None]:
    """List participations in projects that the actor may see.

    `on` is a day, as each member counts it, on which they took part.

    Raises:
        ClientRevoked, OfficialMayNotAct, SessionOver, MissingScope: the actor may not read.
        CursorUnknown: the cursor was not made by this list.
    """
    filters = {
        "project_id": project_id,
        "member": member,
        "status": status,
        "on": on,
        "updated_since": updated_since,
    }
    rows, cursor = await _LISTED.read(
        reading, paging, sort=sort, filters=filters, parameters=parameters(actor)
    )
    if not rows and project_id is None:
        await ensure_may_read(reading, actor=actor)
    return [_read(actor, *row) for row in rows], cursor


async def list_participations_of_project(
    reading: Reading,
    paging: Paging,
    project_id: UUID,
    *,
    actor: Actor,
    sort: Sort = "created",
    status: ParticipationStatus | None = None,
    on: date | None = None,
    updated_since: datetime | None = None,
) -> tuple[list[ParticipationSeen], str | None]:
    """List the participations of one project.

    Raises:
        ClientRevoked, OfficialMayNotAct, SessionOver, MissingScope: the actor may not read.
        ProjectNotFound: for the actor there is no such project.
    """
    found, cursor = await list_participations(
        reading,
        paging,
        actor=actor,
        sort=sort,
        project_id=project_id,
        status=status,
        on=on,
        updated_since=updated_since,
    )
    if not found:
        await ensure_project_seen(reading, project_id, actor=actor)
    return found, cursor


def _read(
    actor: Actor, participation: Participation, project: Project, home: Any, places: Any
) -> ParticipationSeen:
    participation.project = project
    return participation, reading_from(actor, home, places)
