"""Receiving facts: a batch of deliveries, one transaction, and only then "done" to the broker.

Two kinds of subscription:

`Copy` keeps a read model equal to the state of its owner. One comparison of versions in one
statement makes repeats and wrong order harmless, so it needs no memory of what it has seen.

`Reaction` has an effect that must not happen twice. The event's id enters the inbox in the same
transaction; an event that is there already is passed over.

What cannot be handled becomes a dead letter with its reason, never a silent drop: a body that is
no such event at once, an event whose handling fails after `consumer_attempts` deliveries. One such
event does not stop the others of its batch.
"""

import asyncio
import json
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Generic, TypeVar

import structlog
from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.errors import Error as NatsError
from nats.js.errors import NotFoundError
from pydantic import ValidationError
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError, InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import DeclarativeBase

from shared.contracts.event import CATALOGUE, Event
from shared.database import Sessions
from shared.messaging.broker import consumer_config, stream_of
from shared.messaging.tables import DeadLetter
from shared.settings import Settings
from shared.telemetry import (
    CONSUMER_LAG,
    DEAD_LETTERS,
    EVENT_SECONDS,
    EVENTS_PROCESSED,
    span,
)

log = structlog.get_logger(__name__)

E = TypeVar("E", bound=Event[Any])


@dataclass(frozen=True, slots=True)
class Subscription(Generic[E]):
    """Who (`durable`) does what about which events. Use `Copy` or `Reaction`."""

    durable: str
    event: type[E]
    once: bool = field(default=True, kw_only=True)

    async def apply(self, session: AsyncSession, events: Sequence[E]) -> None:
        raise NotImplementedError

    @property
    def stream(self) -> str:
        return stream_of(self.event.publisher)


@dataclass(frozen=True, slots=True)
class Reaction(Subscription[E]):
    """Does something about each fact, once."""

    react: Callable[[AsyncSession, Sequence[E]], Awaitable[None]]

    async def apply(self, session: AsyncSession, events: Sequence[E]) -> None:
        await self.react(session, events)


@dataclass(frozen=True, slots=True)
class Copy(Subscription[E]):
    """Keeps a table equal to the states of another service's entities.

    Each column of `table` that has the name of a field of the state holds that field; `version`
    must be among them, and the primary key must be the key of the state.
    """

    table: type[DeclarativeBase]
    once: bool = field(default=False, init=False)

    async def apply(self, session: AsyncSession, events: Sequence[E]) -> None:
        newest: dict[str, E] = {}
        for event in events:
            known = newest.get(event.subject)
            if known is None or event.entityversion > known.entityversion:
                newest[event.subject] = event
        # Sorted, so that two replicas lock rows in the same order.
        states = [newest[key].data.state.model_dump(mode="json") for key in sorted(newest)]
        await session.execute(text(upsert_statement(self.table)), {"states": json.dumps(states)})


def upsert_statement(table: type[DeclarativeBase]) -> str:
    """SQL that overwrites rows by newer states, given as one JSON array."""
    name = table.__tablename__
    [key] = [column.name for column in table.__table__.primary_key]
    columns = [column.name for column in table.__table__.columns]
    assigned = ", ".join(f"{column} = excluded.{column}" for column in columns if column != key)
    listed = ", ".join(columns)
    return (
        f"INSERT INTO {name} ({listed}) SELECT {listed}"  # noqa: S608 -- names from our own tables
        f" FROM jsonb_populate_recordset(NULL::{name}, CAST(:states AS jsonb))"
        f" ON CONFLICT ({key}) DO UPDATE SET {assigned} WHERE excluded.version > {name}.version"
    )


class Unreadable(Exception):  # noqa: N818 -- named by what the caller meets
    """A message is no event of the kind that was subscribed to, and will never become one."""


def read(message: Msg, expected: type[E]) -> E:
    """Read the event of the most specific class known.

    Raises:
        Unreadable: the body is no such event.
    """
    # evt.projects.milestone.<id>.completed.v1: a type from a newer release is read as its entity.
    parts = message.subject.split(".")
    kind = CATALOGUE.get(".".join(("renkei", parts[2], *parts[4:]))) if len(parts) > 4 else None
    try:
        return (kind if kind and issubclass(kind, expected) else expected).received(message.data)
    except (ValidationError, RecursionError) as error:
        raise Unreadable(str(error)) from error


TRANSIENT: Final = (OperationalError, InterfaceError, PoolTimeout, OSError, TimeoutError)
"""The database is away or busy: nothing is wrong with the event."""


@dataclass(slots=True)
class Consumer:
    """Runs one subscription of a service. `run` returns only when it is cancelled."""

    subscription: Subscription[Any]
    sessions: Sessions
    settings: Settings
    nats: Client

    async def run(self) -> None:
        """Fetch and handle for ever; declare the durable consumer whenever it is not there."""
        pause = self.settings.retry_seconds
        while True:
            try:
                await self._run_until_trouble()
            except NotFoundError:
                # The publisher has not made its stream yet, or the broker lost it.
                log.info("consumer.waits_for_stream", durable=self.subscription.durable)
                await asyncio.sleep(self.settings.retry_seconds)
                pause = self.settings.retry_seconds
                continue
            except (NatsError, OSError, TimeoutError, *TRANSIENT) as error:
                log.warning(
                    "consumer.interrupted",
                    durable=self.subscription.durable,
                    error=repr(error),
                    retry_seconds=pause,
                )
            await asyncio.sleep(pause)
            pause = min(pause * 2, self.settings.retry_seconds_max)

    async def _run_until_trouble(self) -> None:
        jetstream = self.nats.jetstream(timeout=5)
        subscription = self.subscription
        await jetstream.add_consumer(
            subscription.stream,
            consumer_config(
                subscription.durable, [subscription.event.nats_filter()], self.settings
            ),
        )
        pull = await jetstream.pull_subscribe_bind(
            durable=subscription.durable, stream=subscription.stream
        )
        try:
            while True:
                try:
                    messages = await pull.fetch(self.settings.consumer_batch, timeout=5)
                except (TimeoutError, NatsError):
                    # Nothing to do, or nothing there any more to do it with?
                    found = await jetstream.consumer_info(subscription.stream, subscription.durable)
                    CONSUMER_LAG.labels(consumer=subscription.durable).set(found.num_pending or 0)
                    continue
                await self.receive(messages)
        finally:
            try:
                await asyncio.wait_for(pull.unsubscribe(), 1)
            except (NatsError, TimeoutError):
                log.debug("consumer.not_unsubscribed", durable=subscription.durable)

    async def receive(self, messages: Sequence[Msg]) -> None:
        """Handle deliveries and answer each: ack after the commit, term, or nak with a delay.

        Raises:
            OSError and the like: the database is away; nothing was answered, all comes again.
        """
        durable = self.subscription.durable
        readable = await self._readable(messages)
        if not readable:
            return
        try:
            with EVENT_SECONDS.labels(consumer=durable).time():
                await self._handle([event for _, event in readable])
        except TRANSIENT:
            raise
        except DBAPIError as error:
            if error.connection_invalidated:
                raise
            await self._one_by_one(readable)
        except Exception:
            await self._one_by_one(readable)
        else:
            EVENTS_PROCESSED.labels(consumer=durable, result="done").inc(len(readable))
            for message, _ in readable:
                await message.ack()

    async def _readable(self, messages: Sequence[Msg]) -> list[tuple[Msg, Any]]:
        """Read the messages; bury what cannot be read, and drop what the batch holds twice."""
        readable: dict[Any, tuple[Msg, Any]] = {}
        for message in messages:
            try:
                event = read(message, self.subscription.event)
            except Unreadable as error:
                await self._bury(message, f"unreadable: {error}")
                continue
            if event.id in readable:  # one fetch may hold a message twice, after its ack_wait
                await message.ack()
                continue
            readable[event.id] = (message, event)
        return list(readable.values())

    async def _handle(self, events: Sequence[Any]) -> None:
        subscription = self.subscription
        with span(
            f"process {subscription.durable}",
            kind="consumer",
            parent=events[0].traceparent if len(events) == 1 else None,
            links=[event.traceparent for event in events[:20]] if len(events) > 1 else [],
            attributes={
                "messaging.system": "nats",
                "messaging.operation.type": "process",
                "messaging.consumer.group.name": subscription.durable,
                "messaging.batch.message_count": len(events),
            },
        ):
            async with self.sessions.begin() as session:
                if subscription.once:
                    new = await enter_inbox(session, subscription.durable, events)
                    events = [event for event in events if event.id in new]
                if events:
                    await subscription.apply(session, events)

    async def _one_by_one(self, readable: Sequence[tuple[Msg, Any]]) -> None:
        for message, event in readable:
            try:
                await self._handle([event])
            except TRANSIENT:
                raise
            except Exception as error:  # whatever a handler may do wrong
                attempts = message.metadata.num_delivered
                log.exception(
                    "event.failed",
                    durable=self.subscription.durable,
                    event_id=str(event.id),
                    attempts=attempts,
                )
                if attempts >= self.settings.consumer_attempts:
                    await self._bury(message, f"{type(error).__name__}: {error}")
                else:
                    await message.nak(delay=min(2 ** (attempts - 1), 64))
            else:
                EVENTS_PROCESSED.labels(consumer=self.subscription.durable, result="done").inc()
                await message.ack()

    async def _bury(self, message: Msg, reason: str) -> None:
        """Keep the message with its reason where people see it, and tell the broker to stop."""
        metadata = message.metadata
        async with self.sessions.begin() as session:
            session.add(
                DeadLetter(
                    consumer=self.subscription.durable,
                    stream=metadata.stream,
                    stream_sequence=metadata.sequence.stream,
                    subject=message.subject,
                    body=message.data,
                    reason=reason[:2000],
                    attempts=metadata.num_delivered,
                )
            )
        DEAD_LETTERS.labels(consumer=self.subscription.durable).inc()
        EVENTS_PROCESSED.labels(consumer=self.subscription.durable, result="dead").inc()
        log.error("event.buried", durable=self.subscription.durable, reason=reason[:300])
        await message.term()


async def enter_inbox(
    session: AsyncSession, consumer: str, events: Sequence[Event[Any]]
) -> set[Any]:
    """Note that these events take effect now.

    Returns:
        Ids of those that had not before.
    """
    new = await session.scalars(
        text(
            "INSERT INTO inbox (consumer, event_id) SELECT :consumer, unnest(CAST(:ids AS uuid[]))"
            " ON CONFLICT DO NOTHING RETURNING event_id"
        ),
        {"consumer": consumer, "ids": sorted(event.id for event in events)},
    )
    return set(new)
