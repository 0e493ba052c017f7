"""Use case: what came of attempts is written down, and decides what happens next."""

import json
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from sqlalchemy import insert, text
from sqlalchemy.ext.asyncio import AsyncSession

from services.notifications.model.retrying import Answer, Schedule, Verdict
from services.notifications.model.webhook_delivery import WebhookAttempt
from services.notifications.queries.webhook_endpoints import endpoint_for_change
from services.notifications.use_cases.claim_deliveries import ClaimedDelivery
from shared.actor import Actor
from shared.contracts.notifications import WebhookEndpointDisabled
from shared.identifiers import new_id
from shared.messaging.outbox import announce

RECORD: Final = """
WITH verdict AS (
    SELECT * FROM jsonb_to_recordset(CAST(:verdicts AS jsonb)) AS verdict (
        id uuid, fence bigint, state text, reason text, due_at timestamptz, attempts int
    )
), mine AS (
    SELECT d.id FROM webhook_delivery d JOIN verdict v ON v.id = d.id AND v.fence = d.fence
    WHERE d.state = 'pending'
    ORDER BY d.id
    FOR UPDATE OF d
)
UPDATE webhook_delivery d SET
    state = v.state,
    state_reason = v.reason,
    attempts = d.attempts + v.attempts,
    step = d.step + v.attempts,
    due_at = coalesce(v.due_at, d.due_at),
    leased_until = NULL,
    finished_at = CASE WHEN v.state = 'pending' THEN NULL ELSE CAST(:now AS timestamptz) END
FROM verdict v JOIN mine ON mine.id = v.id
WHERE d.id = v.id
"""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of a claimed delivery. Without an answer nothing was sent: `hindrance` says why."""

    delivery: ClaimedDelivery
    answer: Answer | None


async def record_outcomes(
    session: AsyncSession,
    outcomes: Sequence[Outcome],
    *,
    schedule: Schedule,
    now: datetime,
    chance: Callable[[], float] = random.random,
) -> None:
    """Write down every attempt, and the state of each delivery that is still the sender's own.

    An endpoint whose receiver said that it is gone is disabled.
    """
    judged = [(outcome, _judge(outcome, schedule, now, chance())) for outcome in outcomes]
    await session.execute(
        text(RECORD),
        {"verdicts": json.dumps([_row(*pair) for pair in judged]), "now": now},
    )
    attempts = [
        {
            "id": new_id(),
            "delivery_id": outcome.delivery.id,
            "started_at": outcome.answer.started_at,
            "duration_ms": outcome.answer.duration_ms,
            "status": outcome.answer.status,
            "error": outcome.answer.error,
            "excerpt": outcome.answer.excerpt,
        }
        for outcome in outcomes
        if outcome.answer is not None
    ]
    if attempts:
        await session.execute(insert(WebhookAttempt), attempts)
    gone = {
        outcome.delivery.endpoint_id
        for outcome in outcomes
        if outcome.answer is not None and outcome.answer.is_gone
    }
    for endpoint_id in sorted(gone):
        await _disable(session, endpoint_id, now=now)


def _judge(outcome: Outcome, schedule: Schedule, now: datetime, chance: float) -> Verdict:
    if outcome.answer is None:
        return Verdict("cancelled", outcome.delivery.hindrance)
    return schedule.judge(outcome.answer, step=outcome.delivery.step, now=now, chance=chance)


def _row(outcome: Outcome, verdict: Verdict) -> dict[str, Any]:
    return {
        "id": str(outcome.delivery.id),
        "fence": outcome.delivery.fence,
        "state": verdict.state,
        "reason": verdict.reason,
        "due_at": verdict.due_at.isoformat() if verdict.due_at is not None else None,
        "attempts": 0 if outcome.answer is None else 1,
    }


async def _disable(session: AsyncSession, endpoint_id: UUID, *, now: datetime) -> None:
    endpoint = await endpoint_for_change(session, endpoint_id)
    before = endpoint.state()
    if endpoint.disable("gone", at=now):
        announce(
            session,
            WebhookEndpointDisabled.about(
                endpoint.state(),
                before=before,
                by=Actor.CLOCK,
                at=now,
                audience=(endpoint.member,),
            ),
        )
