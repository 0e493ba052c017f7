"""Copies of what the members service says about members, officials, sessions and clients.

From the moment this hears of it, a member that the secretariat suspends can write nothing here, an
official can do what their roles cover and no more, and a client that its member revokes, an
official who is blocked and a session that has ended can do nothing at all. A member that leaves the
network loses its places.
"""

from collections.abc import Sequence
from typing import Any, Final

from sqlalchemy.ext.asyncio import AsyncSession

from services.projects.model.known import KnownClient, KnownMember, KnownOfficial, KnownSession
from services.projects.use_cases.end_places_of_members import end_places_of_members
from shared.clock import utc_now
from shared.contracts.members import (
    ClientEvent,
    MemberEvent,
    MemberWithdrawn,
    OfficialErased,
    OfficialEvent,
    SessionEvent,
)
from shared.messaging.consumer import Copy, Reaction, Subscription
from shared.messaging.erasing import forget_buried


async def forget_officials(session: AsyncSession, events: Sequence[OfficialErased]) -> None:
    """Keep no dead letter that tells of somebody who has been erased."""
    for event in events:
        subjects = f"evt.members.official.{event.subject}.>"
        await forget_buried(session, subjects, kept=event.nats_subject)


MEMBERS: Final = Copy("projects-members", MemberEvent, table=KnownMember)


async def end_places(session: AsyncSession, events: Sequence[MemberWithdrawn]) -> None:
    """Let members that left the network take part in nothing any more.

    The copy comes first, whichever of the two consumers is faster: whoever invites meanwhile has
    either seen that the member left, or has invited before and is found here.
    """
    await MEMBERS.apply(session, events)
    zones = {event.data.state.slug: event.data.state.time_zone for event in events}
    await end_places_of_members(session, zones, now=utc_now())


SUBSCRIPTIONS: Final[list[Subscription[Any]]] = [
    MEMBERS,
    Reaction("projects-withdrawn-members", MemberWithdrawn, react=end_places),
    Copy("projects-officials", OfficialEvent, table=KnownOfficial),
    Reaction("projects-erased-officials", OfficialErased, react=forget_officials),
    Copy("projects-sessions", SessionEvent, table=KnownSession),
    Copy("projects-clients", ClientEvent, table=KnownClient),
]
