"""Use case: what came of attempts is written down, decides what happens next, and frees lanes."""

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, fields
from datetime import datetime
from typing import Any, Final, NamedTuple
from uuid import UUID

from pydantic_core import to_json
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from services.notifications.model.retrying import Answer, Schedule, Verdict
from services.notifications.model.webhook_endpoint import Patience
from services.notifications.model.webhook_lane import Lane
from services.notifications.use_cases.claim_lanes import ClaimedLane, DueDelivery
from services.notifications.use_cases.judge_endpoint import judge_endpoint
from shared.identifiers import new_id

HOLD: Final = """
SELECT l.endpoint_id FROM webhook_lane l
JOIN unnest(CAST(:endpoints AS uuid[]), CAST(:fences AS bigint[])) AS held (endpoint_id, fence)
  ON held.endpoint_id = l.endpoint_id AND held.fence = l.fence
ORDER BY l.endpoint_id
FOR UPDATE OF l
"""

RECORD: Final = """
UPDATE webhook_delivery d SET
    state = v.state,
    state_reason = v.reason,
    attempts = d.attempts + v.attempts,
    step = d.step + v.attempts,
    due_at = coalesce(v.due_at, d.due_at),
    finished_at = CASE WHEN v.state <> 'pending' THEN CAST(:now AS timestamptz) END
FROM unnest(
    CAST(:ids AS uuid[]), CAST(:states AS text[]), CAST(:reasons AS text[]),
    CAST(:dues AS timestamptz[]), CAST(:attempts AS int[]), CAST(:made AS uuid[])
) AS v (id, state, reason, due_at, attempts, attempt_id)
WHERE d.id = v.id AND (d.state = 'pending' OR d.state = 'cancelled' AND v.state = 'delivered')
  AND NOT EXISTS (SELECT FROM webhook_attempt a WHERE a.id = v.attempt_id)
"""
"""An attempt that stands there already was written down by a commit that nobody heard of."""

NOTE_ATTEMPTS: Final = """
INSERT INTO webhook_attempt (
    id, delivery_id, endpoint_id, started_at, duration_ms, status, error, excerpt, trigger
)
SELECT a.*, d.trigger FROM unnest(
    CAST(:ids AS uuid[]), CAST(:deliveries AS uuid[]), CAST(:endpoints AS uuid[]),
    CAST(:started AS timestamptz[]), CAST(:durations AS int[]), CAST(:statuses AS int[]),
    CAST(:errors AS text[]), CAST(:excerpts AS text[])
) AS a (id, delivery_id, endpoint_id, started_at, duration_ms, status, error, excerpt)
JOIN webhook_delivery d ON d.id = a.delivery_id
ON CONFLICT (id) DO NOTHING
"""

HOLD_BACK: Final = """
UPDATE webhook_delivery d SET due_at = late.due_at
FROM (
    SELECT p.id, v.due_at + interval '1 microsecond' * row_number() OVER (
        PARTITION BY p.endpoint_id, p.entity ORDER BY p.due_at, p.id
    ) AS due_at
    FROM unnest(CAST(:endpoints AS uuid[]), CAST(:entities AS text[]), CAST(:dues AS timestamptz[]))
        AS v (endpoint_id, entity, due_at)
    JOIN webhook_delivery p ON p.endpoint_id = v.endpoint_id AND p.entity = v.entity
     AND p.state = 'pending' AND p.due_at < v.due_at
) late
WHERE d.id = late.id
"""
"""Where order is asked for: what follows waits for what failed, and goes on after it in order."""

NEXT: Final = """
    SELECT min(due_at) AS due_at FROM (
        (SELECT due_at FROM webhook_delivery WHERE endpoint_id = l.endpoint_id
         AND state = 'pending' AND priority = 0 ORDER BY due_at LIMIT 1)
      UNION ALL
        (SELECT due_at FROM webhook_delivery WHERE endpoint_id = l.endpoint_id
         AND state = 'pending' AND priority = 1 ORDER BY due_at LIMIT 1)
    ) waiting
"""

LANE: Final = tuple(field.name for field in fields(Lane))

FREE: Final = f"""
UPDATE webhook_lane l SET
    leased_until = NULL,
    next_due_at = (
        SELECT greatest(next.due_at, v.held_until) FROM ({NEXT}) next WHERE next.due_at IS NOT NULL
    ),
    {", ".join(f"{name} = v.{name}" for name in LANE)}
FROM jsonb_populate_recordset(NULL::webhook_lane, CAST(:lanes AS jsonb)) v
WHERE l.endpoint_id = v.endpoint_id AND l.endpoint_id = ANY (CAST(:mine AS uuid[]))
"""  # noqa: S608 -- names of our own fields


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of a delivery. Without an answer nothing was sent: `hindrance` says why.

    `attempt_id` lets it count once, however often it is written down.
    """

    claimed: ClaimedLane
    delivery: DueDelivery
    answer: Answer | None
    attempt_id: UUID = field(default_factory=new_id)


class Release(NamedTuple):
    """The end of a turn: what is known of the lane, and whether its receiver says it is gone."""

    claimed: ClaimedLane
    lane: Lane
    is_gone: bool = False


async def record_turns(
    session: AsyncSession,
    outcomes: Sequence[Outcome],
    releases: Sequence[Release],
    *,
    schedule: Schedule,
    patience: Patience,
    now: datetime,
    chance: Callable[[], float] = random.random,
) -> None:
    """Write down every attempt, the state of each delivery, and what is known of each lane.

    Only of lanes that the sender still holds, but for attempts: those were made. An endpoint that
    is gone, or fails for long, is disabled after warnings. Nothing counts twice if it is done
    again by who did not hear that it was done.
    """
    # Endpoints before lanes, as everybody locks them in this order, and each kind by their ids.
    for release in sorted(releases, key=lambda each: each.claimed.endpoint_id):
        if not _has_shown(release):
            continue
        await judge_endpoint(
            session,
            release.claimed.endpoint_id,
            release.lane.failing_since,
            warnings=release.claimed.warnings,
            fence=release.claimed.fence,
            is_gone=release.is_gone,
            patience=patience,
            now=now,
        )
    lanes = [each.claimed for each in outcomes] + [each.claimed for each in releases]
    mine = await _hold(session, lanes)
    judged = [
        (outcome, _judge(outcome, schedule, now, chance()))
        for outcome in outcomes
        if outcome.claimed.endpoint_id in mine
    ]
    if judged:
        await _record(session, judged, now=now)
    await _note_attempts(session, outcomes)
    if releases:
        await session.execute(
            text(FREE),
            {"lanes": to_json([_row(each) for each in releases]).decode(), "mine": sorted(mine)},
        )


def _has_shown(release: Release) -> bool:
    """Tell whether a turn shows how the endpoint is: that it fails, or has just succeeded."""
    lane, before = release.lane, release.claimed.lane
    return lane.failing_since is not None or lane.succeeded_at != before.succeeded_at


async def _hold(session: AsyncSession, lanes: Sequence[ClaimedLane]) -> set[UUID]:
    """Lock lanes, and tell which of them are still the sender's own."""
    fences = {lane.endpoint_id: lane.fence for lane in lanes}
    held = await session.scalars(
        text(HOLD), {"endpoints": list(fences), "fences": list(fences.values())}
    )
    return set(held)


def _judge(outcome: Outcome, schedule: Schedule, now: datetime, chance: float) -> Verdict:
    if outcome.answer is None:
        return Verdict("cancelled", outcome.delivery.hindrance)
    return schedule.judge(outcome.answer, step=outcome.delivery.step, now=now, chance=chance)


async def _record(
    session: AsyncSession, judged: Sequence[tuple[Outcome, Verdict]], *, now: datetime
) -> None:
    await session.execute(
        text(RECORD),
        {
            "ids": [outcome.delivery.id for outcome, _ in judged],
            "states": [verdict.state for _, verdict in judged],
            "reasons": [verdict.reason for _, verdict in judged],
            "dues": [verdict.due_at for _, verdict in judged],
            "attempts": [0 if outcome.answer is None else 1 for outcome, _ in judged],
            "made": [outcome.attempt_id for outcome, _ in judged],
            "now": now,
        },
    )
    held_back = [
        (outcome.claimed.endpoint_id, outcome.delivery.entity, verdict.due_at)
        for outcome, verdict in judged
        if verdict.state == "pending" and outcome.claimed.keeps_order
    ]
    if held_back:
        endpoints, entities, dues = map(list, zip(*held_back, strict=True))
        await session.execute(
            text(HOLD_BACK), {"endpoints": endpoints, "entities": entities, "dues": dues}
        )


async def _note_attempts(session: AsyncSession, outcomes: Sequence[Outcome]) -> None:
    made = [(each, each.answer) for each in outcomes if each.answer is not None]
    if not made:
        return
    await session.execute(
        text(NOTE_ATTEMPTS),
        {
            "ids": [outcome.attempt_id for outcome, _ in made],
            "deliveries": [outcome.delivery.id for outcome, _ in made],
            "endpoints": [outcome.claimed.endpoint_id for outcome, _ in made],
            "started": [answer.started_at for _, answer in made],
            "durations": [answer.duration_ms for _, answer in made],
            "statuses": [answer.status for _, answer in made],
            "errors": [answer.error for _, answer in made],
            "excerpts": [answer.excerpt for _, answer in made],
        },
    )


def _row(release: Release) -> dict[str, Any]:
    lane = {name: getattr(release.lane, name) for name in LANE}
    return lane | {"endpoint_id": release.claimed.endpoint_id}
