"""Use case: a worker takes receivers that are to be asked now, for itself alone and for a while."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from services.notifications.model.webhook_verification import (
    CONSENT_GOOD_FOR,
    CONSENTS_MAX,
    WebhookConsent,
)
from shared.one_time import hash_of, new_one_time_secret

PREFIX: Final = "rkw_"

CLAIM: Final = """
WITH due AS (
    SELECT v.endpoint_id FROM webhook_verification v
    JOIN webhook_endpoint e ON e.id = v.endpoint_id
    LEFT JOIN known_member m ON m.slug = e.member
    WHERE v.next_try_at <= :now AND e.status = 'active' AND e.verified_at IS NULL
      AND coalesce(m.status, 'active') = 'active'
    ORDER BY v.next_try_at LIMIT :limit
    FOR UPDATE OF v SKIP LOCKED
)
UPDATE webhook_verification v SET
    tries = v.tries + 1, last_tried_at = CAST(:now AS timestamptz), next_try_at = :until
FROM due JOIN webhook_endpoint e ON e.id = due.endpoint_id
WHERE v.endpoint_id = due.endpoint_id
RETURNING v.endpoint_id, e.member, e.rate_per_minute, v.asked_at, v.tries
"""

PRUNE: Final = """
DELETE FROM webhook_consent WHERE token_hash IN (
    SELECT token_hash FROM (
        SELECT token_hash, row_number() OVER (
            PARTITION BY endpoint_id ORDER BY created_at DESC, token_hash
        ) AS place
        FROM webhook_consent WHERE endpoint_id = ANY (CAST(:endpoints AS uuid[]))
    ) ranked
    WHERE place > :kept
)
"""


@dataclass(frozen=True, slots=True)
class ClaimedHandshake:
    """A receiver that a worker asks.

    `token` is what it can agree with later; `asked_at` and `tries` tell whether the answer still
    counts when it comes.
    """

    endpoint_id: UUID
    member: str
    rate_per_minute: int | None
    asked_at: datetime
    tries: int
    token: str = field(repr=False)


async def claim_handshakes(
    session: AsyncSession, *, limit: int, lease_seconds: float, now: datetime
) -> Sequence[ClaimedHandshake]:
    """Take up to `limit` receivers whose turn it is, the longest waiting first."""
    rows = await session.execute(
        text(CLAIM), {"limit": limit, "now": now, "until": now + timedelta(seconds=lease_seconds)}
    )
    claimed = [
        ClaimedHandshake(**row, token=new_one_time_secret(PREFIX)) for row in rows.mappings()
    ]
    if not claimed:
        return []
    await session.execute(
        insert(WebhookConsent),
        [
            {
                "token_hash": hash_of(one.token),
                "endpoint_id": one.endpoint_id,
                "created_at": now,
                "expires_at": now + CONSENT_GOOD_FOR,
            }
            for one in claimed
        ],
    )
    await session.execute(
        text(PRUNE), {"endpoints": [one.endpoint_id for one in claimed], "kept": CONSENTS_MAX}
    )
    return claimed
