"""Who asks and who takes part: what belongs to every question about a project.

`visible_to` is the policy of `Project.audience` in SQL.
"""

from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, ScalarSelect, and_, exists, func, or_, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import InstrumentedAttribute

from services.projects.model.known import KnownMember
from services.projects.model.participation import HAS_A_PLACE, Participation
from services.projects.model.project import Project
from services.projects.model.standing import Place, Standing
from shared.actor import Actor

has_a_place: ColumnElement[bool] = Participation.status.in_(sorted(HAS_A_PLACE))


def has_place(member: str) -> ColumnElement[bool]:
    """Match the projects that `member` is invited to or takes part in."""
    return (
        exists()
        .where(Participation.project_id == Project.id, Participation.member == member, has_a_place)
        .correlate(Project)  # and not the participation that somebody reads
    )


def visible_to(member: str) -> ColumnElement[bool]:
    """Match the projects that `member` may see."""
    others = or_(Project.visibility == "network", has_place(member))
    return or_(Project.lead == member, and_(Project.proposed_at.is_not(None), others))


def home_of(member: str) -> ScalarSelect[Any]:
    """What the network says of the actor's member, as a column."""
    return (
        select(func.jsonb_build_array(KnownMember.status, KnownMember.time_zone))
        .where(KnownMember.slug == member)
        .scalar_subquery()
    )


def places_in(project_id: UUID | InstrumentedAttribute[UUID]) -> ScalarSelect[Any]:
    """Who has a place in a project, as a column."""
    place = func.jsonb_build_array(Participation.role, Participation.status)
    return (
        select(func.jsonb_object_agg(Participation.member, place))
        .where(Participation.project_id == project_id, has_a_place)
        .correlate(Project)
        .scalar_subquery()
    )


def standing_from(actor: Actor, home: Any, places: Any) -> Standing:
    """Read the columns `home_of` and `places_in`."""
    status, time_zone = home or (None, None)
    found = {member: Place(role, answer) for member, (role, answer) in (places or {}).items()}
    return Standing(actor, status, time_zone, found)


async def standing_outside(session: AsyncSession, *, actor: Actor) -> Standing:
    """Tell how the actor stands where there is no project yet."""
    return standing_from(actor, await session.scalar(select(home_of(actor.member))), None)


async def standing_in(session: AsyncSession, project_id: UUID, *, actor: Actor) -> Standing:
    """Tell how the actor stands in a project.

    For a change, ask this only once the project is locked: what was read in the statement that
    waited for the lock may be older than what the others did meanwhile.
    """
    found = await session.execute(select(home_of(actor.member), places_in(project_id)))
    return standing_from(actor, *found.one())


async def known_member(session: AsyncSession, member: str) -> KnownMember | None:
    """Find what the network says of a member, if it has such a member."""
    return await session.get(KnownMember, member)
