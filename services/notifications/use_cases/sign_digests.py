"""Use case: a day is over, and what each member's feed got on it is signed.

With the digests and all that it has pulled, a member can prove that nothing was kept from it, or
show what was.
"""

from datetime import UTC, date, datetime, time, timedelta
from typing import Any, Final
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from services.notifications.model.event_feed import FeedDigest, FeedKey, key_place
from services.notifications.model.feed_signing import EMPTY, claims_of, signed_form
from services.notifications.model.signing import new_secret, public_half
from services.notifications.queries.event_feed import alone_with_keys, feed_keys
from shared.identifiers import new_id
from shared.sealing import Seals

DUE: Final = """
SELECT e.member, last.day AS last_day, last.last_sequence, last.signed,
    CAST(first.recorded_at AT TIME ZONE 'UTC' AS date) AS first_day, first.sequence AS first
FROM feed_end e
LEFT JOIN LATERAL (
    SELECT * FROM feed_digest d WHERE d.member = e.member ORDER BY d.day DESC LIMIT 1
) last ON true
LEFT JOIN LATERAL (
    SELECT * FROM feed_entry f WHERE f.member = e.member ORDER BY f.sequence LIMIT 1
) first ON true
WHERE coalesce(last.day + 1, CAST(first.recorded_at AT TIME ZONE 'UTC' AS date))
    < CAST(:today AS date)
ORDER BY e.member LIMIT 1
"""

CLOSE: Final = """
UPDATE feed_end SET recorded_at = greatest(recorded_at, CAST(:until AS timestamptz))
WHERE member = :member
"""
"""Nothing enters the day any more; what is being entered comes first."""

SUM_UP: Final = """
SELECT count(*) AS count, max(sequence) AS last_sequence,
    encode(sha256(convert_to(
        string_agg(sequence || ' ' || event_id || E'\\n', '' ORDER BY sequence), 'UTF8'
    )), 'hex') AS sha256
FROM feed_entry
WHERE member = :member AND sequence >= :first AND recorded_at < CAST(:until AS timestamptz)
"""


async def sign_digests(session: AsyncSession, *, issuer: str, seals: Seals, now: datetime) -> bool:
    """Sign the next day of one feed that is over.

    Args:
        session: whose transaction it belongs to.
        issuer: address of the platform.
        seals: what the key lies sealed with.
        now: when it is done.

    Returns:
        Whether there may be more to sign.

    Raises:
        CannotOpen: the key was sealed with a master key that we do not have.
    """
    due = (await session.execute(text(DUE), {"today": now.astimezone(UTC).date()})).one_or_none()
    if due is None:
        return False
    day = due.first_day if due.last_day is None else due.last_day + timedelta(days=1)
    first = due.first if due.last_day is None else due.last_sequence + 1
    found = await _summed_up(session, due.member, day, first)
    key_id, private = await _signing_key(session, seals=seals, now=now)
    said = {
        "member": due.member,
        "day": day,
        "first_sequence": first,
        "last_sequence": first - 1 if found.last_sequence is None else found.last_sequence,
        "count": found.count,
        "sha256": found.sha256 or EMPTY,
    }
    signed = signed_form(
        claims_of(issuer=issuer, previous=due.signed, **said), key_id=key_id, private=private
    )
    session.add(FeedDigest(**said, signed=signed, made_at=now))
    return True


async def _summed_up(session: AsyncSession, member: str, day: date, first: int) -> Any:
    until = datetime.combine(day + timedelta(days=1), time(), UTC)
    await session.execute(text(CLOSE), {"member": member, "until": until})
    asked = {"member": member, "first": first, "until": until}
    return (await session.execute(text(SUM_UP), asked)).one()


async def _signing_key(session: AsyncSession, *, seals: Seals, now: datetime) -> tuple[UUID, bytes]:
    """Open the newest key; the first one ever is made by whoever needs it first."""
    known = await feed_keys(session)
    if not known:
        await alone_with_keys(session)
        known = await feed_keys(session)
    if not known:
        private, key_id = new_secret(), new_id()
        session.add(
            FeedKey(
                id=key_id,
                sealed=seals.seal(private, place=key_place(key_id)),
                public_key=public_half(private),
                created_at=now,
            )
        )
        return key_id, private
    return known[0].id, seals.open(known[0].sealed, place=key_place(known[0].id))
