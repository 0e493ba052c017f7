"""Copies of what the members service says about members, officials, sessions and clients.

From the moment this hears of it, a member that the secretariat suspends can write nothing here, an
official can do what their roles cover and no more, and a client that its member revokes, an
official who is blocked and a session that has ended can do nothing at all.
"""

from typing import Any, Final

from services.projects.model.known import KnownClient, KnownMember, KnownOfficial, KnownSession
from shared.contracts.members import ClientEvent, MemberEvent, OfficialEvent, SessionEvent
from shared.messaging.consumer import Copy, Subscription

SUBSCRIPTIONS: Final[list[Subscription[Any]]] = [
    Copy("projects-members", MemberEvent, table=KnownMember),
    Copy("projects-officials", OfficialEvent, table=KnownOfficial),
    Copy("projects-sessions", SessionEvent, table=KnownSession),
    Copy("projects-clients", ClientEvent, table=KnownClient),
]
