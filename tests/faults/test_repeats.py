"""Events that come again, in any order, change nothing; copies can be made anew from them."""

from typing import Final

import pytest
from nats.js.api import Header

from deploy.embedded.layout import SERVICES
from shared.identifiers import new_id
from shared.messaging.broker import stream_of
from tests.faults.invariants import complaints_about, dumps_of, ensure_true
from tests.faults.network import Network
from tests.faults.stream import read_stream

pytestmark = pytest.mark.faults

NEWEST: Final = 100


async def counted(network: Network) -> tuple[int, int, int]:
    """How often anything had an effect: inbox folds, webhooks queued, webhooks that arrived."""
    [row] = await network.fetch(
        "notifications",
        "SELECT (SELECT sum(count) FROM inbox_item), (SELECT count(*) FROM webhook_delivery)",
    )
    return int(row[0]), int(row[1]), network.receiver.arrived.total()


async def test_old_events_in_reverse_order_change_nothing(network: Network) -> None:
    await network.load().run(seconds=4)
    await ensure_true(network)
    before, effects = await dumps_of(network), await counted(network)

    again: list[tuple[str, int]] = []
    for service in SERVICES:
        for message in reversed((await read_stream(network.jetstream, service))[-NEWEST:]):
            confirmation = await network.jetstream.publish(
                message.subject,
                message.body,
                headers={Header.MSG_ID.value: f"{message.message_id}.{new_id().hex[-8:]}"},
            )
            assert not confirmation.duplicate
            again.append((stream_of(service), confirmation.seq))
    await network.until_quiet()

    assert len(again) >= NEWEST
    assert await dumps_of(network) == before
    assert await counted(network) == effects
    assert any("on the stream 2 times" in each for each in await complaints_about(network))
    for stream, sequence in again:
        await network.jetstream.delete_msg(stream, sequence)
    await ensure_true(network)


@pytest.mark.parametrize("service", ["projects", "notifications"])
async def test_copies_made_anew_are_the_same(network: Network, service: str) -> None:
    await network.until_quiet()
    before, effects = await dumps_of(network), await counted(network)

    replayed = await network.renkei("replay", service)

    assert replayed.returncode == 0
    assert replayed.stdout.splitlines() == [
        f"{copy.table.__tablename__}: {len(before[service][copy.table.__tablename__])} rows"
        for copy in network.service(service).copies
    ]
    await network.until_quiet()
    assert await dumps_of(network) == before
    assert await counted(network) == effects
    await ensure_true(network)


async def test_copies_are_made_anew_while_cities_work(network: Network) -> None:
    async with network.load().running(seconds=8):
        answers = [await network.renkei("replay", service) for service in SERVICES]

    assert [answer.returncode for answer in answers] == [0, 0, 0]
    await ensure_true(network)
