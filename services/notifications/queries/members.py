"""Every SELECT of what is known of members and their officials."""

from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from services.notifications.model.known import (
    ClientRevoked,
    KnownClient,
    KnownMember,
    KnownOfficial,
    MemberNotActive,
    OfficialNotFound,
)
from shared.actor import Actor


async def is_active(session: AsyncSession, member: str) -> bool:
    """Tell whether the member takes part at present; not before we have heard so."""
    known = await session.get(KnownMember, member)
    return known is not None and known.status == "active"


async def ensure_active(session: AsyncSession, member: str) -> None:
    """Refuse what only members may do that take part at present.

    Raises:
        MemberNotActive: the member does not.
    """
    if not await is_active(session, member):
        raise MemberNotActive(f"The member {member} is not active.")


async def ensure_not_revoked(session: AsyncSession, actor: Actor) -> None:
    """Refuse a client that its member has revoked, whatever access tokens it still holds.

    Raises:
        ClientRevoked: it has been.
    """
    client = await session.get(KnownClient, actor.client_id) if actor.client_id else None
    if client is not None and client.status == "revoked":
        raise ClientRevoked("The client that the access token was issued to has been revoked.")


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
