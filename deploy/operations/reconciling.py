"""Compares what services have told with what the stream holds and what the others have taken in.

The databases are the truth. A gap in the stream or at a consumer is closed by publishing the event
again; consumers know events they have had.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.js import JetStreamContext
from nats.js.api import AckPolicy, ConsumerConfig, DeliverPolicy, Header
from nats.js.errors import NotFoundError
from pydantic_core import from_json
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from deploy.operations.services import Service
from shared.clock import utc_now
from shared.identifiers import new_id
from shared.messaging.broker import stream_of
from shared.messaging.consumer import Copy, Subscription

BATCH: Final = 500

AGAIN: Final = """
    WITH wanted AS (SELECT DISTINCT subject FROM event_log WHERE event_id = ANY(:ids))
    SELECT event_id, subject, body FROM event_log
    WHERE event_id = ANY(:ids) OR position IN (
        SELECT max(position) FROM event_log JOIN wanted USING (subject) GROUP BY subject
    )
    ORDER BY position
"""


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
    """Compare one publisher with its stream and with everyone who listens to it.

    All of them may be at work. We look along the way that facts take, so that what is on its way
    while we look is no gap.
    """
    logged, newest, waiting = await told(service)
    streamed = await on_stream(nats, service.name)
    recorded = await recorded_by(service)
    report = StreamReport(service.name, len(logged), waiting, len(streamed))
    missing = [event for event in logged if event not in streamed]
    if missing:
        report.gaps.append(Gap(stream_of(service.name), "missing from the stream", missing))
    unknown = sorted(streamed - recorded)
    if unknown:
        report.gaps.append(Gap(stream_of(service.name), "unknown to the service", unknown))
    for other in others:
        heard = [one for one in other.subscriptions if one.event.publisher == service.name]
        async with other.database() as (engine, _), engine.connect() as connection:
            for subscription in heard:
                await _compare_consumer(connection, subscription, logged, newest, nats, report)
    return report


@dataclass(frozen=True)
class Newest:
    """The newest fact that was told about an entity.

    After `good_until` nobody needs to know it any more, and copies forget it.
    """

    event_id: UUID
    entity: str
    entity_id: str
    version: int
    good_until: datetime | None


async def told(service: Service) -> tuple[dict[UUID, str], list[Newest], int]:
    """What a service has sent.

    Returns:
        Every event with its subject; the newest event about each entity; how many still wait.
    """
    async with service.database() as (engine, _), engine.connect() as connection:
        rows = await connection.execute(
            text("SELECT event_id, subject FROM event_log ORDER BY position")
        )
        logged = {row.event_id: row.subject for row in rows}
        latest = await connection.execute(
            text(
                "SELECT DISTINCT ON (entity, entity_id) event_id,"
                " split_part(subject, '.', 3) AS entity, split_part(subject, '.', 4) AS entity_id,"
                " CAST(convert_from(body, 'UTF8')::jsonb ->> 'entityversion' AS bigint) AS version,"
                " CAST(convert_from(body, 'UTF8')::jsonb #>> '{data,state,good_until}'"
                " AS timestamptz) AS good_until"
                " FROM event_log ORDER BY entity, entity_id, position DESC"
            )
        )
        newest = [Newest(*row) for row in latest]
        waiting = await connection.scalar(text("SELECT count(*) FROM outbox"))
    return logged, newest, waiting or 0


async def recorded_by(service: Service) -> set[UUID]:
    """Every event that a service has sent or is about to send."""
    async with service.database() as (engine, _), engine.connect() as connection:
        return set(
            await connection.scalars(
                text("SELECT event_id FROM event_log UNION ALL SELECT event_id FROM outbox")
            )
        )


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
        left = await _pending(jetstream, service, name)
        while left > 0:
            try:
                messages = await pull.fetch(min(BATCH, left), timeout=5)
            except TimeoutError:
                # Some may have been deleted; a slow broker is no reason to speak of a gap.
                left = min(left, await _pending(jetstream, service, name))
                continue
            left -= len(messages)
            found.update(id_ for message in messages if (id_ := _event_id(message)) is not None)
    finally:
        await pull.unsubscribe()
        await jetstream.delete_consumer(stream_of(service), name)
    return found


async def _pending(jetstream: JetStreamContext, service: str, consumer: str) -> int:
    info = await jetstream.consumer_info(stream_of(service), consumer)
    return info.num_pending or 0


def _event_id(message: Msg) -> UUID | None:
    """Read the event's id from the message's; nothing if it is no message of a relay."""
    written = (message.headers or {}).get(Header.MSG_ID, "")
    try:
        return UUID(written.partition(".")[0])
    except ValueError:
        return None


async def _compare_consumer(
    connection: AsyncConnection,
    subscription: Subscription[Any],
    logged: dict[UUID, str],
    newest: list[Newest],
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
    dead = await connection.scalar(
        text("SELECT count(*) FROM dead_letter WHERE consumer = :c AND settled_at IS NULL"),
        {"c": subscription.durable},
    )
    report.consumers.append(ConsumerReport(subscription.durable, behind, dead or 0))
    if behind:
        return
    missed = (
        await _stale_copies(connection, subscription, newest)
        if isinstance(subscription, Copy)
        else await _unseen(connection, subscription, logged)
    )
    if missed:
        report.gaps.append(Gap(subscription.durable, "never took effect", missed))


async def _unseen(
    connection: AsyncConnection, subscription: Subscription[Any], logged: dict[UUID, str]
) -> list[UUID]:
    """Events of the last weeks that are neither in the inbox nor among the dead letters."""
    pattern = re.compile(
        subscription.event.nats_filter().replace(".", r"\.").replace("*", r"[^.]+") + "$"
    )
    mine = {"c": subscription.durable}
    since = await connection.scalar(
        text("SELECT min(received_at) FROM inbox WHERE consumer = :c"), mine
    )
    seen = set(
        await connection.scalars(text("SELECT event_id FROM inbox WHERE consumer = :c"), mine)
    )
    bodies = await connection.scalars(
        text("SELECT body FROM dead_letter WHERE consumer = :c AND reason NOT LIKE 'unreadable%'"),
        mine,
    )
    # Not asked of PostgreSQL, whose JSON cannot hold every text that is in these.
    buried = {UUID(from_json(body)["id"]) for body in bodies}
    return [
        event
        for event, subject in logged.items()
        if pattern.match(subject)
        and event not in seen
        and event not in buried
        # Ids of version 7 begin with the time: older ones may have been pruned from the inbox.
        and (since is None or _milliseconds(event) >= since.timestamp() * 1000 - 60_000)
    ]


def _milliseconds(event: UUID) -> int:
    return event.int >> 80


async def _stale_copies(
    connection: AsyncConnection, copy: Copy[Any], newest: list[Newest]
) -> list[UUID]:
    """For each entity whose copy is older than what was told of it: the newest event about it."""
    table = copy.table.__tablename__
    [key] = [column.name for column in copy.table.__table__.primary_key]
    rows = await connection.execute(text(f"SELECT {key} AS key, version FROM {table}"))  # noqa: S608
    copied = {str(row.key): row.version for row in rows}
    now = utc_now()
    return [
        one.event_id
        for one in newest
        if one.entity == copy.event.entity
        and copied.get(one.entity_id, 0) < one.version
        and (one.good_until is None or one.good_until > now)
    ]


async def publish_again(service: Service, events: Iterable[UUID], nats: Client) -> int:
    """Publish events from the log once more, in their order.

    The message id gets a suffix, because the broker would drop a copy of what it has seen within
    its window, also when it has lost it since. Consumers go by the id in the event.

    The newest event of each subject follows again: a new read model begins with the last one of
    each subject, which must not be an older one that we have published late.

    Returns:
        How many of `events` were published.
    """
    wanted = set(events)
    count = 0
    async with service.database() as (engine, _), engine.connect() as connection:
        rows = await connection.execute(text(AGAIN), {"ids": sorted(wanted)})
        for row in rows:
            await nats.jetstream(timeout=5).publish(
                row.subject,
                row.body,
                stream=stream_of(service.name),
                headers={Header.MSG_ID.value: f"{row.event_id}.{new_id().hex[-8:]}"},
            )
            count += row.event_id in wanted
    return count
