"""Every SELECT of recoveries, and of what there is to make up for."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

from sqlalchemy import func, select, text
from sqlalchemy.ext.asyncio import AsyncSession

from services.notifications.model.webhook_delivery import WebhookDelivery
from services.notifications.model.webhook_endpoint import WebhookEndpoint
from services.notifications.model.webhook_recovery import (
    WebhookRecovery,
    WebhookRecoveryNotFound,
)
from services.notifications.queries.rights import hindrance_to_send
from services.notifications.queries.wishes import WANTED, matches
from shared.http.paging import Paging

CLOCKS_DIFFER: Final = timedelta(minutes=5)
"""So much later than a fact reached us it may say that it happened."""

MEANT: Final = f"""
    m.occurred_at >= :since AND m.occurred_at < :until
    AND (CAST(:types AS text[]) = '{{}}' OR {matches("CAST(:types AS text[])", "m.event_type")})
    AND ({hindrance_to_send("CAST(:member AS text)")}) IS NULL
"""

FAILED: Final = f"""
    d.endpoint_id = :endpoint AND NOT d.is_test AND d.state IN ('failed', 'cancelled')
    AND {MEANT}
"""
"""Of a delivery `d` with its message `m`: it was given up, or never tried to the end.

Whatever it was cancelled for: a member that did not take part may do so again, and then is told.
"""

MISSED: Final = f"""
    f.member = :member AND {WANTED} AND {MEANT}
    AND NOT EXISTS (
        SELECT FROM webhook_delivery d WHERE d.endpoint_id = e.id AND d.event_id = f.event_id
    )
"""
"""Of an entry `f` in the feed, with its message `m`: it was never queued for the endpoint `e`."""

PREVIEW: Final = f"""
SELECT event_type, count(*) AS count, min(occurred_at) AS first_at, max(occurred_at) AS last_at
FROM (
    SELECT m.event_type, m.occurred_at
    FROM webhook_delivery d JOIN webhook_message m ON m.event_id = d.event_id
    WHERE CAST(:of_failed AS boolean) AND {FAILED}
  UNION ALL
    SELECT m.event_type, m.occurred_at
    FROM feed_entry f JOIN webhook_message m ON m.event_id = f.event_id
    JOIN webhook_endpoint e ON e.id = :endpoint
    WHERE CAST(:of_missed AS boolean) AND f.recorded_at >= :recorded_since AND {MISSED}
) found
GROUP BY event_type ORDER BY event_type
"""  # noqa: S608 -- made of constants

PICK_MISSED: Final = f"""
SELECT f.event_id
FROM feed_entry f JOIN webhook_message m ON m.event_id = f.event_id
JOIN webhook_endpoint e ON e.id = :endpoint
WHERE f.sequence > :after AND f.sequence <= :up_to AND {MISSED}
ORDER BY f.sequence
"""  # noqa: S608 -- made of constants

BEFORE: Final = """
SELECT sequence - 1 FROM feed_entry WHERE member = :member AND recorded_at >= :recorded_since
ORDER BY sequence LIMIT 1
"""

END: Final = "SELECT sequence FROM feed_end WHERE member = :member FOR UPDATE"

NEXT: Final = """
SELECT r.id FROM webhook_recovery r
JOIN webhook_endpoint e ON e.id = r.endpoint_id
LEFT JOIN known_member m ON m.slug = e.member
WHERE r.state = 'running' AND (
    e.status IN ('disabled', 'deleted')
    OR e.status = 'active' AND e.verified_at IS NOT NULL AND coalesce(m.status, 'active') = 'active'
)
ORDER BY r.updated_at LIMIT 1
FOR NO KEY UPDATE OF r SKIP LOCKED
"""


@dataclass(frozen=True, slots=True)
class FoundOfType:
    """How much of one type there is to make up for."""

    event_type: str
    count: int
    first_at: datetime
    last_at: datetime


def parameters(recovery: WebhookRecovery, member: str) -> dict[str, Any]:
    """What the conditions of this module ask for."""
    return {
        "endpoint": recovery.endpoint_id,
        "member": member,
        "since": recovery.since,
        "until": recovery.until,
        "types": list(recovery.event_types),
    }


def recorded_since(recovery: WebhookRecovery) -> datetime:
    """Before that nothing was recorded that happened in the period."""
    return recovery.since - CLOCKS_DIFFER


async def to_recover(
    session: AsyncSession, recovery: WebhookRecovery, member: str
) -> list[FoundOfType]:
    """Tell what a recovery would send, by type."""
    found = await session.execute(
        text(PREVIEW),
        {
            **parameters(recovery, member),
            "of_failed": recovery.is_of_failed,
            "of_missed": recovery.is_of_missed,
            "recorded_since": recorded_since(recovery),
        },
    )
    return [FoundOfType(*row) for row in found]


async def missed_between(
    session: AsyncSession, recovery: WebhookRecovery, member: str, *, after: int, up_to: int
) -> list[UUID]:
    """Find what an endpoint missed in a part of the feed, in its order."""
    found = await session.scalars(
        text(PICK_MISSED), {**parameters(recovery, member), "after": after, "up_to": up_to}
    )
    return list(found)


async def start_in_feed(
    session: AsyncSession, recovery: WebhookRecovery, member: str
) -> int | None:
    """Tell the number before the first entry that a recovery may mean, if there is one."""
    found: int | None = await session.scalar(
        text(BEFORE), {"member": member, "recorded_since": recorded_since(recovery)}
    )
    return found


async def end_of_feed(session: AsyncSession, member: str) -> int:
    """Tell the last number of a feed; nothing is added to it meanwhile."""
    return await session.scalar(text(END), {"member": member}) or 0


CUT_OFF: Final = """
SELECT min(d.occurred_at) FROM webhook_delivery d
WHERE d.endpoint_id = :endpoint AND d.state IN ('failed', 'cancelled')
  AND d.state_reason = 'endpoint_disabled' AND d.finished_at >= :failing_since
"""


async def cut_off_since(session: AsyncSession, endpoint: WebhookEndpoint) -> datetime:
    """Tell since when an endpoint that was disabled for failing did not get what it should have.

    Since it failed; before that, if something older still waited when it was disabled.
    """
    failing_since = endpoint.failing_since or endpoint.updated_at
    oldest: datetime | None = await session.scalar(
        text(CUT_OFF), {"endpoint": endpoint.id, "failing_since": failing_since}
    )
    return failing_since if oldest is None else min(oldest, failing_since)


async def recovery_at_work(
    session: AsyncSession, endpoint: WebhookEndpoint
) -> WebhookRecovery | None:
    found: WebhookRecovery | None = await session.scalar(
        select(WebhookRecovery).where(
            WebhookRecovery.endpoint_id == endpoint.id, WebhookRecovery.state == "running"
        )
    )
    return found


async def next_recovery(session: AsyncSession) -> WebhookRecovery | None:
    """Lock the recovery that has waited longest for its turn; others look for another one."""
    found = await session.scalar(text(NEXT))
    return None if found is None else await session.get_one(WebhookRecovery, found)


async def recovery_of(
    session: AsyncSession,
    endpoint: WebhookEndpoint,
    recovery_id: UUID,
    *,
    for_change: bool = False,
) -> WebhookRecovery:
    """Load a recovery of an endpoint.

    Raises:
        WebhookRecoveryNotFound: there is none, or it is another endpoint's.
    """
    recovery = await session.get(
        WebhookRecovery, recovery_id, with_for_update={"key_share": True} if for_change else None
    )
    if recovery is None or recovery.endpoint_id != endpoint.id:
        raise WebhookRecoveryNotFound(f"The endpoint has no recovery {recovery_id}.")
    return recovery


async def recoveries_of(
    session: AsyncSession, endpoint: WebhookEndpoint, *, paging: Paging, sort: str
) -> tuple[Sequence[WebhookRecovery], str | None]:
    """Read a page of the recoveries of an endpoint."""
    query = select(WebhookRecovery).where(WebhookRecovery.endpoint_id == endpoint.id)
    return await paging.fetch(
        session,
        query,
        WebhookRecovery.created_at,
        WebhookRecovery.id,
        descending=sort.startswith("-"),
    )


async def progress_of(
    session: AsyncSession, recovery_ids: Collection[UUID]
) -> dict[UUID, dict[str, int]]:
    """Count what recoveries have queued, by its state, as far as it is kept."""
    delivery = WebhookDelivery
    counted = await session.execute(
        select(delivery.recovery_id, delivery.state, func.count())
        .where(delivery.recovery_id.in_(recovery_ids))
        .group_by(delivery.recovery_id, delivery.state)
    )
    found: dict[UUID, dict[str, int]] = {each: {} for each in recovery_ids}
    for recovery_id, state, count in counted:
        if recovery_id is not None:
            found[recovery_id][state] = count
    return found
