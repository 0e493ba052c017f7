"""What services have said, as anybody may hear it on their streams."""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from typing import Any, Final
from uuid import UUID

from cloudevents.core.formats.json import JSONFormat
from cloudevents.core.v1.event import CloudEvent
from nats.errors import TimeoutError as NatsTimeout
from nats.js import JetStreamContext
from nats.js.api import AckPolicy, ConsumerConfig, DeliverPolicy, Header

from shared.contracts.event import CATALOGUE, Event
from shared.messaging.broker import stream_of

BATCH: Final = 500

Entity = tuple[str, str]
"""Kind and identifier."""


@dataclass(frozen=True)
class Message:
    """A message on a stream."""

    publisher: str
    sequence: int
    subject: str
    message_id: str
    body: bytes


@cache
def event_of(message: Message) -> Event[Any]:
    """Read a message the way a stranger would: as a CloudEvent first, then as one of ours.

    Raises:
        ValueError: it is none, or says something else than its address.
    """
    found = JSONFormat().read(CloudEvent, message.body)
    kind = CATALOGUE.get(found.get_type())
    if kind is None:
        raise ValueError(f"unknown type {found.get_type()}")
    # What is wrong with it is a ValueError too.
    event = kind.model_validate_json(message.body)
    if event.nats_subject != message.subject or kind.publisher != message.publisher:
        raise ValueError(f"{event.nats_subject} was published on {message.subject}")
    if event.source != f"/{message.publisher}" or event.timestamp != event.time:
        raise ValueError(f"source {event.source}, {event.timestamp} at {event.time}")
    return event


async def read_stream(jetstream: JetStreamContext, publisher: str) -> list[Message]:
    """Every message on the stream of a service, in order."""
    stream = stream_of(publisher)
    info = await jetstream.add_consumer(
        stream,
        ConsumerConfig(
            deliver_policy=DeliverPolicy.ALL,
            ack_policy=AckPolicy.NONE,
            mem_storage=True,
            inactive_threshold=30,
        ),
    )
    pull = await jetstream.pull_subscribe_bind(consumer=info.name, stream=stream)
    found: list[Message] = []
    left = info.num_pending or 0
    while left > 0:
        try:
            messages = await pull.fetch(min(BATCH, left), timeout=5)
        except NatsTimeout as error:
            raise AssertionError(f"{stream} does not give its last {left} messages") from error
        left -= len(messages)
        found += [
            Message(
                publisher,
                message.metadata.sequence.stream,
                message.subject,
                (message.headers or {}).get(Header.MSG_ID, ""),
                message.data,
            )
            for message in messages
        ]
    await pull.unsubscribe()
    await jetstream.delete_consumer(stream, info.name)
    return sorted(found, key=lambda message: message.sequence)


@dataclass(frozen=True)
class History:
    """All events of all services, in the order of their streams."""

    events: list[Event[Any]]

    def by_entity(self) -> dict[Entity, list[Event[Any]]]:
        found: defaultdict[Entity, list[Event[Any]]] = defaultdict(list)
        for event in self.events:
            found[event.entity, event.subject].append(event)
        return found

    def newest(self) -> dict[Entity, Event[Any]]:
        return {
            entity: max(events, key=lambda event: event.entityversion)
            for entity, events in self.by_entity().items()
        }

    def ids(self) -> set[UUID]:
        return {event.id for event in self.events}


def history_of(messages: Iterable[Message]) -> tuple[History, list[str]]:
    """Read all messages; what cannot be read is told, not skipped over in silence."""
    events, complaints = [], []
    for message in messages:
        try:
            events.append(event_of(message))
        except ValueError as error:
            complaints.append(
                f"{message.publisher} {message.sequence}: no event of ours: {error!s:.300}"
            )
    return History(events), complaints
