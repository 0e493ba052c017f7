"""Use case: what waits about the same entity is due in its order, where order is asked for."""

from collections.abc import Sequence
from typing import Final
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

TOUCHED: Final = """
SELECT d.endpoint_id, e.member, array_agg(DISTINCT d.entity) AS entities
FROM webhook_delivery d JOIN webhook_endpoint e ON e.id = d.endpoint_id
WHERE d.event_id = ANY (CAST(:events AS uuid[])) AND d.state = 'pending' AND d.entity IS NOT NULL
  AND (CAST(:endpoint AS uuid) IS NULL OR d.endpoint_id = :endpoint)
GROUP BY d.endpoint_id, e.member
"""

# A moment apart from each other, so that nothing but time decides: the id says when a delivery was
# made, and what is made up for may be older than what was there before it. The entities are given
# as values: joined to what waits, they would be looked for one by one among all of it.
KEEP_ORDER: Final = """
WITH waiting AS (
    SELECT d.id, d.entity, d.due_at, d.priority, row_number() OVER (
        PARTITION BY d.entity ORDER BY f.sequence NULLS FIRST, d.occurred_at, d.id
    ) AS place
    FROM webhook_delivery d
    LEFT JOIN feed_entry f ON f.member = :member AND f.event_id = d.event_id
    WHERE d.endpoint_id = :endpoint AND d.entity = ANY (CAST(:entities AS text[]))
      AND d.state = 'pending'
), ordered AS (
    SELECT
        id,
        max(priority) OVER (PARTITION BY entity) AS priority,
        place * interval '1 microsecond' + max(due_at - place * interval '1 microsecond')
            OVER (PARTITION BY entity ORDER BY place) AS due_at
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
    touched = await session.execute(
        text(TOUCHED), {"events": list(events), "endpoint": endpoint_id}
    )
    for each in touched.all():
        await session.execute(
            text(KEEP_ORDER),
            {
                "endpoint": each.endpoint_id,
                "member": each.member,
                "entities": list(each.entities),
            },
        )
