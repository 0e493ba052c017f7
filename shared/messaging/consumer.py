"""Receiving facts: a batch of deliveries, one transaction, and only then "done" to the broker.

Two kinds of subscription:

`Copy` keeps a read model equal to the state of its owner. One comparison of versions in one
statement makes repeats and wrong order harmless, so it needs no memory of what it has seen.

`Reaction` has an effect that must not happen twice. The event's id enters the inbox in the same
transaction; an event that is there already is passed over.

What cannot be handled becomes a dead letter with its reason, never a silent drop: a body that is
no such event at once, an event whose handling fails after `consumer_attempts` deliveries. One such
event does not stop the others of its batch. While the database is away nothing is answered and
nothing given up: the batch at hand waits.
"""

import asyncio
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, Final, Generic, TypeVar
from uuid import UUID

import structlog
from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.errors import Error as NatsError
from nats.js.api import ConsumerConfig
from nats.js.errors import NotFoundError
from pydantic import ValidationError
from pydantic_core import ErrorDetails, to_json
from sqlalchemy import TextClause, select, text
from sqlalchemy.dialects import postgresql
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import DeclarativeBase

from shared.contracts.event import CATALOGUE, Event
from shared.database import Sessions
from shared.messaging.broker import consumer_config, stream_of
from shared.messaging.in_order import until_settled
from shared.messaging.patience import Patience, stop_if_cancelled
from shared.messaging.pulling import Pull
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
class Subscription(ABC, Generic[E]):
    """Who (`durable`) does what about which events. Use `Copy` or `Reaction`."""

    durable: str
    event: type[E]
    once: bool = field(default=True, kw_only=True)
    in_order: bool = field(default=False, kw_only=True)

    @abstractmethod
    async def apply(self, session: AsyncSession, events: Sequence[E]) -> None:
        """Let the events take effect, in the caller's transaction."""

    @property
    def stream(self) -> str:
        return stream_of(self.event.publisher)

    def consumer_config(self, settings: Settings) -> ConsumerConfig:
        """What the broker must know of it."""
        return consumer_config(
            self.durable,
            [self.event.nats_filter()],
            settings,
            every=self.once,
            in_order=self.in_order,
        )


@dataclass(frozen=True, slots=True)
class Reaction(Subscription[E]):
    """Does something about each fact, once.

    With `in_order` facts take effect in the order of their stream, with any number of replicas: one
    of them runs all such subscriptions of the service (see `in_order`). For what numbers facts.
    """

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
    in_order: bool = field(default=False, init=False)

    async def apply(self, session: AsyncSession, events: Sequence[E]) -> None:
        await copy_states(session, self.table, events)


async def copy_states(
    session: AsyncSession, table: type[DeclarativeBase], events: Sequence[Event[Any]]
) -> None:
    """Let a table hold the newest states that these facts, of one kind of entity, tell.

    Whoever must not wait for the `Copy` of the same table may do its work: it is done once.
    """
    newest: dict[str, Event[Any]] = {}
    for event in events:
        known = newest.get(event.subject)
        if known is None or event.entityversion > known.entityversion:
            newest[event.subject] = event
    # Sorted, so that two replicas lock rows in the same order.
    states = [newest[key].data.state for key in sorted(newest)]
    fields = frozenset(events[0].state_type().model_fields)
    await session.execute(upsert_statement(table, fields), {"states": to_json(states).decode()})


@lru_cache
def upsert_statement(table: type[DeclarativeBase], fields: frozenset[str]) -> TextClause:
    """SQL that overwrites rows by newer states, given as one JSON array.

    A column that is no field of the state is the table's own, and left alone.
    """
    quoted = postgresql.dialect().identifier_preparer.quote  # type: ignore[no-untyped-call]
    name = quoted(table.__tablename__)
    [key] = [quoted(column.name) for column in table.__table__.primary_key]
    columns = [quoted(column.name) for column in table.__table__.columns if column.name in fields]
    assigned = ", ".join(f"{column} = excluded.{column}" for column in columns if column != key)
    listed = ", ".join(columns)
    return text(
        f"INSERT INTO {name} ({listed}) SELECT {listed}"  # noqa: S608 -- names from our own tables
        f" FROM jsonb_populate_recordset(NULL::{name}, CAST(:states AS jsonb))"
        f" ON CONFLICT ({key}) DO UPDATE SET {assigned} WHERE excluded.version > {name}.version"
    )


class Unreadable(Exception):
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
    except ValidationError as error:
        # Without what was read: it may name people, and the reason goes to logs as well.
        wrong = error.errors(include_url=False, include_context=False, include_input=False)
        raise Unreadable("; ".join(map(_said_of, wrong))) from None
    except RecursionError as error:
        raise Unreadable(str(error)) from error


def _said_of(wrong: ErrorDetails) -> str:
    return f"{'/'.join(map(str, wrong['loc'])) or 'body'}: {wrong['msg']}"


LONGEST_DELAY_SECONDS: Final = 64


class DatabaseAway(Exception):
    """The database does not answer: nothing is wrong with the events."""


@dataclass(frozen=True, slots=True)
class Delivery:
    """An event, and every message that brought it."""

    event: Any
    messages: list[Msg]

    @property
    def attempts(self) -> int:
        return max(message.metadata.num_delivered for message in self.messages)

    async def settle(self) -> None:
        for message in self.messages:
            await message.ack()


@dataclass(slots=True)
class Consumer:
    """Runs one subscription of a service. `run` returns only when it is cancelled."""

    subscription: Subscription[Any]
    sessions: Sessions
    settings: Settings
    nats: Client

    async def run(self) -> None:
        """Fetch and handle for ever; declare the durable consumer whenever it is not there."""
        patience = Patience(self.settings)
        while True:
            try:
                await self._run_until_trouble(patience)
            except NotFoundError:
                # The publisher has not made its stream yet, or the broker lost it.
                log.info("consumer.waits_for_stream", durable=self.subscription.durable)
                await asyncio.sleep(self.settings.retry_seconds)
            except (NatsError, OSError, TimeoutError) as error:
                log.warning(
                    "consumer.interrupted", durable=self.subscription.durable, error=repr(error)
                )
                await patience.pause()

    async def _run_until_trouble(self, patience: Patience) -> None:
        jetstream = self.nats.jetstream(timeout=5)
        subscription = self.subscription
        await jetstream.add_consumer(
            subscription.stream, subscription.consumer_config(self.settings)
        )
        if subscription.in_order:
            await until_settled(self._unsettled, seconds=self.settings.consumer_ack_seconds)
        lag = CONSUMER_LAG.labels(consumer=subscription.durable)
        async with Pull(
            self.nats,
            subscription.stream,
            subscription.durable,
            batch=self.settings.consumer_batch,
        ) as pull:
            while True:
                stop_if_cancelled()
                messages = await pull.next()
                if not messages:
                    # Nothing to do, or nothing there any more to do it with?
                    found = await jetstream.consumer_info(subscription.stream, subscription.durable)
                    lag.set(found.num_pending or 0)
                    patience.worked()
                    continue
                lag.set(messages[-1].metadata.num_pending)
                await self._receive_patiently(messages, patience)
                patience.worked()

    async def _unsettled(self) -> int:
        """Count messages that were delivered and not answered, here or by another replica."""
        subscription = self.subscription
        found = await self.nats.jetstream(timeout=5).consumer_info(
            subscription.stream, subscription.durable
        )
        return found.num_ack_pending or 0

    async def _receive_patiently(self, messages: Sequence[Msg], patience: Patience) -> None:
        """Handle deliveries, however long the database is away."""
        while True:
            try:
                await self.receive(messages)
            except asyncio.CancelledError:
                # Others need not wait until the broker misses an answer.
                for message in messages:
                    if not message.is_acked:
                        await message.nak()
                raise
            except DatabaseAway as error:
                log.warning(
                    "consumer.waits_for_database",
                    durable=self.subscription.durable,
                    error=repr(error.__cause__)[:300],
                )
                await patience.pause()
                messages = [message for message in messages if not message.is_acked]
            else:
                return

    async def receive(self, messages: Sequence[Msg]) -> None:
        """Handle deliveries and answer each: ack after the commit, term, or nak with a delay.

        Raises:
            DatabaseAway: what was not answered must be handled again.
        """
        deliveries = await self._readable(messages)
        if not deliveries:
            return
        durable = self.subscription.durable
        try:
            with EVENT_SECONDS.labels(consumer=durable).time():
                await self._handle([delivery.event for delivery in deliveries])
        except Exception as error:  # whatever a handler may do wrong
            await self._ensure_database_answers(error)
            await self._one_by_one(deliveries)
        else:
            EVENTS_PROCESSED.labels(consumer=durable, result="done").inc(len(deliveries))
            for delivery in deliveries:
                await delivery.settle()

    async def _readable(self, messages: Sequence[Msg]) -> list[Delivery]:
        """Read the messages; bury what cannot be read."""
        # One fetch may hold an event twice, after its ack_wait: that is one delivery, and none of
        # its messages may be answered before its effect is committed.
        deliveries: dict[UUID, Delivery] = {}
        for message in messages:
            try:
                event = read(message, self.subscription.event)
            except Unreadable as error:
                await self._bury([message], f"unreadable: {error}")
                continue
            deliveries.setdefault(event.id, Delivery(event, [])).messages.append(message)
        return list(deliveries.values())

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
            # Beyond this time the broker gives the batch to another replica.
            async with (
                asyncio.timeout(self.settings.consumer_ack_seconds),
                self.sessions.begin() as session,
            ):
                if subscription.once:
                    new = await enter_inbox(session, subscription.durable, events)
                    events = [event for event in events if event.id in new]
                if events:
                    await subscription.apply(session, events)

    async def _one_by_one(self, deliveries: Sequence[Delivery]) -> None:
        durable = self.subscription.durable
        for delivery in deliveries:
            try:
                await self._handle([delivery.event])
            except Exception as error:  # whatever a handler may do wrong
                await self._ensure_database_answers(error)
                log.exception(
                    "event.failed",
                    durable=durable,
                    event_id=str(delivery.event.id),
                    attempts=delivery.attempts,
                )
                if delivery.attempts >= self.settings.consumer_attempts:
                    await self._bury(delivery.messages, f"{type(error).__name__}: {error}")
                    continue
                EVENTS_PROCESSED.labels(consumer=durable, result="failed").inc()
                delay = self.settings.retry_seconds * 2**delivery.attempts
                for message in delivery.messages:
                    await message.nak(delay=min(delay, LONGEST_DELAY_SECONDS))
            else:
                EVENTS_PROCESSED.labels(consumer=durable, result="done").inc()
                await delivery.settle()

    async def _ensure_database_answers(self, error: Exception) -> None:
        """Tell an event that cannot be handled from a database that cannot be reached.

        Raises:
            DatabaseAway: because of `error`; it does not answer.
        """
        try:
            async with asyncio.timeout(self.settings.request_seconds), self.sessions() as session:
                await session.execute(text("SELECT 1"))
        except Exception:
            raise DatabaseAway from error

    async def _bury(self, messages: Sequence[Msg], reason: str) -> None:
        """Keep the message with its reason where people see it, and tell the broker to stop.

        A message that comes again, because the broker has not heard that it should stop, or was
        refilled, is not buried twice.
        """
        durable, message = self.subscription.durable, messages[0]
        metadata = message.metadata
        letter = DeadLetter(
            consumer=durable,
            stream=metadata.stream,
            stream_sequence=metadata.sequence.stream,
            subject=message.subject,
            body=message.data,
            reason=reason.replace("\0", "")[:2000],
            attempts=metadata.num_delivered,
        )
        try:
            async with self.sessions.begin() as session:
                buried = await is_buried(session, letter)
                if not buried:
                    session.add(letter)
        except Exception as error:
            await self._ensure_database_answers(error)
            raise
        if not buried:
            DEAD_LETTERS.labels(consumer=durable).inc()
            EVENTS_PROCESSED.labels(consumer=durable, result="dead").inc()
            log.error("event.buried", durable=durable, reason=reason[:300])
        for each in messages:
            await each.term()


async def is_buried(session: AsyncSession, letter: DeadLetter) -> bool:
    """Tell whether this message is a dead letter already; no replica can bury it meanwhile."""
    await session.execute(
        text("SELECT pg_advisory_xact_lock(hashtextextended(:name, 2))"),
        {"name": f"{letter.consumer} {letter.subject}"},
    )
    found = await session.scalar(
        select(DeadLetter.id)
        .where(
            DeadLetter.consumer == letter.consumer,
            DeadLetter.subject == letter.subject,
            DeadLetter.body == letter.body,
        )
        .limit(1)
    )
    return found is not None


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
