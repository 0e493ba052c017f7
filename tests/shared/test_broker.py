"""Streams and consumers are as we need them, whoever finds them first."""

import asyncio

import pytest
from nats.js.api import DeliverPolicy, DiscardPolicy, RetentionPolicy, StorageType
from nats.js.errors import NotFoundError

from shared.messaging.broker import connected, ensure_stream, stream_created_at, stream_of
from tests.shared.things import Place


async def test_a_stream_keeps_everything_and_refuses_rather_than_drops(place: Place) -> None:
    await ensure_stream(place.jetstream, place.publisher, replicas=1)

    config = (await place.jetstream.stream_info(stream_of(place.publisher))).config
    assert config.subjects == [f"evt.{place.publisher}.>"]
    assert config.retention == RetentionPolicy.LIMITS
    assert config.storage == StorageType.FILE
    assert config.discard == DiscardPolicy.NEW
    assert config.duplicate_window == 600
    assert config.allow_atomic is True
    assert (config.max_age, config.max_msgs, config.max_bytes) == (0, -1, -1)


async def test_a_stream_is_made_once_and_known_by_its_birth(place: Place) -> None:
    with pytest.raises(NotFoundError):
        await stream_created_at(place.jetstream, place.publisher)

    births = await asyncio.gather(
        *(ensure_stream(place.jetstream, place.publisher, replicas=1) for _ in range(5))
    )

    assert len(set(births)) == 1
    await place.jetstream.delete_stream(stream_of(place.publisher))
    assert await ensure_stream(place.jetstream, place.publisher, replicas=1) > births[0]


async def test_a_read_model_begins_with_the_newest_facts_and_a_reaction_with_all(
    place: Place,
) -> None:
    copy = place.copy().consumer_config(place.settings)
    reaction = place.reaction().consumer_config(place.settings)

    assert copy.deliver_policy == DeliverPolicy.LAST_PER_SUBJECT
    assert reaction.deliver_policy == DeliverPolicy.ALL
    for config in (copy, reaction):
        assert config.max_deliver == -1
        assert config.max_ack_pending == place.settings.consumer_batch * 10
        assert config.filter_subjects == [f"evt.{place.publisher}.thing.*.*.v1"]


async def test_a_cancellation_at_any_moment_ends_the_connecting(place: Place) -> None:
    async def work() -> None:
        async with connected(place.settings, name="cancelled"):
            await asyncio.Event().wait()

    endings: list[asyncio.Task[None]] = []
    for turns in range(60):
        working = asyncio.create_task(work())
        for _ in range(turns):
            await asyncio.sleep(0)
        working.cancel()
        endings += (await asyncio.wait({working}, timeout=5))[0]

    assert [ending.cancelled() for ending in endings] == [True] * 60
