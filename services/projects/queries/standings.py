"""Who asks and who takes part: what belongs to every question about a project.

`VISIBLE` is the policy of `Project.audience` in SQL.
"""

from typing import Any, Final
from uuid import UUID

from sqlalchemy import (
    BindParameter,
    ColumnElement,
    DateTime,
    ScalarSelect,
    Text,
    Uuid,
    and_,
    bindparam,
    exists,
    func,
    literal,
    or_,
    select,
)
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import InstrumentedAttribute

from services.projects.model.known import KnownClient, KnownMember
from services.projects.model.participation import HAS_A_PLACE, Participation
from services.projects.model.project import Project
from services.projects.model.standing import ClientRevoked, Place, Standing
from shared.actor import Actor
from shared.reading import Question

# What every read asks is built once: building a statement costs more than sending it.
ME: Final = bindparam("me", type_=Text())
"""The actor's member; see `parameters`."""

MEMBER: Final = bindparam("member", type_=Text())
"""The member that a list is about."""

INSTANT: Final = DateTime(timezone=True)

HAS_A_PLACE_NOW: Final = Participation.status.in_(map(literal, sorted(HAS_A_PLACE)))


def has_place(member: str | BindParameter[str]) -> ColumnElement[bool]:
    """Match the projects that `member` is invited to or takes part in."""
    return (
        exists()
        .where(
            Participation.project_id == Project.id, Participation.member == member, HAS_A_PLACE_NOW
        )
        .correlate(Project)  # and not the participation that somebody reads
    )


VISIBLE: Final = or_(
    Project.lead == ME,
    and_(Project.proposed_at.is_not(None), or_(Project.visibility == "network", has_place(ME))),
)
"""Matches the projects that the actor may see."""

MY_CLIENT: Final = (
    select(KnownClient.status)
    .where(KnownClient.id == bindparam("client", type_=Text()))
    .scalar_subquery()
)

HOME: Final = (
    select(func.jsonb_build_array(KnownMember.status, KnownMember.time_zone, MY_CLIENT))
    .where(KnownMember.slug == ME)
    .scalar_subquery()
)
"""What the network says of the actor's member and client."""


def places_in(project_id: BindParameter[UUID] | InstrumentedAttribute[UUID]) -> ScalarSelect[Any]:
    """Who has a place in a project, as a column."""
    place = func.jsonb_build_array(Participation.role, Participation.status)
    return (
        select(func.jsonb_object_agg(Participation.member, place))
        .where(Participation.project_id == project_id, HAS_A_PLACE_NOW)
        .correlate(Project)
        .scalar_subquery()
    )


PLACES: Final = places_in(Project.id)

PROJECT_ID: Final = bindparam("project_id", type_=Uuid())

_OUTSIDE: Final = Question(select(HOME))
_INSIDE: Final = Question(select(HOME, places_in(PROJECT_ID)))


def parameters(actor: Actor, **others: Any) -> dict[str, Any]:
    """Values for the statements that are built of the parts above."""
    return {"me": actor.member, "client": actor.client_id, **others}


def standing_from(actor: Actor, home: Any, places: Any) -> Standing:
    """Read the columns `HOME` and `PLACES`.

    Raises:
        ClientRevoked: the actor's access token is good no longer.
    """
    status, time_zone, client_status = home or (None, None, None)
    if client_status == "revoked":
        raise ClientRevoked("The client that the access token was issued to has been revoked.")
    found = {member: Place(role, answer) for member, (role, answer) in (places or {}).items()}
    return Standing(actor, status, time_zone, found)


async def standing_outside(session: AsyncSession, *, actor: Actor) -> Standing:
    """Tell how the actor stands where there is no project yet."""
    [(home,)] = await _OUTSIDE.asked_in(session, parameters(actor))
    return standing_from(actor, home, None)


async def standing_in(session: AsyncSession, project_id: UUID, *, actor: Actor) -> Standing:
    """Tell how the actor stands in a project.

    For a change, ask this only once the project is locked: what was read in the statement that
    waited for the lock may be older than what the others did meanwhile.
    """
    [(home, places)] = await _INSIDE.asked_in(session, parameters(actor, project_id=project_id))
    return standing_from(actor, home, places)


async def known_member(session: AsyncSession, member: str) -> KnownMember | None:
    """Find what the network says of a member, if it has such a member."""
    return await session.get(KnownMember, member)
