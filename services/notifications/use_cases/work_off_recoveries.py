"""Use case: what was asked to be made up for is queued, a part at a time."""

from datetime import datetime
from typing import Final
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from services.notifications.model.webhook_endpoint import WebhookEndpoint
from services.notifications.model.webhook_recovery import WebhookRecovery
from services.notifications.queries.webhook_recoveries import (
    FAILED,
    end_of_feed,
    missed_between,
    next_recovery,
    parameters,
    start_in_feed,
)
from services.notifications.use_cases.keep_order import keep_order
from services.notifications.use_cases.queue_webhooks import queue_webhooks
from services.notifications.use_cases.wake_lane import hold_lane, hurry_lane

CHUNK: Final = 2_000
"""Numbers of a feed that are looked at in one transaction."""

PRIORITY: Final = 1

IN_PART: Final = """
    EXISTS (
        SELECT FROM feed_entry f WHERE f.member = :member AND f.event_id = d.event_id
          AND f.sequence > :after AND f.sequence <= :up_to
    )
"""

IN_NO_FEED: Final = """
    NOT EXISTS (SELECT FROM feed_entry f WHERE f.member = :member AND f.event_id = d.event_id)
"""


def restarting(place: str) -> str:
    """SQL that lets deliveries begin anew which failed and are in a place."""
    return f"""
    WITH again AS (
        SELECT d.id, m.entity
        FROM webhook_delivery d JOIN webhook_message m ON m.event_id = d.event_id
        WHERE {FAILED} AND d.recovery_id IS DISTINCT FROM CAST(:recovery AS uuid) AND {place}
        ORDER BY d.occurred_at, d.id LIMIT {CHUNK}
    )
    UPDATE webhook_delivery d SET
        state = 'pending', state_reason = NULL, finished_at = NULL, step = 0,
        due_at = CAST(:now AS timestamptz), priority = {PRIORITY}, trigger = 'recovery',
        recovery_id = :recovery,
        entity = CASE WHEN CAST(:keeps_order AS boolean) THEN again.entity END
    FROM again WHERE d.id = again.id
    RETURNING d.event_id
    """  # noqa: S608 -- made of constants


async def work_off_recoveries(session: AsyncSession, *, now: datetime) -> bool:
    """Queue the next part of the recovery that has waited longest for its turn.

    It walks along the feed of the member, so that everything comes in the order in which it was
    told; before that comes what was queued before there were feeds, or stands in none any more.

    Returns:
        Whether there may be more to do at once.
    """
    recovery = await next_recovery(session)
    if recovery is None:
        return False
    endpoint = await session.get_one(WebhookEndpoint, recovery.endpoint_id)
    if endpoint.status != "active":
        recovery.cancel(f"endpoint_{endpoint.status}", at=now)
        return True
    # The feed before the lane, as whoever tells members locks them in this order.
    end = await end_of_feed(session, endpoint.member)
    await hold_lane(session, endpoint.id)
    if recovery.sequence is None:
        await _begin(session, recovery, endpoint, end=end, now=now)
    else:
        up_to = min(recovery.sequence + CHUNK, end)
        queued = await _queue_part(session, recovery, endpoint, up_to=up_to, now=now)
        recovery.advance(queued=queued, at=now, sequence=up_to)
    if recovery.sequence is not None and recovery.sequence >= end:
        recovery.complete(at=now)
    return True


async def _begin(
    session: AsyncSession,
    recovery: WebhookRecovery,
    endpoint: WebhookEndpoint,
    *,
    end: int,
    now: datetime,
) -> None:
    restarted = (
        await _restart(session, recovery, endpoint, place=IN_NO_FEED, now=now)
        if recovery.is_of_failed
        else []
    )
    await _settle(session, endpoint, restarted, now=now)
    sequence = None
    if len(restarted) < CHUNK:
        start = await start_in_feed(session, recovery, endpoint.member)
        sequence = end if start is None else start
    recovery.advance(queued=len(restarted), at=now, sequence=sequence)


async def _queue_part(
    session: AsyncSession,
    recovery: WebhookRecovery,
    endpoint: WebhookEndpoint,
    *,
    up_to: int,
    now: datetime,
) -> int:
    after = recovery.sequence or 0
    restarted, made = list[UUID](), 0
    if recovery.is_of_failed:
        restarted = await _restart(
            session, recovery, endpoint, place=IN_PART, after=after, up_to=up_to, now=now
        )
    if recovery.is_of_missed:
        missed = await missed_between(session, recovery, endpoint.member, after=after, up_to=up_to)
        if missed:
            made = await queue_webhooks(
                session,
                missed,
                now=now,
                endpoint_id=endpoint.id,
                priority=PRIORITY,
                recovery_id=recovery.id,
            )
    await _settle(session, endpoint, restarted, now=now)
    return len(restarted) + made


async def _restart(
    session: AsyncSession,
    recovery: WebhookRecovery,
    endpoint: WebhookEndpoint,
    *,
    place: str,
    now: datetime,
    **part: int,
) -> list[UUID]:
    """Let deliveries begin anew.

    Returns:
        The facts that they tell.
    """
    found = await session.scalars(
        text(restarting(place)),
        {
            **parameters(recovery, endpoint.member),
            **part,
            "recovery": recovery.id,
            "keeps_order": endpoint.ordering == "entity",
            "now": now,
        },
    )
    return list(found)


async def _settle(
    session: AsyncSession, endpoint: WebhookEndpoint, restarted: list[UUID], *, now: datetime
) -> None:
    if restarted:
        await keep_order(session, restarted, endpoint_id=endpoint.id)
        await hurry_lane(session, endpoint, now=now)
