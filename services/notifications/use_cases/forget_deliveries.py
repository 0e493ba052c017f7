"""Use case: what ended, or was told, long ago is forgotten."""

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

FORGET_ENTRIES: Final = """
DELETE FROM feed_entry WHERE (member, sequence) IN (
    SELECT f.member, f.sequence FROM feed_entry f
    WHERE f.recorded_at < :before AND f.sequence <= (
        SELECT d.last_sequence FROM feed_digest d WHERE d.member = f.member
        ORDER BY d.day DESC LIMIT 1
    )
    ORDER BY f.recorded_at, f.sequence LIMIT :batch FOR UPDATE SKIP LOCKED
)
"""
"""From the beginning of a feed, so that it keeps no gap; not before its day has been signed."""

FORGET_MESSAGES: Final = """
DELETE FROM webhook_message WHERE event_id IN (
    SELECT m.event_id FROM webhook_message m
    WHERE m.queued_at < :before
      AND NOT EXISTS (SELECT FROM webhook_delivery d WHERE d.event_id = m.event_id)
      AND NOT EXISTS (SELECT FROM feed_entry f WHERE f.event_id = m.event_id)
    ORDER BY m.queued_at LIMIT :batch FOR UPDATE SKIP LOCKED
)
"""


async def forget_deliveries(
    session: AsyncSession, *, kept_days: int, feed_kept_days: int, now: datetime
) -> bool:
    """Forget one batch of deliveries, with their attempts, of entries in feeds, and of messages.

    What still waits is kept, and so is a message that anything refers to.

    Args:
        session: whose transaction it belongs to.
        kept_days: since the end of a delivery.
        feed_kept_days: since a fact entered a feed.
        now: when it is done.

    Returns:
        Whether there may be more.
    """
    forgotten = 0
    for statement, days in (
        (FORGET_DELIVERIES, kept_days),
        (FORGET_ENTRIES, feed_kept_days),
        (FORGET_MESSAGES, min(kept_days, feed_kept_days)),
    ):
        result = await session.execute(
            text(statement), {"before": now - timedelta(days=days), "batch": BATCH}
        )
        forgotten = max(forgotten, result.rowcount)  # type: ignore[attr-defined]
    return forgotten == BATCH
