"""How an endpoint has done in a period, and how it is sent to at present."""

from collections.abc import Sequence
from dataclasses import dataclass, fields
from datetime import datetime
from typing import Final

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from services.notifications.model.webhook_endpoint import WebhookEndpoint
from services.notifications.model.webhook_lane import Lane, WebhookLane

DELIVERIES: Final = """
SELECT waiting.count AS waiting, waiting.oldest_due_at, coalesce((
    SELECT jsonb_object_agg(state, found) FROM (
        SELECT state, count(*) AS found FROM webhook_delivery
        WHERE endpoint_id = :endpoint AND created_at >= :since AND created_at < :until
        GROUP BY state
    ) counted
), '{}') AS by_state
FROM (
    SELECT count(*), min(due_at) AS oldest_due_at FROM webhook_delivery
    WHERE endpoint_id = :endpoint AND state = 'pending'
) waiting
"""

ATTEMPTS: Final = """
SELECT
    hour, outcome, count(*) AS count, count(*) FILTER (WHERE outcome = '2xx') AS succeeded,
    percentile_disc(ARRAY[0.5, 0.95, 0.99]) WITHIN GROUP (ORDER BY duration_ms) AS durations_ms
FROM (
    SELECT
        date_trunc('hour', started_at, 'UTC') AS hour, duration_ms,
        coalesce(error, status / 100 || 'xx') AS outcome
    FROM webhook_attempt
    WHERE endpoint_id = :endpoint AND started_at >= :since AND started_at < :until
) made
GROUP BY GROUPING SETS ((), (outcome), (hour))
ORDER BY hour, outcome
"""

NONE_MADE: Final = (None, None, None)


@dataclass(frozen=True, slots=True)
class Attempts:
    """Requests of one kind: how many, how many with success, and how long they took.

    `hour` and `outcome` say which kind, where they are there. An outcome is a class of status, such
    as `5xx`, or what left us without one, such as `timeout`.
    """

    hour: datetime | None
    outcome: str | None
    count: int
    succeeded: int
    durations_ms: Sequence[int | None]


@dataclass(frozen=True, slots=True)
class Statistics:
    """What became of deliveries that were made in a period, what waits, and all requests."""

    waiting: int
    oldest_due_at: datetime | None
    by_state: dict[str, int]
    attempts: Attempts
    by_outcome: Sequence[Attempts]
    by_hour: Sequence[Attempts]


async def statistics_of(
    session: AsyncSession, endpoint: WebhookEndpoint, *, since: datetime, until: datetime
) -> Statistics:
    """Count what was sent to an endpoint in a period, which should be a bounded one."""
    period = {"endpoint": endpoint.id, "since": since, "until": until}
    deliveries = (await session.execute(text(DELIVERIES), period)).one()
    made = [Attempts(*row) for row in await session.execute(text(ATTEMPTS), period)]
    whole = next(each for each in made if each.hour is None and each.outcome is None)
    return Statistics(
        waiting=deliveries.waiting,
        oldest_due_at=deliveries.oldest_due_at,
        by_state=deliveries.by_state,
        attempts=whole if whole.count else Attempts(None, None, 0, 0, NONE_MADE),
        by_outcome=[each for each in made if each.outcome is not None],
        by_hour=[each for each in made if each.hour is not None],
    )


async def known_lane(session: AsyncSession, endpoint: WebhookEndpoint) -> Lane:
    """Read what is known of a receiver by its answers; a fresh start, if nothing is."""
    row = await session.get(WebhookLane, endpoint.id)
    if row is None:
        return Lane()
    return Lane(**{field.name: getattr(row, field.name) for field in fields(Lane)})
