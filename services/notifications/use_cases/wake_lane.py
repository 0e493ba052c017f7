"""Use case: an endpoint is sent to again, from a fresh start."""

from datetime import datetime
from typing import Final
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from services.notifications.model.webhook_endpoint import WebhookEndpoint
from shared.messaging.waking import wake_others

WAKE: Final = """
INSERT INTO webhook_lane AS known (endpoint_id, member, next_due_at)
VALUES (:endpoint, :member, :now)
ON CONFLICT (endpoint_id) DO UPDATE SET
    next_due_at = excluded.next_due_at, leased_until = NULL, fence = known.fence + 1,
    held_until = NULL, pace = 'fast', parallel = 1, tries = 0, failures = 0, quick = 0,
    mean_ms = 0, window_from = NULL, failing_since = NULL
"""


async def wake_lane(session: AsyncSession, endpoint: WebhookEndpoint, *, now: datetime) -> None:
    """Let a sender look at the endpoint at once, with nothing held against it.

    After it was paused or disabled, moved to another address, or proved that it works. A sender
    that is at it loses the lane. Whoever calls has locked the endpoint.
    """
    await session.execute(
        text(WAKE), {"endpoint": endpoint.id, "member": endpoint.member, "now": now}
    )
    _tell_senders(session)


HURRY: Final = """
INSERT INTO webhook_lane AS known (endpoint_id, member, next_due_at)
VALUES (:endpoint, :member, :now)
ON CONFLICT (endpoint_id) DO UPDATE SET next_due_at = least(
    known.next_due_at, greatest(excluded.next_due_at, known.held_until, known.leased_until)
)
"""


async def hurry_lane(session: AsyncSession, endpoint: WebhookEndpoint, *, now: datetime) -> None:
    """Let a sender look for what has become due, as soon as the lane allows."""
    await session.execute(
        text(HURRY), {"endpoint": endpoint.id, "member": endpoint.member, "now": now}
    )
    _tell_senders(session)


def _tell_senders(session: AsyncSession) -> None:
    """Let senders look after the commit, in this process and in the others."""
    session.info["webhooks_queued"] = True
    wake_others(session)


HOLD: Final = "SELECT FROM webhook_lane WHERE endpoint_id = :endpoint FOR UPDATE"


async def hold_lane(session: AsyncSession, endpoint_id: UUID) -> None:
    """Keep senders from recording what came of the endpoint's deliveries meanwhile.

    For whoever changes them: a sender locks the lane first, and then the deliveries.
    """
    await session.execute(text(HOLD), {"endpoint": endpoint_id})
