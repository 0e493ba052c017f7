"""Every SELECT of what is known of members and their officials."""

from typing import Final
from uuid import UUID

from sqlalchemy import Text, Uuid, bindparam, exists, func, select
from sqlalchemy.ext.asyncio import AsyncSession

from services.notifications.model.known import (
    ClientRevoked,
    KnownClient,
    KnownMember,
    KnownOfficial,
    KnownSession,
    MemberNotActive,
    OfficialMayNotAct,
    OfficialNotFound,
    SessionOver,
)
from shared.actor import Actor
from shared.reading import Question


async def is_active(session: AsyncSession, member: str) -> bool:
    """Tell whether the member takes part at present; not before we have heard so."""
    known = await session.get(KnownMember, member)
    return known is not None and known.status == "active"


async def is_kept_out(session: AsyncSession, member: str) -> bool:
    """Tell whether the member is known not to take part at present."""
    known = await session.get(KnownMember, member)
    return known is not None and known.status != "active"


async def ensure_active(session: AsyncSession, member: str) -> None:
    """Refuse what only members may do that take part at present.

    Raises:
        MemberNotActive: the member does not.
    """
    if not await is_active(session, member):
        raise MemberNotActive(f"The member {member} is not active.")


_WHO_SPEAKS: Final = Question(
    select(
        select(KnownClient.status)
        .where(KnownClient.id == bindparam("client", type_=Text()))
        .scalar_subquery(),
        select(func.jsonb_build_array(KnownOfficial.status, KnownOfficial.scopes))
        .where(KnownOfficial.id == bindparam("official", type_=Uuid()))
        .scalar_subquery(),
        exists().where(KnownSession.id == bindparam("session", type_=Uuid())),
    )
)


async def ensure_may_speak(session: AsyncSession, actor: Actor) -> Actor:
    """Refuse who may not act any more, whatever access tokens they still hold.

    Of whom nothing is known yet nothing is taken away: the token is genuine, and the copy may be a
    moment late.

    Returns:
        The actor, narrowed to what a person's roles cover now.

    Raises:
        ClientRevoked: its member has revoked the client.
        SessionOver: the person's session has ended.
        OfficialMayNotAct: the person has been blocked or erased.
    """
    asked = {
        "client": actor.client_id,
        "official": actor.official_id,
        "session": actor.session_id,
    }
    [(client_status, official, session_is_over)] = await _WHO_SPEAKS.asked_in(session, asked)
    if client_status == "revoked":
        raise ClientRevoked("The client that the access token was issued to has been revoked.")
    if session_is_over:
        raise SessionOver("The session that the access token belongs to has ended.")
    if official is None:
        return actor
    official_status, scopes = official
    if official_status != "active":
        raise OfficialMayNotAct(f"The official is {official_status}.")
    return actor.narrowed(scopes)


async def visible_official(session: AsyncSession, official_id: UUID, *, actor: Actor) -> UUID:
    """Find the official whose inbox is meant: the person who asks, or one of the machine's member.

    Raises:
        OfficialNotFound: it is somebody else.
    """
    if actor.official_id is not None:
        found = official_id == actor.official_id
    else:
        official = await session.get(KnownOfficial, official_id)
        found = official is not None and official.member == actor.member
    if not found:
        raise OfficialNotFound(f"Your member has no official {official_id}.")
    return official_id
