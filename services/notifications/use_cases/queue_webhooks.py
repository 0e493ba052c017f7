"""Use case: facts become deliveries to the endpoints of those who may hear of them.

`tell_members` calls this for what is new; a member calls it for what its endpoint has missed.
"""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from services.notifications.queries.rights import rounds
from services.notifications.queries.wishes import WANTED
from services.notifications.use_cases.keep_order import keep_order
from shared.messaging.waking import after_each_commit_with

LOCK: Final = """
WITH told AS (
    SELECT DISTINCT member FROM feed_entry WHERE event_id = ANY (CAST(:events AS uuid[]))
)
SELECT FROM webhook_lane l JOIN webhook_endpoint e ON e.id = l.endpoint_id
WHERE e.member IN (SELECT member FROM told)
  AND e.status = 'active' AND (CAST(:endpoint AS uuid) IS NULL OR e.id = :endpoint)
  AND EXISTS (
    SELECT FROM webhook_endpoint o
    WHERE o.member IN (SELECT member FROM told) AND o.status = 'active' AND o.ordering = 'entity'
      AND (CAST(:endpoint AS uuid) IS NULL OR o.id = :endpoint)
  )
ORDER BY l.endpoint_id
FOR UPDATE OF l
"""
"""Where one endpoint asks for order the lanes of all are locked: those of the others are woken
later, and senders, too, lock lanes in the order of their ids."""

ROUNDS_SLOW: Final = 4
"""So many facts of a member may have led to another one; then that is told it later and later."""

DUE: Final = f"""
    greatest(CAST(:now AS timestamptz) + CASE WHEN {rounds("e.member")} > {ROUNDS_SLOW} THEN
        least(
            interval '1 hour',
            interval '1 second' * 2 ^ least({rounds("e.member")} - {ROUNDS_SLOW}, 12)
        )
    ELSE interval '0' END, (
        SELECT max(p.due_at) FROM webhook_delivery p
        WHERE e.ordering = 'entity' AND p.endpoint_id = e.id AND p.state = 'pending'
          AND p.entity = m.entity
    ))
"""  # noqa: S608 -- made of constants
"""Where order is asked for, not before what still waits about the same entity.

What systems make each other say again and again slows down for them, but is never kept from
anybody: they may be wrong about the cause. Nobody else is told it later, whatever they say of the
cause. In the feeds it stands at once.
"""

PRIORITY: Final = """
    greatest(CAST(:priority AS bigint), (
        SELECT max(p.priority + 0) FROM webhook_delivery p
        WHERE e.ordering = 'entity' AND p.endpoint_id = e.id AND p.state = 'pending'
          AND p.entity = m.entity
    ))
"""
"""Where order is asked for, what is new does not overtake what is made up for.

`+ 0` keeps PostgreSQL from walking all that waits for the endpoint in the order of priority.
"""

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
        priority, trigger, recovery_id, created_at
    )
    SELECT
        uuidv7(), e.id, m.event_id, m.event_type, m.occurred_at,
        CASE WHEN e.ordering = 'entity' THEN m.entity END, 'pending', 0, 0, {DUE},
        {PRIORITY}, CASE WHEN CAST(:recovery AS uuid) IS NULL THEN 'schedule' ELSE 'recovery' END,
        CAST(:recovery AS uuid), CAST(:now AS timestamptz)
    FROM feed_entry f
    JOIN webhook_message m ON m.event_id = f.event_id
    JOIN webhook_endpoint e ON e.member = f.member AND {WANTED}
        -- A recovery brings an endpoint what is older than it is; the member was told it then.
        AND (e.created_at <= m.occurred_at OR CAST(:recovery AS uuid) IS NOT NULL)
    WHERE %s
    ORDER BY e.id, f.sequence
    ON CONFLICT (endpoint_id, event_id) DO NOTHING
    RETURNING endpoint_id
), queued AS (
    SELECT e.id AS endpoint_id, e.member FROM webhook_endpoint e
    WHERE e.id IN (SELECT endpoint_id FROM made)
), woken AS ({WAKE})
SELECT
    count(*) AS made,
    EXISTS (
        SELECT FROM webhook_message m
        WHERE m.event_id = ANY (CAST(:events AS uuid[])) AND m.hops > {ROUNDS_SLOW}
    ) AS some_are_late
FROM made
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
    recovery_id: UUID | None = None,
) -> int:
    """Queue facts that stand in feeds, once for every active endpoint that wants to hear of them.

    An endpoint hears of what happened since it was made. What is queued is due at once.

    Args:
        session: whose transaction it belongs to.
        events: their identifiers.
        now: when it is done.
        endpoint_id: for this endpoint alone, if not for all.
        priority: 1 puts them behind what is new.
        recovery_id: the recovery that they belong to, which also brings what is older.

    Returns:
        How many deliveries there are now that were not there before.
    """
    # Whoever sets the time of a next attempt holds the lane: what is queued here sees it.
    await session.execute(text(LOCK), {"events": events, "endpoint": endpoint_id})
    result = await session.execute(
        text(QUEUE),
        {
            "events": events,
            "endpoint": endpoint_id,
            "priority": priority,
            "recovery": recovery_id,
            "now": now,
        },
    )
    made: int
    made, some_are_late = result.one()
    if made and (some_are_late or priority):
        await keep_order(session, events, endpoint_id=endpoint_id)
    if made:
        session.info["webhooks_queued"] = True
    return made


MISSED_AT_ONCE: Final = 5_000
"""Of so many facts what an endpoint missed is queued where it is found; else it takes too long."""

MANY_MISSED: Final = """
SELECT EXISTS (
    SELECT FROM feed_entry WHERE member = :member AND recorded_at >= :since
    ORDER BY recorded_at, sequence OFFSET :many
)
"""


async def are_too_many(session: AsyncSession, member: str, *, since: datetime) -> bool:
    """Tell whether more has entered a feed since a moment than `queue_missed` may look at."""
    found: bool = await session.scalar(
        text(MANY_MISSED), {"member": member, "since": since - OVERLAP, "many": MISSED_AT_ONCE}
    )
    return found


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
            "events": [],
            "recovery": None,
            "priority": 0,
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
