"""Use case: a sender takes lanes in which something is due, for itself alone and for a while."""

from collections.abc import Sequence
from dataclasses import dataclass, fields
from datetime import datetime, timedelta
from typing import Any, Final, NamedTuple
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from services.notifications.model.webhook_lane import HOLD, Bounds, Lane, Pace
from services.notifications.queries.rights import hindrance_to_send

CANDIDATES: Final = 4
"""So many times more lanes are looked at than taken, to give each member its turn."""

LANE: Final = tuple(field.name for field in fields(Lane))

CLAIM: Final = f"""
WITH waiting AS (
    SELECT endpoint_id, member, next_due_at FROM webhook_lane
    WHERE pace = :pace AND next_due_at <= :now AND member <> ALL (CAST(:crowded AS text[]))
    ORDER BY next_due_at LIMIT :candidates
    FOR UPDATE SKIP LOCKED
), free AS (
    -- The first lane of every member comes before the second of any.
    SELECT endpoint_id FROM (
        SELECT *, row_number() OVER (PARTITION BY member ORDER BY next_due_at) AS turn FROM waiting
    ) ranked
    ORDER BY turn, next_due_at LIMIT :lanes
)
UPDATE webhook_lane l SET next_due_at = :until, leased_until = :until, fence = l.fence + 1
FROM free JOIN webhook_endpoint e ON e.id = free.endpoint_id
LEFT JOIN known_member m ON m.slug = e.member
WHERE l.endpoint_id = free.endpoint_id
RETURNING l.endpoint_id, l.member, l.fence, {", ".join(f"l.{name}" for name in LANE)},
    e.version, e.parallel AS parallel_max, e.ordering,
    least(e.rate_per_minute, e.allowed_rate) AS rate_per_minute,
    e.warnings,
    CASE
        WHEN e.status IN ('disabled', 'deleted') THEN 'endpoint_' || e.status
        WHEN coalesce(m.status, 'active') <> 'active' THEN 'member_' || m.status
    END AS hindrance,
    e.status = 'paused' OR e.verified_at IS NULL AS is_waiting
"""  # noqa: S608 -- names of our own fields

TAKE: Final = f"""
SELECT d.endpoint_id, d.id, d.step, d.event_id, d.entity, m.body, m.hops,
    {hindrance_to_send("l.member")} AS hindrance
FROM unnest(CAST(:endpoints AS uuid[]), CAST(:members AS text[]), CAST(:lengths AS int[]))
    AS l (endpoint_id, member, length)
CROSS JOIN LATERAL (
    SELECT id, endpoint_id, step, event_id, entity, priority, due_at FROM webhook_delivery
    WHERE endpoint_id = l.endpoint_id AND state = 'pending' AND due_at <= :now
    ORDER BY priority, due_at, id
    LIMIT l.length
) d
JOIN webhook_message m ON m.event_id = d.event_id
ORDER BY d.endpoint_id, d.priority, d.due_at, d.id
"""  # noqa: S608 -- made of constants

CANCELLED_AT_ONCE: Final = 5_000
"""Deliveries that one look for lanes cancels: others wait, and no statement may take long."""

CANCEL: Final = """
WITH chosen AS (
    SELECT w.id, l.reason
    FROM unnest(CAST(:endpoints AS uuid[]), CAST(:reasons AS text[])) AS l (endpoint_id, reason)
    CROSS JOIN LATERAL (
        SELECT id FROM webhook_delivery WHERE endpoint_id = l.endpoint_id AND state = 'pending'
        LIMIT :many
    ) w
    LIMIT :many
)
UPDATE webhook_delivery d SET
    state = 'cancelled', state_reason = chosen.reason, finished_at = CAST(:now AS timestamptz)
FROM chosen WHERE d.id = chosen.id AND d.state = 'pending'
"""

SHELVE: Final = """
UPDATE webhook_lane l SET
    leased_until = NULL,
    next_due_at = CASE WHEN l.endpoint_id = ANY (CAST(:hindered AS uuid[])) AND EXISTS (
        SELECT FROM webhook_delivery WHERE endpoint_id = l.endpoint_id AND state = 'pending'
    ) THEN CAST(:now AS timestamptz) END
WHERE l.endpoint_id = ANY (CAST(:endpoints AS uuid[]))
"""


class DueDelivery(NamedTuple):
    """A delivery with all that a sender needs. `hindrance` says why it must not be sent."""

    id: UUID
    step: int
    event_id: UUID
    entity: str | None
    body: bytes
    hops: int
    hindrance: str | None


@dataclass(frozen=True, slots=True)
class ClaimedLane:
    """A lane that a sender holds, with the deliveries of one turn, in their order.

    `warnings` is how often its owner was told that it fails.
    """

    endpoint_id: UUID
    endpoint_version: int
    member: str
    fence: int
    lane: Lane
    bounds: Bounds
    keeps_order: bool
    warnings: int
    deliveries: Sequence[DueDelivery]


async def claim_lanes(
    session: AsyncSession,
    pace: Pace,
    *,
    limit: int,
    lease_seconds: float,
    now: datetime,
    crowded: Sequence[str] = (),
    hold: timedelta = HOLD,
) -> list[ClaimedLane]:
    """Take up to `limit` lanes in which something is due, the longest waiting first.

    What may not be sent any more is cancelled here, a part at a time: all that waits for a lane
    whose endpoint or member is out.

    Args:
        session: its transaction should end at once; the lease holds on.
        pace: of the lanes.
        limit: at most this many.
        lease_seconds: from then on another sender may take them.
        now: what is due by now.
        crowded: members that have their share of places already.
        hold: how long a lane is held first that fails again and again.
    """
    claimed = await session.execute(
        text(CLAIM),
        {
            "pace": pace,
            "lanes": limit,
            "candidates": limit * CANDIDATES,
            "crowded": list(crowded),
            "now": now,
            "until": now + timedelta(seconds=lease_seconds),
        },
    )
    rows = claimed.all()
    out = [row for row in rows if row.hindrance is not None or row.is_waiting]
    await _put_away(session, out, now=now)
    open_lanes = [row for row in rows if row not in out]
    if not open_lanes:
        return []
    lanes = [Lane(**{name: getattr(row, name) for name in LANE}) for row in open_lanes]
    taken = await session.execute(
        text(TAKE),
        {
            "endpoints": [row.endpoint_id for row in open_lanes],
            "members": [row.member for row in open_lanes],
            "lengths": [lane.turn_length for lane in lanes],
            "now": now,
        },
    )
    due: dict[UUID, list[DueDelivery]] = {}
    for endpoint_id, *delivery in taken:
        due.setdefault(endpoint_id, []).append(DueDelivery._make(delivery))
    return [
        ClaimedLane(
            endpoint_id=row.endpoint_id,
            endpoint_version=row.version,
            member=row.member,
            fence=row.fence,
            lane=lane,
            bounds=Bounds(row.parallel_max, row.rate_per_minute, hold),
            keeps_order=row.ordering == "entity",
            warnings=row.warnings,
            deliveries=due.get(row.endpoint_id, []),
        )
        for row, lane in zip(open_lanes, lanes, strict=True)
    ]


async def _put_away(session: AsyncSession, out: Sequence[Any], *, now: datetime) -> None:
    """Cancel what waits for lanes that are out for good, and wake none in which nothing is left."""
    if not out:
        return
    hindered = [row for row in out if row.hindrance is not None]
    endpoints = [row.endpoint_id for row in hindered]
    await session.execute(
        text(CANCEL),
        {
            "endpoints": endpoints,
            "reasons": [row.hindrance for row in hindered],
            "many": CANCELLED_AT_ONCE,
            "now": now,
        },
    )
    await session.execute(
        text(SHELVE),
        {"endpoints": [row.endpoint_id for row in out], "hindered": endpoints, "now": now},
    )
