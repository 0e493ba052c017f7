"""Copies of what the members service says about members, officials and clients.

From the moment this hears of it, a member that the secretariat suspends can write nothing here, and
a client that its member revokes can do nothing at all.
"""

from typing import Any, Final

from services.projects.model.known import KnownClient, KnownMember, KnownOfficial
from shared.contracts.members import ClientEvent, MemberEvent, OfficialEvent
from shared.messaging.consumer import Copy, Subscription

SUBSCRIPTIONS: Final[list[Subscription[Any]]] = [
    Copy("projects-members", MemberEvent, table=KnownMember),
    Copy("projects-officials", OfficialEvent, table=KnownOfficial),
    Copy("projects-clients", ClientEvent, table=KnownClient),
]
