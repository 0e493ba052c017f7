"""Use case: facts become deliveries to the endpoints of those who may hear of them.

`tell_members` calls this for what is new; a member calls it for what its endpoint has missed.
"""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from services.notifications.model.event_types import ALL
from shared.messaging.waking import after_each_commit_with

LOCK_ORDERED: Final = """
SELECT FROM webhook_lane l
JOIN webhook_endpoint e ON e.id = l.endpoint_id AND e.ordering = 'entity'
WHERE e.member IN (SELECT member FROM feed_entry WHERE event_id = ANY (CAST(:events AS uuid[])))
  AND e.status = 'active'
ORDER BY l.endpoint_id
FOR UPDATE OF l
"""

WANTED: Final = """
    e.status = 'active' AND e.verified_at IS NOT NULL
    AND e.event_types && ARRAY[
        m.event_type, split_part(m.event_type, '.', 1) || '.' || split_part(m.event_type, '.', 2)
        || '.*', CAST(:all_types AS text)
    ]
    AND (e.project_ids = '{}' OR m.project_id = ANY (e.project_ids))
    AND e.created_at <= m.occurred_at
"""

DUE: Final = """
    greatest(CAST(:now AS timestamptz), (
        SELECT max(p.due_at) FROM webhook_delivery p
        WHERE e.ordering = 'entity' AND p.endpoint_id = e.id AND p.state = 'pending'
          AND p.entity = m.entity
    ))
"""
"""Where order is asked for, not before what still waits about the same entity."""

WAKE: Final = """
INSERT INTO webhook_lane (endpoint_id, member, next_due_at)
SELECT DISTINCT endpoint_id, member, CAST(:now AS timestamptz) FROM queued ORDER BY endpoint_id
ON CONFLICT (endpoint_id) DO UPDATE SET next_due_at = least(
    webhook_lane.next_due_at,
    greatest(excluded.next_due_at, webhook_lane.held_until, webhook_lane.leased_until)
)
"""

QUEUEING: Final = f"""
WITH made AS (
    INSERT INTO webhook_delivery (
        id, endpoint_id, event_id, event_type, occurred_at, entity, state, attempts, step, due_at,
        priority, created_at
    )
    SELECT
        uuidv7(), e.id, m.event_id, m.event_type, m.occurred_at,
        CASE WHEN e.ordering = 'entity' THEN m.entity END, 'pending', 0, 0, {DUE},
        CAST(:priority AS bigint), CAST(:now AS timestamptz)
    FROM feed_entry f
    JOIN webhook_message m ON m.event_id = f.event_id
    JOIN webhook_endpoint e ON e.member = f.member AND {WANTED}
    WHERE %s
    ORDER BY e.id, f.sequence
    ON CONFLICT (endpoint_id, event_id) DO NOTHING
    RETURNING endpoint_id
), queued AS (
    SELECT e.id AS endpoint_id, e.member FROM webhook_endpoint e
    WHERE e.id IN (SELECT endpoint_id FROM made)
), woken AS ({WAKE})
SELECT count(*) FROM made
"""  # noqa: S608 -- made of constants

QUEUE: Final = (
    QUEUEING
    % """
    f.event_id = ANY (CAST(:events AS uuid[]))
    AND (CAST(:endpoint AS uuid) IS NULL OR e.id = :endpoint)
"""
)

QUEUE_MISSED: Final = (
    QUEUEING % "f.member = :member AND f.recorded_at >= :since AND e.id = :endpoint"
)

OVERLAP: Final = timedelta(hours=1)
"""What entered a feed so long before is looked at, too: clocks differ, and transactions take time.
Nothing is queued twice."""


async def queue_webhooks(
    session: AsyncSession,
    events: list[UUID],
    *,
    now: datetime,
    endpoint_id: UUID | None = None,
    priority: int = 0,
) -> int:
    """Queue facts that stand in feeds, once for every active endpoint that wants to hear of them.

    An endpoint hears of what happened since it was made. What is queued is due at once.

    Args:
        session: whose transaction it belongs to.
        events: their identifiers.
        now: when it is done.
        endpoint_id: for this endpoint alone, if not for all.
        priority: 1 puts them behind what is new.

    Returns:
        How many deliveries there are now that were not there before.
    """
    # Whoever sets the time of a next attempt holds the lane: what is queued here sees it.
    await session.execute(text(LOCK_ORDERED), {"events": events})
    made: int = await session.scalar(
        text(QUEUE),
        {
            "events": events,
            "endpoint": endpoint_id,
            "priority": priority,
            "all_types": ALL,
            "now": now,
        },
    )
    if made:
        session.info["webhooks_queued"] = True
    return made


async def queue_missed(
    session: AsyncSession, endpoint_id: UUID, member: str, *, since: datetime, now: datetime
) -> int:
    """Queue what an endpoint wants of all that entered its member's feed while it could not get it.

    Args:
        session: whose transaction it belongs to; nothing enters the feed meanwhile.
        endpoint_id: of the endpoint, which is ready by now.
        member: whose it is.
        since: when it could not any more.
        now: when it is done.

    Returns:
        How many deliveries there are now that were not there before.
    """
    made: int = await session.scalar(
        text(QUEUE_MISSED),
        {
            "endpoint": endpoint_id,
            "member": member,
            "since": since - OVERLAP,
            "priority": 0,
            "all_types": ALL,
            "now": now,
        },
    )
    if made:
        session.info["webhooks_queued"] = True
    return made


def after_each_queueing(call: Callable[[], None]) -> Callable[[], None]:
    """Call back, in this process, after each commit that queued something.

    A hint for the sender, which looks by itself every second: losing it costs that second.

    Returns:
        What ends it.
    """
    return after_each_commit_with("webhooks_queued", call)
