"""Tells officials what concerns them."""

from collections.abc import Sequence
from typing import Any, Final

from sqlalchemy.ext.asyncio import AsyncSession

from services.notifications.consumers.recency import recent
from services.notifications.use_cases.fold_into_inboxes import fold_into_inboxes
from shared.clock import utc_now
from shared.contracts.event import Event
from shared.contracts.notifications import WebhookEndpointEvent
from shared.contracts.projects import (
    CommentEvent,
    DecisionEvent,
    HandoverEvent,
    MilestoneEvent,
    ParticipationEvent,
    ProjectEvent,
)
from shared.messaging.consumer import Reaction, Subscription


async def tell_officials(session: AsyncSession, events: Sequence[Event[Any]]) -> None:
    now = utc_now()
    await fold_into_inboxes(session, recent(events, now=now), now=now)


INBOXES: Final[list[Subscription[Any]]] = [
    Reaction("notifications-inbox-projects", ProjectEvent, react=tell_officials),
    Reaction("notifications-inbox-participations", ParticipationEvent, react=tell_officials),
    Reaction("notifications-inbox-milestones", MilestoneEvent, react=tell_officials),
    Reaction("notifications-inbox-decisions", DecisionEvent, react=tell_officials),
    Reaction("notifications-inbox-handovers", HandoverEvent, react=tell_officials),
    Reaction("notifications-inbox-comments", CommentEvent, react=tell_officials),
    Reaction("notifications-inbox-webhook-endpoints", WebhookEndpointEvent, react=tell_officials),
]
