"""What the broker gives to a program that does nothing else: the limits for ours."""

import asyncio
import json
import time
from collections.abc import Iterable, Sequence
from uuid import UUID, uuid4

from nats.aio.client import Client
from nats.js.api import AckPolicy, ConsumerConfig, DeliverPolicy, Header

from shared.contracts.projects import MilestoneEvent
from shared.messaging.broker import stream_of
from tests.benchmarks.backbone.place import PUBLISHER, Place

Wire = tuple[UUID, str, bytes]

ATOMIC = 1000
FETCH = 100


async def publish_atomically(client: Client, events: Sequence[Wire]) -> None:
    """Publish in atomic batches of a thousand with message ids."""
    for start in range(0, len(events), ATOMIC):
        part = events[start : start + ATOMIC]
        batch = uuid4().hex
        for number, (event_id, subject, body) in enumerate(part[:-1], start=1):
            headers: dict[str, str] = {
                Header.MSG_ID: str(event_id),
                Header.BATCH_ID: batch,
                Header.BATCH_SEQUENCE: str(number),
            }
            await client.publish(subject, body, headers=headers)
        event_id, subject, body = part[-1]
        headers = {
            Header.MSG_ID: str(event_id),
            Header.BATCH_ID: batch,
            Header.BATCH_SEQUENCE: str(len(part)),
            Header.BATCH_COMMIT: "1",
        }
        answer = await client.request(subject, body, timeout=30, headers=headers)
        if json.loads(answer.data).get("count") != len(part):
            raise RuntimeError(f"the broker refused a batch: {answer.data!r}")


async def publish_each(client: Client, events: Iterable[Wire]) -> None:
    """Publish with `publish_async`, a thousand under way."""
    jetstream = client.jetstream(publish_async_max_pending=ATOMIC)
    under_way = [
        await jetstream.publish_async(subject, body, headers={Header.MSG_ID: str(event_id)})
        for event_id, subject, body in events
    ]
    await asyncio.gather(*under_way)


async def fetch_and_acknowledge(
    place: Place, count: int, *, last_per_subject: bool = False, read: bool = True
) -> float:
    """Fetch a hundred at a time, validate, acknowledge.

    Returns:
        Events a second.
    """
    durable = f"limit-{uuid4().hex}"
    stream = stream_of(PUBLISHER)
    await place.jetstream.add_consumer(
        stream,
        ConsumerConfig(
            durable_name=durable,
            filter_subjects=[MilestoneEvent.nats_filter()],
            deliver_policy=DeliverPolicy.LAST_PER_SUBJECT
            if last_per_subject
            else DeliverPolicy.ALL,
            ack_policy=AckPolicy.EXPLICIT,
            max_ack_pending=FETCH * 10,
        ),
    )
    pull = await place.jetstream.pull_subscribe_bind(durable=durable, stream=stream)
    left = count
    began = time.perf_counter()
    while left > 0:
        for message in await pull.fetch(min(FETCH, left), timeout=30):
            if read:
                MilestoneEvent.model_validate_json(message.data)
            await message.ack()
            left -= 1
    seconds = time.perf_counter() - began
    await pull.unsubscribe()
    await place.jetstream.delete_consumer(stream, durable)
    return count / seconds
