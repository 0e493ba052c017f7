"""Use case: what logins leave behind is forgotten when nobody can use it any more."""

from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

BATCH: Final = 5_000
KEPT: Final = timedelta(hours=1)

FORGET_ATTEMPTS: Final = """
DELETE FROM login_attempt WHERE id IN (
    SELECT id FROM login_attempt WHERE expires_at < :before
    ORDER BY expires_at LIMIT :batch FOR UPDATE SKIP LOCKED
)
"""

# What was opened from a session outlives it in the database, and goes first.
FORGET_SIGN_INS: Final = """
DELETE FROM sign_in WHERE id IN (
    SELECT id FROM sign_in WHERE ends_at < :before
      AND NOT EXISTS (SELECT FROM token_family WHERE sign_in_id = sign_in.id)
    ORDER BY ends_at LIMIT :batch FOR UPDATE SKIP LOCKED
)
"""


async def forget_logins(session: AsyncSession, *, now: datetime) -> bool:
    """Forget one batch of logins that were begun, and of sessions that are over.

    Returns:
        Whether there may be more.
    """
    forgotten = 0
    for statement in (FORGET_ATTEMPTS, FORGET_SIGN_INS):
        given = {"before": now - KEPT, "batch": BATCH}
        result = await session.execute(text(statement), given)
        forgotten = max(forgotten, result.rowcount)  # type: ignore[attr-defined]
    return forgotten == BATCH
