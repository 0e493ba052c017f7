"""Keeps what is known of members and projects equal to what their owners say."""

from typing import Any, Final

from services.notifications.model.known import (
    KnownClient,
    KnownMember,
    KnownOfficial,
    KnownParticipation,
    KnownProject,
    KnownSession,
)
from shared.contracts.members import ClientEvent, MemberEvent, OfficialEvent, SessionEvent
from shared.contracts.projects import ParticipationEvent, ProjectEvent
from shared.messaging.consumer import Copy, Subscription

COPIES: Final[list[Subscription[Any]]] = [
    Copy("notifications-members", MemberEvent, table=KnownMember),
    Copy("notifications-officials", OfficialEvent, table=KnownOfficial),
    Copy("notifications-sessions", SessionEvent, table=KnownSession),
    Copy("notifications-clients", ClientEvent, table=KnownClient),
    Copy("notifications-projects", ProjectEvent, table=KnownProject),
    Copy("notifications-participations", ParticipationEvent, table=KnownParticipation),
]
