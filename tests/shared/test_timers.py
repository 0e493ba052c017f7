"""Facts that time makes are made once, however many replicas look at the clock."""

import asyncio
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import select, text
from sqlalchemy.ext.asyncio import AsyncSession

from shared.identifiers import new_id
from shared.messaging.housekeeping import forget_answers, forget_inbox, housekeeping
from shared.messaging.outbox import announce
from shared.messaging.tables import InboxEntry, RememberedAnswer
from shared.timers import Timer, run_timers, tick
from tests.shared.things import Place, Thing
from tests.shared.waiting import becomes, eventually, running


async def test_two_replicas_that_look_at_once_act_once(place: Place) -> None:
    meeting = asyncio.Event()

    async def overdue(session: AsyncSession, now: datetime) -> bool:
        del now
        session.add(Thing(title="overdue"))
        announce(session, place.event("overdue"))
        await session.flush()
        await meeting.wait()
        return True

    timer = Timer("overdue", overdue)
    first = asyncio.create_task(tick(timer, place.sessions))
    await eventually(lambda: is_locked(place))
    try:
        async with asyncio.timeout(5):
            second = await tick(timer, place.sessions)
    finally:
        meeting.set()

    assert (await first, second) == (True, False)
    assert await place.waiting_titles() == ["overdue"]


async def is_locked(place: Place) -> bool:
    async with place.sessions() as session:
        return bool(
            await session.scalar(
                text(
                    "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND granted"
                    " AND database = (SELECT oid FROM pg_database"
                    " WHERE datname = current_database())"
                )
            )
        )


async def test_different_timers_do_not_wait_for_each_other(place: Place) -> None:
    meeting = asyncio.Barrier(2)

    async def meet(session: AsyncSession, now: datetime) -> bool:
        del session, now
        await meeting.wait()
        return False

    async with asyncio.timeout(5):
        await asyncio.gather(*(tick(Timer(name, meet), place.sessions) for name in ("a", "b")))


async def test_a_timer_is_told_the_time(place: Place) -> None:
    told: list[datetime] = []

    async def note(session: AsyncSession, now: datetime) -> bool:
        del session
        told.append(now)
        return False

    before = datetime.now(UTC)
    await tick(Timer("note", note), place.sessions)

    assert before <= told[0] <= datetime.now(UTC)


async def test_what_is_due_is_done_without_a_pause_and_a_fault_does_not_end_it(
    place: Place,
) -> None:
    left = 20

    async def one_of_many(session: AsyncSession, now: datetime) -> bool:
        nonlocal left
        del now
        left -= 1
        session.add(Thing(title=f"{left:02}"))
        await session.flush()
        if left in {5, 12}:
            raise ValueError("once")
        return left > 0

    settings = place.settings.model_copy(update={"timer_seconds": 0.05})
    timer = Timer("many", one_of_many, every_seconds=3600)
    async with running(run_timers([timer], place.sessions, settings)):
        await becomes(lambda: made(place), 18)

    assert left == 0


async def made(place: Place) -> int:
    async with place.sessions() as session:
        return len((await session.scalars(select(Thing))).all())


async def test_a_timer_that_fails_leaves_no_trace(place: Place) -> None:
    async def fail(session: AsyncSession, now: datetime) -> bool:
        del now
        announce(session, place.event())
        raise ValueError

    with pytest.raises(ValueError):  # noqa: PT011 -- ours
        await tick(Timer("fail", fail), place.sessions)

    assert await place.waiting_titles() == []


async def test_memories_are_forgotten_when_nothing_can_come_again(place: Place) -> None:
    now = datetime(2026, 4, 1, tzinfo=UTC)
    second = timedelta(seconds=1)
    async with place.sessions.begin() as session:
        session.add_all(
            InboxEntry(consumer=name, event_id=new_id(), received_at=at)
            for name, at in (
                ("kept", now - timedelta(days=30)),
                ("forgotten", now - timedelta(days=30) - second),
            )
        )
        session.add_all(
            RememberedAnswer(
                scope="s",
                key=key,
                fingerprint=b"",
                status=200,
                headers={},
                body=b"",
                answered_at=at,
            )
            for key, at in (
                ("kept", now - timedelta(hours=48)),
                ("forgotten", now - timedelta(hours=48) - second),
            )
        )

    async with place.sessions.begin() as session:
        await forget_inbox(session, now)
        await forget_answers(session, now)

    async with place.sessions() as session:
        assert (await session.scalars(select(InboxEntry.consumer))).all() == ["kept"]
        assert (await session.scalars(select(RememberedAnswer.key))).all() == ["kept"]


def test_housekeeping_has_a_timer_for_each_memory() -> None:
    assert [timer.name for timer in housekeeping()] == ["forget-inbox", "forget-answers"]
