"""A pull hands over what the broker has, once it has it, and gives back what nobody took."""

import asyncio
from typing import Final
from unittest.mock import patch

import pytest
from nats.aio.msg import Msg
from nats.js.api import ConsumerConfig
from nats.js.errors import APIError

from shared.messaging.broker import ensure_stream, stream_of
from shared.messaging.pulling import Pull
from tests.shared.things import Place

DURABLE = "reader"
DEADLINE_SECONDS: Final = 15


@pytest.fixture
async def streaming(place: Place) -> Place:
    """The place with a stream and a consumer that misses no answer for an hour."""
    await ensure_stream(place.jetstream, place.publisher, replicas=1)
    await place.jetstream.add_consumer(
        stream_of(place.publisher), ConsumerConfig(durable_name=DURABLE, ack_wait=3600)
    )
    return place


def pull(place: Place, *, batch: int = 100) -> Pull:
    return Pull(place.nats, stream_of(place.publisher), DURABLE, batch=batch)


async def publish(place: Place, *titles: str) -> None:
    for title in titles:
        await place.jetstream.publish(f"evt.{place.publisher}.{title}", title.encode())


async def titles(messages: list[Msg]) -> list[str]:
    for message in messages:
        await message.ack()
    return [message.data.decode() for message in messages]


async def test_messages_come_in_order_and_no_more_at_once_than_asked_for(streaming: Place) -> None:
    expected = [f"m{number}" for number in range(7)]
    await publish(streaming, *expected)

    found, sizes = list[str](), list[int]()
    async with pull(streaming, batch=3) as reader:
        while len(found) < len(expected):
            messages = await reader.next()
            sizes.append(len(messages))
            found += await titles(messages)

    assert found == expected
    assert max(sizes) <= 3


async def test_a_message_that_comes_after_a_request_ran_out_is_the_next_one(
    streaming: Place,
) -> None:
    found = list[str]()
    with (
        patch("shared.messaging.pulling.EXPIRES_SECONDS", 0.05),
        patch("shared.messaging.pulling.HEARTBEAT_SECONDS", 0.02),
    ):
        async with pull(streaming) as reader:
            for number in range(5):
                assert await reader.next() == []
                await publish(streaming, f"m{number}")
                found += await titles(await reader.next())

    assert found == [f"m{number}" for number in range(5)]


async def test_a_request_that_the_broker_forgot_is_made_again(streaming: Place) -> None:
    with patch("shared.messaging.pulling.SILENT_SECONDS", 0.2):
        async with pull(streaming) as reader:
            with patch.object(streaming.nats, "publish"):
                assert await reader.next() == []
            await publish(streaming, "after")

            assert await titles(await reader.next()) == ["after"]


async def test_what_was_not_handed_over_is_given_back_at_once(streaming: Place) -> None:
    await publish(streaming, "first", "second", "third")
    async with pull(streaming) as dying:
        [*messages] = await dying.next()
        dying._arrived.extendleft(reversed(messages))

    found = list[str]()
    async with asyncio.timeout(DEADLINE_SECONDS), pull(streaming) as heir:
        while len(found) < 3:
            found += await titles(await heir.next())

    assert sorted(found) == ["first", "second", "third"]


async def test_a_consumer_that_is_deleted_ends_the_pull(streaming: Place) -> None:
    async with pull(streaming) as reader:
        await publish(streaming, "last")
        assert await titles(await reader.next()) == ["last"]
        await streaming.jetstream.delete_consumer(stream_of(streaming.publisher), DURABLE)

        with pytest.raises(APIError, match="Consumer Deleted"):
            await reader.next()


async def test_a_consumer_that_never_was_ends_the_pull(place: Place) -> None:
    async with pull(place) as reader:
        with pytest.raises(APIError):
            await reader.next()
