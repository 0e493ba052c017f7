"""Hints after a commit: to all in this process who wait for them, and to the other processes."""

import asyncio

from nats.aio.msg import Msg

from shared.identifiers import new_id
from shared.messaging.outbox import after_each_announcement, announce
from shared.messaging.waking import WAKES, after_each_commit_with, tell_others, wake_others
from tests.shared.things import Place, Thing
from tests.shared.waiting import eventually


async def test_all_who_wait_for_a_sign_are_called_once_for_each_commit(place: Place) -> None:
    called: list[str] = []
    ends = [
        after_each_announcement(lambda: called.append("first")),
        after_each_announcement(lambda: called.append("second")),
        after_each_commit_with(WAKES, lambda: called.append("woken")),
    ]
    try:
        async with place.sessions() as session:
            announce(session, place.event())
            announce(session, place.event())
            await session.commit()
            session.add(Thing(id=new_id(), title="silent"))
            await session.commit()
    finally:
        for end in ends:
            end()
    await place.announce(place.event())

    assert called == ["first", "second"]


async def test_what_is_rolled_back_wakes_nobody(place: Place) -> None:
    called: list[str] = []
    end = after_each_commit_with(WAKES, lambda: called.append("woken"))
    try:
        async with place.sessions() as session:
            wake_others(session)
            await session.rollback()
            assert called == []
        async with place.sessions.begin() as session:
            async with session.begin_nested():
                wake_others(session)
                session.add(Thing(id=new_id(), title="half"))
            assert called == []
    finally:
        end()

    assert called == ["woken"]


async def test_every_process_of_the_service_hears_of_a_commit(place: Place) -> None:
    heard: list[str] = []
    hints = asyncio.Event()

    async def hear(message: Msg) -> None:
        heard.append(message.subject)

    await place.nats.subscribe(f"wake.{place.publisher}", cb=hear)
    end = after_each_commit_with(WAKES, hints.set)
    telling = asyncio.create_task(tell_others(place.nats, place.publisher, hints))
    try:
        async with place.sessions.begin() as session:
            wake_others(session)
            session.add(Thing(id=new_id(), title="loud"))

        await eventually(lambda: are(heard, [f"wake.{place.publisher}"]))
    finally:
        telling.cancel()
        end()


async def are(found: list[str], expected: list[str]) -> bool:
    return found == expected
