"""Whatever happens to an endpoint, and when: what waits has its turn, and keeps its order."""

import random
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final

import pytest
from fastapi import FastAPI
from httpx2 import AsyncClient
from sqlalchemy import text

from services.notifications.model.retrying import Answer, Schedule
from services.notifications.model.webhook_endpoint import Patience
from services.notifications.model.webhook_lane import Pace
from services.notifications.use_cases.claim_lanes import ClaimedLane
from services.notifications.use_cases.record_turns import Outcome, Release, record_turns
from services.notifications.worker import WORKER
from shared.clock import utc_now
from shared.contracts.members import MemberReinstated, MemberSuspended
from shared.database import Sessions
from shared.identifiers import new_id
from shared.timers import tick
from tests.notifications.endpoints import claim, deliveries, make_endpoint
from tests.notifications.hearing import Ears, member, project
from tests.web import api

PACES: Final[tuple[Pace, ...]] = ("fast", "slow")
[RECOVERIES] = [timer for timer in WORKER.timers if timer.name == "work-off-recoveries"]
ENTITIES = [new_id() for _ in range(3)]
SINCE = (utc_now() - timedelta(days=1)).isoformat()

FORGOTTEN = """
SELECT l.next_due_at, w.due_at, l.held_until, l.leased_until
FROM webhook_endpoint e
JOIN known_member m ON m.slug = e.member AND m.status = 'active'
LEFT JOIN webhook_lane l ON l.endpoint_id = e.id
CROSS JOIN LATERAL (
    SELECT min(due_at) AS due_at FROM webhook_delivery
    WHERE endpoint_id = e.id AND state = 'pending'
) w
WHERE e.status = 'active' AND e.verified_at IS NOT NULL AND w.due_at IS NOT NULL
  AND (l.next_due_at IS NULL
       OR l.next_due_at > greatest(w.due_at, l.held_until, l.leased_until, :now))
"""

OUT_OF_ORDER = """
SELECT * FROM (
    SELECT d.entity, f.sequence, d.priority, d.due_at, d.trigger, d.step,
        row_number() OVER (PARTITION BY d.entity ORDER BY d.priority, d.due_at, d.id) AS place,
        row_number() OVER (PARTITION BY d.entity ORDER BY f.sequence) AS told
    FROM webhook_delivery d JOIN feed_entry f ON f.event_id = d.event_id AND f.member = 'seoul'
    WHERE d.state = 'pending' AND d.entity IS NOT NULL
) waiting
WHERE place <> told
"""


@dataclass
class Story:
    """What happens to an endpoint of Seoul, as chance has it."""

    ears: Ears
    seoul: AsyncClient
    sessions: Sessions
    path: str
    chance: random.Random
    now: datetime = field(default_factory=utc_now)
    version: int = 1
    all_is_well: bool = False

    async def facts_come(self) -> None:
        facts = [
            project(self.chance.choice(ENTITIES), version=9)
            for _ in range(self.chance.randint(1, 9))
        ]
        await self.ears.hear(*facts, only="webhooks")

    async def a_sender_takes_turns(self) -> None:
        for pace in PACES:
            async with self.sessions.begin() as session:
                lanes = await claim(session, pace=pace, now=self.now)
            if not self.all_is_well and self.chance.random() < 0.1:
                continue  # it dies
            turns = [self._turn(lane) for lane in lanes]
            async with self.sessions.begin() as session:
                await record_turns(
                    session,
                    [outcome for outcomes, _ in turns for outcome in outcomes],
                    [release for _, release in turns],
                    schedule=Schedule((0, 5, 300), 0),
                    patience=Patience(timedelta(days=5), ()),
                    now=self.now,
                )

    def _turn(self, claimed: ClaimedLane) -> tuple[list[Outcome], Release]:
        lane, closed, outcomes = claimed.lane, set[str | None](), list[Outcome]()
        for delivery in claimed.deliveries[
            : 16 if self.all_is_well else self.chance.randint(0, 16)
        ]:
            if lane.is_held(self.now):
                break
            if delivery.entity in closed:
                continue
            answer = None
            if delivery.hindrance is None:
                lane = lane.sending(claimed.bounds, now=self.now)
                answer = self._answer()
                lane = lane.after(answer, claimed.bounds, now=self.now, chance=0)
                if delivery.entity is not None and not answer.is_success:
                    closed.add(delivery.entity)
            outcomes.append(Outcome(claimed, delivery, answer))
        return outcomes, Release(claimed, lane)

    def _answer(self) -> Answer:
        if self.all_is_well:
            return Answer(self.now, 20, 204)
        status = self.chance.choice((204, 204, 204, 500, 500, 429))
        wait = "30" if status == 429 else None
        return Answer(self.now, self.chance.choice((20, 9_000)), status, retry_after=wait)

    async def its_owner_changes(self, status: str | None = None) -> None:
        shown = await self.seoul.get(self.path)
        await self.seoul.patch(
            self.path,
            json={"status": status or self.chance.choice(("active", "active", "paused"))},
            headers={"If-Match": shown.headers["ETag"]},
        )

    async def its_member_is_suspended_and_comes_back(self) -> None:
        self.version += 2
        first, second = self.version, self.version + 1
        await self.ears.hear(
            member("seoul", status="suspended", version=first, kind=MemberSuspended)
        )
        if self.chance.random() < 0.5:
            await self.a_sender_takes_turns()
        await self.ears.hear(member("seoul", version=second, kind=MemberReinstated))

    async def something_is_sent_again(self) -> None:
        known = await deliveries(self.sessions)
        if known:
            chosen = self.chance.choice(known)
            await self.seoul.post(f"{self.path}/deliveries/{chosen.id}/resend")

    async def something_is_made_up_for(self) -> None:
        kind = self.chance.choice(("failed", "missed", "all"))
        begun = await self.seoul.post(
            f"{self.path}/recoveries", json={"kind": kind, "since": SINCE}
        )
        while await tick(RECOVERIES, self.sessions):
            pass
        if begun.status_code == 201 and self.chance.random() < 0.3:
            await self.seoul.post(f"{self.path}/recoveries/{begun.json()['id']}/cancellation")

    async def goes_on(self) -> str:
        """Let something happen, and some time pass."""
        happens = self.chance.choice(
            [self.facts_come] * 3
            + [self.a_sender_takes_turns] * 3
            + [
                self.its_owner_changes,
                self.its_member_is_suspended_and_comes_back,
                self.something_is_sent_again,
                self.something_is_made_up_for,
            ]
        )
        await happens()
        return happens.__name__

    async def found(self, what: str) -> Sequence[Any]:
        async with self.sessions() as session:
            return (await session.execute(text(what), {"now": self.now})).all()


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("ordering", ["none", "entity"])
async def test_what_waits_has_its_turn_in_its_order(
    app: FastAPI, ears: Ears, sessions: Sessions, seed: int, ordering: str
) -> None:
    await ears.hear(member("seoul"), only="members")
    endpoint = await make_endpoint(sessions, ordering=ordering, rate_per_minute=600)
    path = f"/api/v1/webhook-endpoints/{endpoint.id}"
    story = Story(ears, api(app, "seoul"), sessions, path, random.Random(seed))

    for _ in range(60):
        happened = await story.goes_on()
        assert await story.found(FORGOTTEN) == [], happened
        assert await story.found(OUT_OF_ORDER) == [], happened
        story.now += timedelta(seconds=story.chance.choice((0, 1, 10, 70)))
    await story.its_owner_changes("active")
    story.all_is_well = True
    for _ in range(80):
        story.now += timedelta(minutes=6)
        await story.a_sender_takes_turns()

    ended = Counter(one.state for one in await deliveries(sessions))
    assert ended["delivered"] > 0
    assert ended["pending"] == 0
