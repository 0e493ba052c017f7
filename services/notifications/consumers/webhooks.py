"""Queues every fact for the systems of the members that may hear of it.

In the order of their streams: a feed numbers them, and its readers take the numbers for an order.
"""

from collections.abc import Sequence
from typing import Any, Final

from sqlalchemy.ext.asyncio import AsyncSession

from services.notifications.consumers.recency import recent
from services.notifications.use_cases.forget_comment import forget_comment
from services.notifications.use_cases.forget_official import forget_official
from services.notifications.use_cases.tell_members import tell_members
from shared.clock import utc_now
from shared.contracts.event import Event
from shared.contracts.members import (
    ClientEvent,
    MemberEvent,
    OfficialErased,
    OfficialEvent,
    SessionEvent,
)
from shared.contracts.notifications import InboxItemEvent, WebhookEndpointEvent
from shared.contracts.projects import (
    CalendarFeedEvent,
    CommentEvent,
    CommentRemoved,
    DecisionEvent,
    HandoverEvent,
    MilestoneEvent,
    ObjectiveEvent,
    ParticipationEvent,
    ProjectEvent,
    ThemeEvent,
)
from shared.messaging.consumer import Reaction, Subscription


async def queue(session: AsyncSession, events: Sequence[Event[Any]]) -> None:
    now = utc_now()
    await tell_members(session, recent(events, now=now), now=now)


async def queue_officials(session: AsyncSession, events: Sequence[Event[Any]]) -> None:
    """Queue facts about officials; here, as nothing that was said before comes after this."""
    await queue(session, events)
    for event in events:
        if isinstance(event, OfficialErased):
            await forget_official(session, event)


async def queue_comments(session: AsyncSession, events: Sequence[Event[Any]]) -> None:
    """Queue facts about comments; here, as nothing that was said before comes after this."""
    await queue(session, events)
    for event in events:
        if isinstance(event, CommentRemoved):
            await forget_comment(session, event)


WEBHOOKS: Final[list[Subscription[Any]]] = [
    Reaction("notifications-webhooks-members", MemberEvent, react=queue, in_order=True),
    Reaction(
        "notifications-webhooks-officials", OfficialEvent, react=queue_officials, in_order=True
    ),
    Reaction("notifications-webhooks-sessions", SessionEvent, react=queue, in_order=True),
    Reaction("notifications-webhooks-clients", ClientEvent, react=queue, in_order=True),
    Reaction("notifications-webhooks-projects", ProjectEvent, react=queue, in_order=True),
    Reaction(
        "notifications-webhooks-participations", ParticipationEvent, react=queue, in_order=True
    ),
    Reaction("notifications-webhooks-milestones", MilestoneEvent, react=queue, in_order=True),
    Reaction("notifications-webhooks-decisions", DecisionEvent, react=queue, in_order=True),
    Reaction("notifications-webhooks-handovers", HandoverEvent, react=queue, in_order=True),
    Reaction("notifications-webhooks-objectives", ObjectiveEvent, react=queue, in_order=True),
    Reaction("notifications-webhooks-themes", ThemeEvent, react=queue, in_order=True),
    Reaction(
        "notifications-webhooks-calendar-feeds", CalendarFeedEvent, react=queue, in_order=True
    ),
    Reaction("notifications-webhooks-comments", CommentEvent, react=queue_comments, in_order=True),
    Reaction(
        "notifications-webhooks-webhook-endpoints", WebhookEndpointEvent, react=queue, in_order=True
    ),
    Reaction("notifications-webhooks-inbox-items", InboxItemEvent, react=queue, in_order=True),
]
