"""Who asks and who takes part: what belongs to every question about a project.

`VISIBLE` is the policy of `Project.audience` in SQL.
"""

from collections.abc import Collection
from typing import Any, Final
from uuid import UUID

from sqlalchemy import (
    BigInteger,
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
    literal_column,
    or_,
    select,
    union_all,
)
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import InstrumentedAttribute, aliased

from services.projects.model.known import (
    KnownClient,
    KnownMember,
    KnownOfficial,
    KnownSession,
)
from services.projects.model.participation import HAS_A_PLACE, Participation
from services.projects.model.project import Project
from services.projects.model.standing import (
    ClientRevoked,
    OfficialMayNotAct,
    Place,
    SessionOver,
    Standing,
)
from shared.actor import Actor
from shared.reading import Question, Reading

# What every read asks is built once: building a statement costs more than sending it.
ME: Final = bindparam("me", type_=Text())
"""The actor's member; see `parameters`."""

MEMBER: Final = bindparam("member", type_=Text())
"""The member that a list is about."""

INSTANT: Final = DateTime(timezone=True)

# Spelled out, as the indexes over a part of a table are: a value that comes with the question may
# be another one, and the index then cannot be used.
HAS_A_PLACE_NOW: Final = Participation.status.in_(
    [literal_column(f"'{status}'") for status in sorted(HAS_A_PLACE)]
)
_NETWORK: Final[ColumnElement[str]] = literal_column("'network'")


def has_place(member: str | BindParameter[str]) -> ColumnElement[bool]:
    """Match the projects that `member` is invited to or takes part in."""
    return (
        select(literal(1))
        .where(
            Participation.project_id == Project.id, Participation.member == member, HAS_A_PLACE_NOW
        )
        .correlate(Project)  # and not the participation that somebody reads
        # With it the database looks up one project after another, and stops when a page is full.
        # Without, it may first gather all places of the member, which has tens of thousands.
        .offset(literal_column("0"))
        .exists()
    )


VISIBLE: Final = or_(
    Project.lead == ME,
    and_(Project.proposed_at.is_not(None), or_(Project.visibility == "network", has_place(ME))),
)
"""Matches the projects that the actor may see."""

_led, _open = aliased(Project), aliased(Project)

SEEN_LIMIT: Final = bindparam("seen_limit", type_=BigInteger())

SEEN: Final = (
    select(
        union_all(
            select(_led.id).where(_led.lead == ME),
            select(Participation.project_id).where(Participation.member == ME, HAS_A_PLACE_NOW),
            select(_open.id).where(_open.proposed_at.is_not(None), _open.visibility == _NETWORK),
        ).subquery()
    )
    .limit(SEEN_LIMIT)
    .cte("seen")
    .prefix_with("MATERIALIZED", dialect="postgresql")
)
"""The ids of the projects that the actor may see, up to a limit, some of them twice."""

MY_CLIENT: Final = (
    select(KnownClient.status)
    .where(KnownClient.id == bindparam("client", type_=Text()))
    .scalar_subquery()
)

MY_OFFICIAL: Final = (
    select(func.jsonb_build_array(KnownOfficial.status, KnownOfficial.scopes))
    .where(KnownOfficial.id == bindparam("official", type_=Uuid()))
    .scalar_subquery()
)

MY_MEMBER: Final = (
    select(func.jsonb_build_array(KnownMember.status, KnownMember.time_zone, KnownMember.is_host))
    .where(KnownMember.slug == ME)
    .scalar_subquery()
)

MY_SESSION_IS_OVER: Final = exists().where(KnownSession.id == bindparam("session", type_=Uuid()))

HOME: Final = select(
    func.jsonb_build_array(MY_MEMBER, MY_CLIENT, MY_OFFICIAL, MY_SESSION_IS_OVER)
).scalar_subquery()
"""What the network says of the actor's member, client, person and session."""


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
    return {
        "me": actor.member,
        "client": actor.client_id,
        "official": actor.official_id,
        "session": actor.session_id,
        **others,
    }


def standing_from(actor: Actor, home: Any, places: Any) -> Standing:
    """Read the columns `HOME` and `PLACES`.

    Of whom nothing is known yet nothing is taken away: the token is genuine, and the copy may be a
    moment late.

    Raises:
        ClientRevoked, OfficialMayNotAct, SessionOver: the actor's access token is good no longer.
    """
    member, client_status, official, session_is_over = home or (None, None, None, False)
    if client_status == "revoked":
        raise ClientRevoked("The client that the access token was issued to has been revoked.")
    if session_is_over:
        raise SessionOver("The session that the access token belongs to has ended.")
    if official is not None:
        official_status, scopes = official
        if official_status != "active":
            raise OfficialMayNotAct(f"The official is {official_status}.")
        actor = actor.narrowed(scopes)
    status, time_zone, is_host = member or (None, None, False)
    found = {name: Place(role, answer) for name, (role, answer) in (places or {}).items()}
    return Standing(actor, status, time_zone, found, is_host)


def reading_from(actor: Actor, home: Any, places: Any) -> Standing:
    """Read the columns `HOME` and `PLACES` for somebody who wants to read.

    Raises:
        ClientRevoked, OfficialMayNotAct, SessionOver: the actor's access token is good no longer.
        MissingScope: the actor may not read projects.
    """
    standing = standing_from(actor, home, places)
    standing.ensure_may_read()
    return standing


async def ensure_may_read(reading: Reading, *, actor: Actor) -> None:
    """Ask about the actor alone, where nothing was found that could have been read with it.

    Raises:
        ClientRevoked, OfficialMayNotAct, SessionOver: the actor's access token is good no longer.
        MissingScope: the actor may not read projects.
    """
    await reading_outside(reading, actor=actor)


async def reading_outside(reading: Reading, *, actor: Actor) -> Standing:
    """Tell how somebody stands who wants to read, where it is about no single project.

    Raises:
        ClientRevoked, OfficialMayNotAct, SessionOver: the actor's access token is good no longer.
        MissingScope: the actor may not read projects.
    """
    [(home,)] = await reading.rows(_OUTSIDE, parameters(actor))
    return reading_from(actor, home, None)


async def standing_outside(session: AsyncSession, *, actor: Actor) -> Standing:
    """Tell how the actor stands where there is no project yet.

    Raises:
        ClientRevoked, OfficialMayNotAct, SessionOver: the actor's access token is good no longer.
    """
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
    """Find what the network says of a member, if it has such a member; held until the end.

    Ask this before a project is locked: what ends the places of a member that leaves the network
    writes first that it left, and then waits for its projects.
    """
    return await session.get(KnownMember, member, with_for_update={"read": True})


async def known_members(session: AsyncSession, members: Collection[str]) -> list[KnownMember]:
    """Find what the network says of members; those that it does not know are left out."""
    found = await session.scalars(
        select(KnownMember).where(KnownMember.slug.in_(members)).order_by(KnownMember.slug)
    )
    return list(found)
