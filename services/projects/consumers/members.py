"""Copies of what the members service says about members, officials, sessions and clients.

From the moment this hears of it, a member that the secretariat suspends can write nothing here, an
official can do what their roles cover and no more, and a client that its member revokes, an
official who is blocked and a session that has ended can do nothing at all.
"""

from collections.abc import Sequence
from typing import Any, Final

from sqlalchemy.ext.asyncio import AsyncSession

from services.projects.model.known import KnownClient, KnownMember, KnownOfficial, KnownSession
from shared.contracts.members import (
    ClientEvent,
    MemberEvent,
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


SUBSCRIPTIONS: Final[list[Subscription[Any]]] = [
    Copy("projects-members", MemberEvent, table=KnownMember),
    Copy("projects-officials", OfficialEvent, table=KnownOfficial),
    Reaction("projects-erased-officials", OfficialErased, react=forget_officials),
    Copy("projects-sessions", SessionEvent, table=KnownSession),
    Copy("projects-clients", ClientEvent, table=KnownClient),
]
