"""However much waits for an endpoint that is out, putting it away holds up no other."""

import pytest
from sqlalchemy import func, select

from services.notifications.model.webhook_delivery import WebhookDelivery
from services.notifications.use_cases import claim_lanes as claiming
from shared.database import Sessions
from shared.identifiers import new_id
from tests.notifications.endpoints import Made, claim, deliveries, lane_of, make_endpoint
from tests.notifications.hearing import Ears, project
from tests.notifications.test_turns import endpoint_of


async def disable(sessions: Sessions, *endpoints: Made) -> None:
    async with sessions.begin() as session:
        for each in endpoints:
            endpoint = await endpoint_of(sessions, each)
            (await session.merge(endpoint)).status = "disabled"


async def waiting(sessions: Sessions) -> int:
    async with sessions() as session:
        found = await session.scalar(
            select(func.count())
            .select_from(WebhookDelivery)
            .where(WebhookDelivery.state == "pending")
        )
    return found or 0


async def test_what_waits_is_cancelled_a_part_at_a_time(
    ears: Ears, sessions: Sessions, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(claiming, "CANCELLED_AT_ONCE", 4)
    gone, other = [await make_endpoint(sessions, member=city) for city in ("seoul", "busan")]
    well = await make_endpoint(sessions, member="osaka")
    await ears.hear(*(project(new_id()) for _ in range(5)), only="webhooks")
    await disable(sessions, gone, other)

    left, served = [], []
    for _ in range(4):
        async with sessions.begin() as session:
            served += [lane.endpoint_id for lane in await claim(session)]
        left.append(await waiting(sessions))

    # Five are the healthy one's.
    assert left == [11, 7, 5, 5]
    assert served == [well.id]
    for each in (gone, other):
        assert (await lane_of(sessions, each)).next_due_at is None
    cancelled = [one for one in await deliveries(sessions) if one.state == "cancelled"]
    assert {one.state_reason for one in cancelled} == {"endpoint_disabled"}
    assert len(cancelled) == 10
