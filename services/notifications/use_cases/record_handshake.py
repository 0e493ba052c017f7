"""Use case: what came of asking a receiver is written down, and lets facts flow if it agreed."""

from datetime import datetime
from typing import Final

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from services.notifications.model.webhook_endpoint import WebhookEndpoint
from services.notifications.model.webhook_recovery import WebhookRecovery
from services.notifications.model.webhook_verification import Agreement, WebhookVerification
from services.notifications.queries.webhook_endpoints import (
    endpoint_for_change,
    verification_for_change,
)
from services.notifications.queries.webhook_recoveries import CLOCKS_DIFFER, recovery_at_work
from services.notifications.use_cases.claim_handshakes import ClaimedHandshake
from services.notifications.use_cases.queue_webhooks import OVERLAP, are_too_many, queue_missed
from services.notifications.use_cases.start_recovery import begin_recovery
from services.notifications.use_cases.wake_lane import wake_lane
from shared.actor import Actor
from shared.contracts.notifications import WebhookEndpointVerified
from shared.messaging.outbox import announce

HOLD_FEED: Final = """
INSERT INTO feed_end (member, sequence, recorded_at) VALUES (:member, 0, :now)
ON CONFLICT DO NOTHING
"""

LOCK_FEED: Final = "SELECT FROM feed_end WHERE member = :member FOR UPDATE"


async def hold_feed(session: AsyncSession, member: str, *, now: datetime) -> None:
    """Let nothing enter a member's feed until the transaction ends.

    So a fact is either there when an endpoint looks for what it missed, or finds the endpoint
    ready. Whoever locks an endpoint as well locks it after this, as `tell_members` does.
    """
    await session.execute(text(HOLD_FEED), {"member": member, "now": now})
    await session.execute(text(LOCK_FEED), {"member": member})


async def record_handshake(
    session: AsyncSession,
    claimed: ClaimedHandshake,
    found: Agreement | str,
    *,
    now: datetime,
) -> None:
    """Write down a consent, or why there is none and when it is asked again.

    What was asked of another address, or for a try that a later one has overtaken, counts nothing.
    """
    if isinstance(found, Agreement):
        await hold_feed(session, claimed.member, now=now)
    endpoint = await endpoint_for_change(session, claimed.endpoint_id)
    verification = await verification_for_change(session, claimed.endpoint_id)
    if (
        verification is None
        or endpoint.verified_at is not None
        or endpoint.status == "deleted"
        or (verification.asked_at, verification.tries) != (claimed.asked_at, claimed.tries)
    ):
        return
    if isinstance(found, Agreement):
        await agree(session, endpoint, verification, found, now=now)
    else:
        verification.fail(found, at=now)


async def agree(
    session: AsyncSession,
    endpoint: WebhookEndpoint,
    verification: WebhookVerification,
    agreement: Agreement,
    *,
    now: datetime,
) -> None:
    """Let facts flow to an endpoint, with those that it has missed.

    Whoever calls holds the feed of its member, and has locked the endpoint.
    """
    before = endpoint.state()
    endpoint.agree(agreement.rate, at=now)
    missed_since = verification.waiting_since
    verification.grant()
    announce(
        session,
        WebhookEndpointVerified.about(
            endpoint.state(), before=before, by=Actor.CLOCK, at=now, audience=(endpoint.member,)
        ),
    )
    await session.flush()
    if endpoint.status != "active":
        return
    await wake_lane(session, endpoint, now=now)
    if await are_too_many(session, endpoint.member, since=missed_since):
        await _leave_to_the_worker(session, endpoint, since=missed_since, now=now)
    else:
        await queue_missed(session, endpoint.id, endpoint.member, since=missed_since, now=now)


async def _leave_to_the_worker(
    session: AsyncSession, endpoint: WebhookEndpoint, *, since: datetime, now: datetime
) -> None:
    """Let what was missed be made up for a part at a time: no request can take so long."""
    since = max(since - OVERLAP, endpoint.created_at)
    running = await recovery_at_work(session, endpoint)
    if running is not None:
        running.cancel("superseded", at=now)
        since = min(since, running.since)
        await session.flush()
    await begin_recovery(
        session,
        endpoint,
        WebhookRecovery(
            endpoint_id=endpoint.id,
            kind="missed" if running is None else "all",
            since=since,
            # What enters the feed from now on finds the endpoint ready, whenever it says it was.
            until=now + CLOCKS_DIFFER,
            requested_by=None,
            expected=0,
            created_at=now,
            updated_at=now,
        ),
    )
