"""Facts take effect in the order of their stream, with several replicas, and when one dies."""

import asyncio
import random
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

import asyncpg
import pytest
from sqlalchemy.ext.asyncio import AsyncSession

from shared.database import asyncpg_dsn
from shared.messaging.broker import ensure_stream, stream_of
from shared.messaging.consumer import Consumer, Reaction
from shared.messaging.in_order import run_alone
from tests.shared.things import Place, ThingEvent
from tests.shared.waiting import eventually

FACTS = 200


@pytest.fixture
async def streaming(place: Place) -> Place:
    """The place with its stream; batches are small, so that replicas would share them."""
    place = place.with_settings(consumer_batch=10, consumer_ack_seconds=2, relay_poll_seconds=0.05)
    await ensure_stream(place.jetstream, place.publisher, replicas=1)
    return place


class Effects:
    """What took effect, in which order, and by whom."""

    def __init__(self, place: Place) -> None:
        self.place = place
        self.titles: list[str] = []
        self.at_work: set[int] = set()
        self.workers: set[int] = set()

    def subscription(self, worker: int) -> Reaction[Any]:
        async def react(session: AsyncSession, events: Sequence[ThingEvent]) -> None:
            del session
            self.at_work.add(worker)
            self.workers.add(worker)
            # The earlier may take longer than the later.
            await asyncio.sleep(random.uniform(0, 0.02))
            self.titles += [event.data.state.title for event in events]
            self.at_work.discard(worker)

        return Reaction("ordered", self.place.any_event, react, in_order=True)

    @asynccontextmanager
    async def working(self, worker: int) -> AsyncIterator[asyncio.Task[Any]]:
        """Run a replica."""
        place = self.place
        consumer = Consumer(self.subscription(worker), place.sessions, place.settings, place.nats)
        task = asyncio.create_task(
            run_alone([consumer.run], service=place.publisher, settings=place.settings)
        )
        try:
            yield task
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    async def are(self, many: int) -> bool:
        return len(self.titles) >= many


async def publish(place: Place, *numbers: int) -> None:
    for number in numbers:
        event = place.event(f"{number}")
        await place.jetstream.publish(event.nats_subject, event.wire_form())


def titles(many: int) -> list[str]:
    return [str(number) for number in range(many)]


async def test_facts_take_effect_in_the_order_of_the_stream_with_several_replicas(
    streaming: Place,
) -> None:
    effects = Effects(streaming)

    async with effects.working(1), effects.working(2), effects.working(3):
        # Not all at once: what trickles in would go to whoever asks next.
        await publish(streaming, *range(FACTS))
        await eventually(lambda: effects.are(FACTS))

    assert effects.titles == titles(FACTS)
    assert len(effects.workers) == 1


async def test_another_replica_goes_on_where_one_ended(streaming: Place) -> None:
    effects = Effects(streaming)
    publishing = asyncio.create_task(publish(streaming, *range(FACTS)))

    async with effects.working(2):
        async with effects.working(1) as first:
            await eventually(lambda: effects.are(20))
            for _ in range(5):
                first.cancel()
                await asyncio.gather(first, return_exceptions=True)
        await publishing
        await eventually(lambda: effects.are(FACTS))

    assert effects.titles == titles(FACTS)


async def test_another_replica_waits_for_what_a_dead_one_had_not_acknowledged(
    streaming: Place,
) -> None:
    effects = Effects(streaming)
    config = effects.subscription(1).consumer_config(streaming.settings)
    stream = stream_of(streaming.publisher)
    await streaming.jetstream.add_consumer(stream, config)
    await publish(streaming, *range(5))
    pull = await streaming.jetstream.pull_subscribe_bind("ordered", stream)
    taken = await pull.fetch(5, timeout=2)  # by one that then dies
    await publish(streaming, *range(5, 10))

    async with effects.working(2):
        await eventually(lambda: effects.are(10))

    assert len(taken) == 5
    assert effects.titles == titles(10)


async def test_whoever_lost_the_lock_stops(streaming: Place) -> None:
    effects = Effects(streaming)
    async with effects.working(1), effects.working(2):
        await publish(streaming, 0)
        await eventually(lambda: effects.are(1))
        admin = await asyncpg.connect(asyncpg_dsn(streaming.settings))
        try:
            ended = await admin.fetchval(
                "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity"
                " WHERE datname = current_database() AND application_name = $1"
                " AND pid IN (SELECT pid FROM pg_locks WHERE locktype = 'advisory' AND granted)",
                f"{streaming.publisher}-in-order",
            )
        finally:
            await admin.close()
        await publish(streaming, *range(1, 30))
        await eventually(lambda: effects.are(30))

    assert ended == 1
    assert effects.titles == titles(30)


async def test_a_consumer_that_is_there_already_takes_the_new_limit(streaming: Place) -> None:
    stream = stream_of(streaming.publisher)
    before = Reaction("ordered", streaming.any_event, Effects(streaming).subscription(1).react)
    after = Effects(streaming).subscription(1)
    await publish(streaming, 0, 1)
    await streaming.jetstream.add_consumer(stream, before.consumer_config(streaming.settings))
    pull = await streaming.jetstream.pull_subscribe_bind("ordered", stream)
    [message] = await pull.fetch(1, timeout=2)
    await message.ack_sync()

    await streaming.jetstream.add_consumer(stream, after.consumer_config(streaming.settings))

    info = await streaming.jetstream.consumer_info(stream, "ordered")
    assert before.consumer_config(streaming.settings).max_ack_pending == 100
    assert info.config.max_ack_pending == 10
    assert info.delivered is not None
    assert (info.delivered.stream_seq, info.num_pending) == (1, 1)
