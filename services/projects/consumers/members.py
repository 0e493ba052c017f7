"""Copies of what the members service says about members and officials.

A member that the secretariat suspends can write nothing here from the moment this hears of it.
"""

from typing import Any, Final

from services.projects.model.known import KnownMember, KnownOfficial
from shared.contracts.members import MemberEvent, OfficialEvent
from shared.messaging.consumer import Copy, Subscription

SUBSCRIPTIONS: Final[list[Subscription[Any]]] = [
    Copy("projects-members", MemberEvent, table=KnownMember),
    Copy("projects-officials", OfficialEvent, table=KnownOfficial),
]
