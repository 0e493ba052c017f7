"""Use case: facts are queued for the endpoints of those who may hear of them."""

import json
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any, Final

from sqlalchemy import event as on
from sqlalchemy import text
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Session

from services.notifications.model.event_types import patterns_that_match
from services.notifications.model.webhook_delivery import WebhookMessage
from shared.contracts.event import EVERYONE, Event

QUEUE: Final = """
WITH fact AS (
    SELECT * FROM jsonb_to_recordset(CAST(:facts AS jsonb)) AS fact (
        event_id uuid, event_type text, occurred_at timestamptz, audience text[], patterns text[]
    )
), queued AS (
    INSERT INTO webhook_delivery (
        id, endpoint_id, event_id, event_type, occurred_at, state, attempts, step, due_at, fence,
        created_at
    )
    SELECT
        uuidv7(), e.id, f.event_id, f.event_type, f.occurred_at, 'pending', 0, 0,
        CAST(:now AS timestamptz), 0, CAST(:now AS timestamptz)
    FROM fact f
    JOIN webhook_endpoint e
      ON e.status = 'active'
     AND (f.audience = CAST(:everyone AS text[]) OR e.member = ANY (f.audience))
     AND e.event_types && f.patterns
     AND e.created_at <= f.occurred_at
    LEFT JOIN known_member m ON m.slug = e.member
    WHERE coalesce(m.status, 'active') = 'active'
    ORDER BY e.id, f.occurred_at, f.event_id
    ON CONFLICT (endpoint_id, event_id) DO NOTHING
    RETURNING event_id
)
SELECT DISTINCT event_id FROM queued
"""


async def queue_webhooks(
    session: AsyncSession, events: Sequence[Event[Any]], *, now: datetime
) -> None:
    """Queue each fact once for every active endpoint that may and wants to hear of it.

    An endpoint hears of what happened since it was made. What is queued is due at once.
    """
    facts = [
        {
            "event_id": str(event.id),
            "event_type": event.type,
            "occurred_at": event.time.isoformat(),
            "audience": event.audience,
            "patterns": patterns_that_match(event.type),
        }
        for event in events
    ]
    found = await session.scalars(
        text(QUEUE), {"facts": json.dumps(facts), "everyone": list(EVERYONE), "now": now}
    )
    wanted = set(found)
    if not wanted:
        return
    await session.execute(
        insert(WebhookMessage).on_conflict_do_nothing(),
        [
            {"event_id": event.id, "body": event.wire_form(), "queued_at": now}
            for event in events
            if event.id in wanted
        ],
    )
    session.info["webhooks_queued"] = True


def after_each_queueing(call: Callable[[], None]) -> Callable[[], None]:
    """Call back, in this process, after each commit that queued something.

    A hint for the sender, which looks by itself every second: losing it costs that second.

    Returns:
        What ends it.
    """

    def committed(session: Session) -> None:
        if session.in_nested_transaction():
            return
        if session.info.pop("webhooks_queued", False):
            call()

    on.listen(Session, "after_commit", committed)
    return lambda: on.remove(Session, "after_commit", committed)
