"""Use case: deliveries that ended long ago are forgotten, with their attempts."""

from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

BATCH: Final = 5_000

FORGET_DELIVERIES: Final = """
DELETE FROM webhook_delivery WHERE id IN (
    SELECT id FROM webhook_delivery WHERE finished_at < :before
    ORDER BY finished_at LIMIT :batch FOR UPDATE SKIP LOCKED
)
"""

FORGET_MESSAGES: Final = """
DELETE FROM webhook_message WHERE event_id IN (
    SELECT m.event_id FROM webhook_message m
    WHERE m.queued_at < :before
      AND NOT EXISTS (SELECT FROM webhook_delivery d WHERE d.event_id = m.event_id)
    ORDER BY m.queued_at LIMIT :batch FOR UPDATE SKIP LOCKED
)
"""


async def forget_deliveries(session: AsyncSession, *, kept_days: int, now: datetime) -> bool:
    """Forget one batch of what ended more than `kept_days` ago; what still waits is kept.

    Returns:
        Whether there may be more.
    """
    forgotten = 0
    for statement in (FORGET_DELIVERIES, FORGET_MESSAGES):
        result = await session.execute(
            text(statement), {"before": now - timedelta(days=kept_days), "batch": BATCH}
        )
        forgotten = max(forgotten, result.rowcount)  # type: ignore[attr-defined]
    return forgotten == BATCH
