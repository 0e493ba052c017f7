"""How a sender shares its places, and when it leaves an endpoint in peace; over real sockets."""

import asyncio
from datetime import timedelta

import pytest
from sqlalchemy import select

from services.notifications.consumers import turns
from services.notifications.model.webhook_endpoint import WebhookEndpoint
from services.notifications.settings import NotificationsSettings
from shared.contracts.projects import ParticipationWithdrawn
from shared.database import Sessions
from shared.identifiers import new_id
from shared.messaging.tables import OutboxMessage
from tests.notifications.endpoints import (
    Made,
    deliveries,
    lane_of,
    make_endpoint,
    sending,
    until_settled,
)
from tests.notifications.hearing import Ears, participation, project
from tests.notifications.receiver import Receiver, answering, hang, receiving

HARBOUR = new_id()


async def endpoint_of(sessions: Sessions, made: Made) -> WebhookEndpoint:
    async with sessions() as session:
        return await session.get_one(WebhookEndpoint, made.id)


async def facts_told(sessions: Sessions) -> list[str]:
    async with sessions() as session:
        subjects = await session.scalars(
            select(OutboxMessage.subject).order_by(OutboxMessage.position)
        )
        return [subject.split(".")[4] for subject in subjects]


async def until_lane(sessions: Sessions, endpoint: Made, **wanted: object) -> None:
    async with asyncio.timeout(10):
        while True:
            lane = await lane_of(sessions, endpoint)
            if all(getattr(lane, name) == value for name, value in wanted.items()):
                return
            await asyncio.sleep(0.02)


async def test_those_that_hang_make_way_for_those_that_answer(
    ears: Ears,
    sessions: Sessions,
    settings: NotificationsSettings,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(turns, "SLOW_SECONDS", 0.05)
    patient = settings.model_copy(update={"webhook_total_seconds": 30, "webhook_parallel": 5})
    async with receiving(hang) as hanging, receiving() as healthy:
        for n in range(6):
            await make_endpoint(sessions, hanging.url, member=f"city-{n}")
        await ears.hear(project(new_id()), only="webhooks")
        async with sending(sessions, patient) as sender:
            await hanging.wait_for(4)
            await make_endpoint(sessions, healthy.url)
            await ears.hear(project(new_id(), audience=["seoul"]), only="webhooks")

            await healthy.wait_for(1)

    assert len(healthy.received) == 1
    assert (sender.places.free("fast"), sender.places.free("slow")) == (4, 1)


async def test_after_five_failures_there_is_one_try_and_then_all_the_rest(
    ears: Ears, sessions: Sessions, settings: NotificationsSettings
) -> None:
    once = settings.model_copy(update={"webhook_schedule_seconds": (0, 1)})
    async with receiving(*[answering(500)] * 5, answering(204)) as receiver:
        endpoint = await make_endpoint(sessions, receiver.url, parallel=1)
        await ears.hear(*(project(new_id()) for _ in range(12)), only="webhooks")
        async with sending(sessions, once):
            await until_lane(sessions, endpoint, tries=1, leased_until=None)
        held = len(receiver.received)

        async with sending(sessions, once, ahead=timedelta(seconds=40)):
            await receiver.wait_for(6)
            await until_settled(sessions, attempts_made=99)

    assert held == 5
    assert len(receiver.received) == 17
    lane = await lane_of(sessions, endpoint)
    assert (lane.tries, lane.held_until, lane.next_due_at) == (0, None, None)


async def test_a_receiver_that_asks_for_time_gets_it(
    ears: Ears, sessions: Sessions, settings: NotificationsSettings
) -> None:
    async with receiving(answering(429, "Retry-After: 60"), answering(204)) as receiver:
        endpoint = await make_endpoint(sessions, receiver.url)
        await ears.hear(*(project(new_id()) for _ in range(5)), only="webhooks")
        async with sending(sessions, settings):
            await until_lane(sessions, endpoint, failures=1, leased_until=None)
        asked = len(receiver.received)

        async with sending(sessions, settings, ahead=timedelta(seconds=61)):
            await until_settled(sessions, attempts_made=99)

    assert asked == 1
    assert len(receiver.received) == 6


async def test_a_rate_is_kept(
    ears: Ears, sessions: Sessions, settings: NotificationsSettings
) -> None:
    async with receiving() as receiver:
        endpoint = await make_endpoint(sessions, receiver.url, rate_per_minute=1)
        await ears.hear(*(project(new_id()) for _ in range(3)), only="webhooks")
        async with sending(sessions, settings):
            await receiver.wait_for(1)
            await until_lane(sessions, endpoint, leased_until=None)
        first = len(receiver.received)
        async with sending(sessions, settings, ahead=timedelta(seconds=61)):
            await receiver.wait_for(2)
            await until_lane(sessions, endpoint, leased_until=None)

    assert (first, len(receiver.received)) == (1, 2)


async def test_after_a_receiver_said_that_it_is_gone_nothing_more_is_sent(
    ears: Ears, sessions: Sessions, settings: NotificationsSettings
) -> None:
    async with receiving(answering(410), answering(204)) as receiver:
        endpoint = await make_endpoint(sessions, receiver.url, parallel=1)
        await ears.hear(*(project(new_id()) for _ in range(5)), only="webhooks")
        async with sending(sessions, settings):
            await until_settled(sessions, attempts_made=99)

    assert len(receiver.received) == 1
    found = await endpoint_of(sessions, endpoint)
    assert (found.status, found.status_reason) == ("disabled", "gone")
    ends = sorted((one.state, one.state_reason) for one in await deliveries(sessions))
    assert ends == [("cancelled", "endpoint_disabled")] * 4 + [("failed", "gone")]


async def failing_for(
    sessions: Sessions,
    settings: NotificationsSettings,
    receiver: Receiver,
    endpoint: Made,
    hours: float,
) -> None:
    """Let it fail once more, so many hours later."""
    many = settings.model_copy(update={"webhook_schedule_seconds": (0, *[0.01] * 50)})
    before = len(receiver.received)
    async with sending(sessions, many, ahead=timedelta(hours=hours)):
        await receiver.wait_for(before + 1)
        await until_lane(sessions, endpoint, leased_until=None)


async def test_an_endpoint_that_fails_for_days_is_disabled_after_two_warnings(
    ears: Ears, sessions: Sessions, settings: NotificationsSettings
) -> None:
    async with receiving(answering(500)) as receiver:
        endpoint = await make_endpoint(sessions, receiver.url)
        await ears.hear(project(HARBOUR), only="webhooks")
        told = []
        for hours in (0, 1, 7, 8, 97, 98, 121):
            await failing_for(sessions, settings, receiver, endpoint, hours)
            told.append(await facts_told(sessions))

    assert told[1] == []
    assert told[2] == told[3] == ["failing"]
    assert told[4] == told[5] == ["failing", "failing"]
    assert told[6] == ["failing", "failing", "disabled"]
    found = await endpoint_of(sessions, endpoint)
    assert (found.status, found.status_reason) == ("disabled", "failing")
    assert found.failing_since is not None


async def test_an_endpoint_that_works_again_after_a_warning_says_so_once(
    ears: Ears, sessions: Sessions, settings: NotificationsSettings
) -> None:
    async with receiving(answering(500)) as receiver:
        endpoint = await make_endpoint(sessions, receiver.url)
        await ears.hear(project(HARBOUR), only="webhooks")
        await failing_for(sessions, settings, receiver, endpoint, 0)
        await failing_for(sessions, settings, receiver, endpoint, 7)
        receiver.scripts = [answering(204)]
        async with sending(sessions, settings, ahead=timedelta(hours=8)):
            await ears.hear(project(new_id()), only="webhooks")
            await until_settled(sessions, attempts_made=99)
            await until_lane(sessions, endpoint, leased_until=None, next_due_at=None)

    assert await facts_told(sessions) == ["failing", "recovered"]
    found = await endpoint_of(sessions, endpoint)
    assert (found.status, found.failing_since, found.warnings) == ("active", None, 0)


async def test_what_waits_is_not_told_to_who_has_left_the_project(
    ears: Ears, sessions: Sessions, settings: NotificationsSettings
) -> None:
    async with receiving() as receiver:
        await make_endpoint(sessions, receiver.url)
        place, both = new_id(), ["seoul", "tokyo"]
        told = project(HARBOUR, visibility="participants", audience=both)
        mine = participation(HARBOUR, "seoul", participation_id=place, audience=both)
        gone = participation(
            HARBOUR,
            "seoul",
            participation_id=place,
            audience=both,
            status="withdrawn",
            version=2,
            kind=ParticipationWithdrawn,
        )
        await ears.hear(told, mine, gone)

        async with sending(sessions, settings):
            found = await until_settled(sessions, attempts_made=99)

    became = {one.event_id: (one.state, one.state_reason) for one in found}
    assert became[told.id] == ("cancelled", "left_project")
    assert became[gone.id] == ("delivered", None)
    assert {request.message_id for request in receiver.received} == {
        f"msg_{mine.id}",
        f"msg_{gone.id}",
    }


async def test_a_sender_that_stops_gives_its_lanes_back(
    ears: Ears, sessions: Sessions, settings: NotificationsSettings
) -> None:
    async with receiving(hang, answering(204)) as receiver:
        endpoint = await make_endpoint(sessions, receiver.url)
        await ears.hear(project(HARBOUR), only="webhooks")
        async with sending(sessions, settings.model_copy(update={"webhook_total_seconds": 30})):
            await receiver.wait_for(1)

        assert (await lane_of(sessions, endpoint)).leased_until is None
        async with sending(sessions, settings):
            [delivery] = await until_settled(sessions, attempts_made=99)

    assert (delivery.state, delivery.attempts) == ("delivered", 1)
