"""Where an endpoint wants order, the facts about one entity come one after the other."""

import asyncio
import json
from collections import Counter
from datetime import timedelta
from uuid import UUID

from services.notifications.settings import NotificationsSettings
from shared.clock import utc_now
from shared.database import Sessions
from shared.identifiers import new_id
from tests.notifications.endpoints import deliveries, make_endpoint, sending, until_settled
from tests.notifications.hearing import Ears, project
from tests.notifications.receiver import Received, answering, receiving

HARBOUR, BRIDGE = new_id(), new_id()


def versions(received: list[Received], subject: UUID) -> list[int]:
    said = [json.loads(request.body) for request in received]
    return [each["entityversion"] for each in said if each["subject"] == str(subject)]


async def test_what_follows_waits_until_what_failed_has_arrived(
    ears: Ears, sessions: Sessions, settings: NotificationsSettings
) -> None:
    async with receiving(answering(500), answering(500), answering(204)) as receiver:
        await make_endpoint(sessions, receiver.url, ordering="entity", parallel=8)
        await ears.hear(*(project(HARBOUR, version=n) for n in range(1, 7)), only="webhooks")

        async with sending(sessions, settings):
            await until_settled(sessions, attempts_made=99)

    assert versions(receiver.received, HARBOUR) == [1, 1, 1, 2, 3, 4, 5, 6]


async def test_other_entities_do_not_wait(
    ears: Ears, sessions: Sessions, settings: NotificationsSettings
) -> None:
    patient = settings.model_copy(update={"webhook_schedule_seconds": (0, 3600, 3600)})
    async with receiving(answering(500), answering(204)) as receiver:
        await make_endpoint(sessions, receiver.url, ordering="entity")
        facts = [project(each, version=n) for n in range(1, 4) for each in (HARBOUR, BRIDGE)]
        await ears.hear(*facts, only="webhooks")

        async with sending(sessions, patient):
            await receiver.wait_for(4)
            later = project(HARBOUR, version=4)
            await ears.hear(later, only="webhooks")
            await receiver.wait_for(4)

    assert versions(receiver.received, BRIDGE) == [1, 2, 3]
    assert versions(receiver.received, HARBOUR) == [1]
    waiting = [one for one in await deliveries(sessions) if one.state == "pending"]
    # In an hour, and then in their order.
    about_harbour = [fact.id for fact in (*facts[::2], later)]
    assert [one.event_id for one in sorted(waiting, key=lambda one: one.due_at)] == about_harbour
    assert all(one.due_at > utc_now() + timedelta(minutes=50) for one in waiting)


async def test_after_one_is_given_up_the_others_come(
    ears: Ears, sessions: Sessions, settings: NotificationsSettings
) -> None:
    async with receiving(*[answering(500)] * 3, answering(204)) as receiver:
        await make_endpoint(sessions, receiver.url, ordering="entity")
        await ears.hear(*(project(HARBOUR, version=n) for n in range(1, 4)), only="webhooks")

        async with sending(sessions, settings):
            await until_settled(sessions, attempts_made=99)

    assert versions(receiver.received, HARBOUR) == [1, 1, 1, 2, 3]


async def test_order_is_kept_by_several_senders_that_are_killed_and_replaced(
    ears: Ears, sessions: Sessions, settings: NotificationsSettings
) -> None:
    quick = settings.model_copy(update={"webhook_schedule_seconds": (0, 0.01, 0.01, 0.01, 0.01)})
    fails = [answering(500), answering(204), answering(204), answering(204)] * 30
    async with receiving(*fails, answering(204)) as receiver:
        await make_endpoint(sessions, receiver.url, ordering="entity", parallel=8)
        subjects = [new_id() for _ in range(5)]
        for n in range(1, 9):
            await ears.hear(*(project(each, version=n) for each in subjects), only="webhooks")

        for round_ in range(3):
            async with sending(sessions, quick, ahead=timedelta(minutes=2 * round_)):
                await receiver.wait_for(len(receiver.received) + 10)
        async with (
            sending(sessions, quick, ahead=timedelta(minutes=8)),
            sending(sessions, quick, ahead=timedelta(minutes=8)),
        ):
            await until_settled(sessions, attempts_made=99)

    for subject in subjects:
        seen = versions(receiver.received, subject)
        first_seen = list(dict.fromkeys(seen))
        assert first_seen == list(range(1, 9))
        # What comes again comes before what follows it.
        assert seen == sorted(seen)


async def test_without_order_the_others_overtake_what_failed(
    ears: Ears, sessions: Sessions, settings: NotificationsSettings
) -> None:
    async with receiving(answering(500), answering(204)) as receiver:
        await make_endpoint(sessions, receiver.url)
        await ears.hear(*(project(HARBOUR, version=n) for n in range(1, 7)), only="webhooks")

        async with asyncio.timeout(10), sending(sessions, settings):
            await until_settled(sessions, attempts_made=99)

    seen = versions(receiver.received, HARBOUR)
    assert Counter(seen) == Counter({1: 2, 2: 1, 3: 1, 4: 1, 5: 1, 6: 1})
    assert seen[0] == 1
    assert seen[1] != 1
