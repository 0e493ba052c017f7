"""Use case: a sender takes deliveries that are due, for itself alone and for a while."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

CLAIM: Final = """
WITH RECURSIVE waiting AS (
    -- Steps from endpoint to endpoint in the index: as many steps as endpoints, however long
    -- their queues.
    (SELECT endpoint_id FROM webhook_delivery WHERE state = 'pending'
     ORDER BY endpoint_id LIMIT 1)
  UNION ALL
    SELECT (SELECT d.endpoint_id FROM webhook_delivery d
            WHERE d.state = 'pending' AND d.endpoint_id > w.endpoint_id
            ORDER BY d.endpoint_id LIMIT 1)
    FROM waiting w WHERE w.endpoint_id IS NOT NULL
), due AS (
    SELECT d.id
    FROM waiting w
    JOIN webhook_endpoint e ON e.id = w.endpoint_id AND e.status <> 'paused'
    CROSS JOIN LATERAL (
        SELECT count(*) AS deliveries FROM webhook_delivery l
        WHERE l.endpoint_id = e.id AND l.leased_until > :now
    ) at_work
    CROSS JOIN LATERAL (
        SELECT oldest.*, row_number() OVER (ORDER BY due_at, id) AS turn
        FROM (
            SELECT id, due_at FROM webhook_delivery q
            WHERE q.endpoint_id = e.id AND q.state = 'pending' AND q.due_at <= :now
              AND (q.leased_until IS NULL OR q.leased_until <= :now)
            ORDER BY due_at, id
            LIMIT greatest(:per_endpoint - at_work.deliveries, 0)
        ) oldest
    ) d
    -- The first of every endpoint comes before the second of any.
    ORDER BY d.turn, d.due_at, d.id
    LIMIT :limit
), free AS (
    SELECT id FROM webhook_delivery
    WHERE id IN (SELECT id FROM due) AND state = 'pending'
      AND (leased_until IS NULL OR leased_until <= :now)
    ORDER BY id
    FOR UPDATE SKIP LOCKED
), claimed AS (
    UPDATE webhook_delivery d SET leased_until = :until, fence = d.fence + 1
    FROM free WHERE d.id = free.id
    RETURNING d.*
)
SELECT
    c.id, c.fence, c.step, c.event_id, c.endpoint_id, e.url, b.body,
    CASE
        WHEN e.status IN ('disabled', 'deleted') THEN 'endpoint_' || e.status
        WHEN coalesce(m.status, 'active') <> 'active' THEN 'member_' || m.status
    END AS hindrance,
    ARRAY(SELECT s.id FROM webhook_secret s WHERE s.endpoint_id = e.id ORDER BY s.id) AS keys,
    ARRAY(SELECT s.sealed FROM webhook_secret s WHERE s.endpoint_id = e.id ORDER BY s.id) AS sealed
FROM claimed c
JOIN webhook_endpoint e ON e.id = c.endpoint_id
JOIN webhook_message b ON b.event_id = c.event_id
LEFT JOIN known_member m ON m.slug = e.member
ORDER BY c.due_at, c.id
"""


@dataclass(frozen=True, slots=True)
class ClaimedDelivery:
    """A delivery with all that a sender needs. `hindrance` says why it must not be sent."""

    id: UUID
    fence: int
    step: int
    event_id: UUID
    endpoint_id: UUID
    url: str
    body: bytes
    hindrance: str | None
    sealed_secrets: tuple[tuple[UUID, str], ...]


async def claim_deliveries(
    session: AsyncSession, *, limit: int, per_endpoint: int, lease_seconds: float, now: datetime
) -> list[ClaimedDelivery]:
    """Take up to `limit` due deliveries, the oldest first, in turn from each endpoint.

    Args:
        session: its transaction should end at once; the lease holds on.
        limit: at most this many in all.
        per_endpoint: at most this many of one endpoint at work, by whatever sender.
        lease_seconds: from then on another sender may take them.
        now: what is due by now.
    """
    rows = await session.execute(
        text(CLAIM),
        {
            "limit": limit,
            "per_endpoint": per_endpoint,
            "now": now,
            "until": now + timedelta(seconds=lease_seconds),
        },
    )
    return [
        ClaimedDelivery(
            id=row.id,
            fence=row.fence,
            step=row.step,
            event_id=row.event_id,
            endpoint_id=row.endpoint_id,
            url=row.url,
            body=bytes(row.body),
            hindrance=row.hindrance,
            sealed_secrets=tuple(zip(row.keys, row.sealed, strict=True)),
        )
        for row in rows
    ]
