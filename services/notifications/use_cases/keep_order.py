"""Use case: what waits about the same entity is due in its order, where order is asked for."""

from collections.abc import Sequence
from typing import Final
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

# A moment apart from each other, so that nothing but time decides: the id says when a delivery was
# made, and what is made up for may be older than what was there before it.
KEEP_ORDER: Final = """
WITH touched AS (
    SELECT DISTINCT endpoint_id, entity FROM webhook_delivery
    WHERE event_id = ANY (CAST(:events AS uuid[])) AND state = 'pending' AND entity IS NOT NULL
      AND (CAST(:endpoint AS uuid) IS NULL OR endpoint_id = :endpoint)
), waiting AS (
    SELECT d.id, d.endpoint_id, d.entity, d.due_at, d.priority, row_number() OVER (
        PARTITION BY d.endpoint_id, d.entity
        ORDER BY f.sequence NULLS FIRST, d.occurred_at, d.id
    ) AS place
    FROM touched t
    JOIN webhook_delivery d
      ON d.endpoint_id = t.endpoint_id AND d.entity = t.entity AND d.state = 'pending'
    JOIN webhook_endpoint e ON e.id = d.endpoint_id
    LEFT JOIN feed_entry f ON f.member = e.member AND f.event_id = d.event_id
), ordered AS (
    SELECT
        id,
        max(priority) OVER (PARTITION BY endpoint_id, entity) AS priority,
        place * interval '1 microsecond' + max(due_at - place * interval '1 microsecond')
            OVER (PARTITION BY endpoint_id, entity ORDER BY place) AS due_at
    FROM waiting
)
UPDATE webhook_delivery d SET due_at = o.due_at, priority = o.priority
FROM ordered o
WHERE d.id = o.id AND (d.due_at <> o.due_at OR d.priority <> o.priority)
"""


async def keep_order(
    session: AsyncSession, events: Sequence[UUID], *, endpoint_id: UUID | None = None
) -> None:
    """Put in their order what waits about the entities that some facts are about.

    That of the feed: none is due before its predecessors, and all of an entity go as late as the
    last of them. Only where an endpoint asks for it.

    Args:
        session: whose transaction has locked the lanes.
        events: facts that were queued just now.
        endpoint_id: of this endpoint alone, if not of all.
    """
    await session.execute(text(KEEP_ORDER), {"events": list(events), "endpoint": endpoint_id})
