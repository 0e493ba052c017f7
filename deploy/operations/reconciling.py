"""Compares what services have told with what the stream holds and what the others have taken in.

The databases are the truth. A gap in the stream or at a consumer is closed by publishing the event
again; consumers know events they have had.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, Final
from uuid import UUID

from nats.aio.client import Client
from nats.errors import TimeoutError as NatsTimeout
from nats.js.api import AckPolicy, ConsumerConfig, DeliverPolicy, Header
from nats.js.errors import NotFoundError
from sqlalchemy import text

from deploy.operations.services import Service
from shared.identifiers import new_id
from shared.messaging.broker import stream_of
from shared.messaging.consumer import Copy, Subscription

BATCH: Final = 500


@dataclass
class Gap:
    """Events that should be somewhere and are not, or the other way round."""

    where: str
    what: str
    events: list[UUID] = field(default_factory=list)


@dataclass
class StreamReport:
    """What was found about the facts of one service."""

    service: str
    logged: int
    waiting: int
    streamed: int
    gaps: list[Gap] = field(default_factory=list)
    consumers: list["ConsumerReport"] = field(default_factory=list)


@dataclass
class ConsumerReport:
    """How far a consumer is. `behind` is normal for moments; `missing` never is."""

    durable: str
    behind: int
    dead_letters: int


async def reconcile(service: Service, others: Iterable[Service], nats: Client) -> StreamReport:
    """Compare one publisher with its stream and with everyone who listens to it."""
    logged, waiting = await told(service)
    streamed = await on_stream(nats, service.name)
    report = StreamReport(service.name, len(logged), waiting, len(streamed))
    missing = [event for event in logged if event not in streamed]
    if missing:
        report.gaps.append(Gap(stream_of(service.name), "missing from the stream", missing))
    unknown = [event for event in streamed if event not in logged]
    if unknown and waiting == 0:
        report.gaps.append(Gap(stream_of(service.name), "unknown to the service", unknown))
    for other in others:
        for subscription in other.subscriptions:
            if subscription.event.publisher == service.name:
                await _compare_consumer(service, other, subscription, logged, nats, report)
    return report


async def told(service: Service) -> tuple[dict[UUID, str], int]:
    """Every event that a service has sent, with its subject, and how many still wait."""
    async with service.database() as (engine, _), engine.connect() as connection:
        rows = await connection.execute(
            text("SELECT event_id, subject FROM event_log ORDER BY position")
        )
        logged = {row.event_id: row.subject for row in rows}
        waiting = await connection.scalar(text("SELECT count(*) FROM outbox"))
    return logged, waiting or 0


async def on_stream(nats: Client, service: str) -> set[UUID]:
    """Ids of every event on the stream of a service; empty if there is no stream."""
    jetstream = nats.jetstream(timeout=5)
    name = f"reconcile-{new_id().hex[-12:]}"
    try:
        await jetstream.add_consumer(
            stream_of(service),
            ConsumerConfig(
                name=name,
                deliver_policy=DeliverPolicy.ALL,
                ack_policy=AckPolicy.NONE,
                headers_only=True,
                inactive_threshold=30,
                mem_storage=True,
            ),
        )
    except NotFoundError:
        return set()
    pull = await jetstream.pull_subscribe_bind(consumer=name, stream=stream_of(service))
    found: set[UUID] = set()
    try:
        info = await jetstream.consumer_info(stream_of(service), name)
        left = info.num_pending or 0
        while left > 0:
            try:
                messages = await pull.fetch(min(BATCH, left), timeout=5)
            except NatsTimeout:
                break
            left -= len(messages)
            found.update(
                UUID(message.headers[Header.MSG_ID].partition(".")[0])
                for message in messages
                if message.headers and Header.MSG_ID in message.headers
            )
    finally:
        await pull.unsubscribe()
        await jetstream.delete_consumer(stream_of(service), name)
    return found


async def _compare_consumer(
    service: Service,
    other: Service,
    subscription: Subscription[Any],
    logged: dict[UUID, str],
    nats: Client,
    report: StreamReport,
) -> None:
    try:
        info = await nats.jetstream(timeout=5).consumer_info(
            subscription.stream, subscription.durable
        )
        behind = (info.num_pending or 0) + (info.num_ack_pending or 0)
    except NotFoundError:
        behind = len(logged)
    async with other.database() as (engine, _), engine.connect() as connection:
        dead = await connection.scalar(
            text("SELECT count(*) FROM dead_letter WHERE consumer = :c AND settled_at IS NULL"),
            {"c": subscription.durable},
        )
    report.consumers.append(ConsumerReport(subscription.durable, behind, dead or 0))
    if behind:
        return
    missed = (
        await _stale_copies(service, other, subscription)
        if isinstance(subscription, Copy)
        else await _unseen(other, subscription, logged)
    )
    if missed:
        report.gaps.append(Gap(subscription.durable, "never took effect", missed))


async def _unseen(
    other: Service, subscription: Subscription[Any], logged: dict[UUID, str]
) -> list[UUID]:
    """Events of the last weeks that are neither in the inbox nor among the dead letters."""
    pattern = re.compile(
        subscription.event.nats_filter().replace(".", r"\.").replace("*", r"[^.]+") + "$"
    )
    async with other.database() as (engine, _), engine.connect() as connection:
        since = await connection.scalar(
            text("SELECT min(received_at) FROM inbox WHERE consumer = :c"),
            {"c": subscription.durable},
        )
        seen = set(
            await connection.scalars(
                text("SELECT event_id FROM inbox WHERE consumer = :c"), {"c": subscription.durable}
            )
        )
        buried = set(
            await connection.scalars(
                text(
                    "SELECT convert_from(body, 'UTF8')::jsonb ->> 'id' FROM dead_letter"
                    " WHERE consumer = :c AND reason NOT LIKE 'unreadable%'"
                ),
                {"c": subscription.durable},
            )
        )
    return [
        event
        for event, subject in logged.items()
        if pattern.match(subject)
        and event not in seen
        and str(event) not in buried
        # Ids of version 7 begin with the time: older ones may have been pruned from the inbox.
        and (since is None or _milliseconds(event) >= since.timestamp() * 1000 - 60_000)
    ]


def _milliseconds(event: UUID) -> int:
    return event.int >> 80


async def _stale_copies(service: Service, other: Service, copy: Copy[Any]) -> list[UUID]:
    """For each entity whose copy is older than its owner's state: the newest event about it."""
    entity = copy.event.entity
    table = copy.table.__tablename__
    [key] = [column.name for column in copy.table.__table__.primary_key]
    async with service.database() as (_, sessions), sessions() as session:
        states = (await service.all_states(session))[entity]
        owned = {str(getattr(state, state.key)): state.version for state in states}
        newest = await session.execute(
            text(
                "SELECT DISTINCT ON (split_part(subject, '.', 4)) event_id,"
                " split_part(subject, '.', 4) AS entity_id FROM event_log"
                " WHERE split_part(subject, '.', 3) = :entity"
                " ORDER BY split_part(subject, '.', 4), position DESC"
            ),
            {"entity": entity},
        )
        events = {row.entity_id: row.event_id for row in newest}
    async with other.database() as (engine, _), engine.connect() as connection:
        rows = await connection.execute(text(f"SELECT {key} AS key, version FROM {table}"))  # noqa: S608
        copied = {str(row.key): row.version for row in rows}
    return [
        events[entity_id]
        for entity_id, version in owned.items()
        if copied.get(entity_id) != version and entity_id in events
    ]


async def publish_again(service: Service, events: Iterable[UUID], nats: Client) -> int:
    """Publish events from the log once more, in their order.

    The message id gets a suffix, because the broker would drop a copy of what it has seen within
    its window, also when it has lost it since. Consumers go by the id in the event.
    """
    wanted = set(events)
    count = 0
    async with service.database() as (engine, _), engine.connect() as connection:
        rows = await connection.execute(
            text(
                "SELECT event_id, subject, body FROM event_log"
                " WHERE event_id = ANY(:ids) ORDER BY position"
            ),
            {"ids": sorted(wanted)},
        )
        for row in rows:
            await nats.jetstream(timeout=5).publish(
                row.subject,
                row.body,
                stream=stream_of(service.name),
                headers={Header.MSG_ID.value: f"{row.event_id}.{new_id().hex[-8:]}"},
            )
            count += 1
    return count
