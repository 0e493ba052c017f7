"""Sends what waits in the outbox to the stream of the service.

One relay of a service is active at a time; the others wait for its lock. That keeps the order of
one entity's facts without partitions, and one relay is several times faster than the writers.

A batch leaves the outbox, enters the event log and is published in one transaction, committed only
after the broker has confirmed. A crash between confirmation and commit sends the batch again; the
message id lets the broker drop the copies, and consumers tolerate them if it no longer can.

When the stream is missing, or was created at another moment than last time, the broker has lost
its disk: the relay makes the stream and refills it from the event log before it goes on. It looks
whenever it begins, after each trouble, and every second.
"""

import asyncio
import json
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final
from uuid import uuid4

import asyncpg
import structlog
from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.errors import Error as NatsError
from nats.js.api import Header
from nats.js.errors import APIError

from shared.clock import utc_now
from shared.database import PlainConnection, asyncpg_dsn
from shared.messaging.broker import ensure_stream, stream_of
from shared.messaging.partitions import ensure_partitions
from shared.messaging.patience import Patience, stop_if_cancelled
from shared.settings import Settings
from shared.telemetry import (
    OUTBOX_OLDEST_SECONDS,
    OUTBOX_PENDING,
    OUTBOX_PUBLISH_FAILURES,
    OUTBOX_PUBLISHED,
    RELAY_ACTIVE,
)

log = structlog.get_logger(__name__)

ATOMIC_FROM: Final = 5
"""From this size on a batch is published as one: a single fsync of the broker instead of many."""

BATCH_BYTES: Final = 8_000_000
"""A batch of large events holds fewer of them, so that neither we nor the broker choke on it."""

LOCK: Final = "SELECT pg_try_advisory_lock(hashtext('renkei.relay'))"

KEEPALIVE: Final = {
    "tcp_keepalives_idle": "10",
    "tcp_keepalives_interval": "5",
    "tcp_keepalives_count": "3",
}
"""The database frees the lock of a relay whose machine has vanished within half a minute."""

TAKE: Final = """
    WITH taken AS (
        DELETE FROM outbox WHERE position = ANY (ARRAY(
            SELECT position FROM (
                SELECT position,
                       sum(length(body)) OVER (ORDER BY position) - length(body) AS bytes_before
                FROM (SELECT position, body FROM outbox ORDER BY position LIMIT $1) AS first
            ) AS measured
            WHERE bytes_before < $2
        ))
        RETURNING recorded_at, position, event_id, subject, body
    )
    INSERT INTO event_log (recorded_at, position, event_id, subject, body)
    SELECT recorded_at, position, event_id, subject, body FROM taken
    RETURNING position, event_id, subject, body
"""

REFILL_BATCH: Final = 200

REFILL: Final = "SELECT event_id, subject, body FROM event_log ORDER BY position"

MEASURE: Final = """
    SELECT count(*), extract(epoch FROM now() - min(recorded_at))::float8
    FROM (SELECT recorded_at FROM outbox ORDER BY position LIMIT 100000) AS first
"""


DATABASE_TROUBLE: Final = (
    asyncpg.PostgresError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,  # raised where a connection ends in the middle of an operation
)


class NotPublished(Exception):
    """The broker did not confirm in time; it may have stored the messages all the same."""


@dataclass(slots=True)
class Relay:
    """The relay of one service. `run` returns only when it is cancelled."""

    service: str
    settings: Settings
    nats: Client

    async def run(self, *, on_active: asyncio.Event | None = None) -> None:
        """Wait for the lock, then send for as long as the connections last; begin again."""
        wake = asyncio.Event()

        async def woken(_: Msg) -> None:
            wake.set()

        await self.nats.subscribe(f"wake.{self.service}", cb=woken)
        patience = Patience(self.settings)
        while True:
            try:
                connection = await asyncpg.connect(
                    asyncpg_dsn(self.settings),
                    timeout=self.settings.publish_seconds,
                    server_settings={"application_name": f"{self.service}-relay", **KEEPALIVE},
                )
                try:
                    while not await connection.fetchval(LOCK):  # noqa: ASYNC110 -- held elsewhere
                        await asyncio.sleep(self.settings.relay_poll_seconds)
                    RELAY_ACTIVE.set(1)
                    if on_active is not None:
                        on_active.set()
                    await self._send_until_trouble(connection, wake, patience)
                finally:
                    RELAY_ACTIVE.set(0)
                    # Closing politely could wait for a server that is gone.
                    connection.terminate()
            except (OSError, TimeoutError, *DATABASE_TROUBLE) as error:
                log.warning("relay.interrupted", error=repr(error))
            except (NatsError, NotPublished) as error:
                OUTBOX_PUBLISH_FAILURES.labels(reason=type(error).__name__).inc()
                log.warning("relay.not_published", error=repr(error))
            # Another relay may have more luck: the lock is free for the length of the pause.
            await patience.pause()

    async def _send_until_trouble(
        self, connection: PlainConnection, wake: asyncio.Event, patience: Patience
    ) -> None:
        look_at, partitions_at = 0.0, utc_now()
        while True:
            if utc_now() >= partitions_at:
                await ensure_partitions(connection, utc_now())
                partitions_at = utc_now() + timedelta(days=1)
            if time.monotonic() >= look_at:
                await self._look_around(connection)
                look_at = time.monotonic() + self.settings.relay_poll_seconds
            stop_if_cancelled()
            wake.clear()
            sent = await self.send_waiting(connection)
            patience.worked()
            if sent == 0:
                with suppress(TimeoutError):
                    async with asyncio.timeout(self.settings.relay_poll_seconds):
                        await wake.wait()
            elif sent < self.settings.relay_batch:
                # More is about to come; a moment's patience makes one batch of it.
                await asyncio.sleep(self.settings.relay_linger_seconds)

    async def _look_around(self, connection: PlainConnection) -> None:
        """See how much waits, and that the stream is there and the one we know."""
        waiting, oldest = await connection.fetchrow(MEASURE) or (0, None)
        OUTBOX_PENDING.set(waiting)
        OUTBOX_OLDEST_SECONDS.set(oldest or 0)
        await self.ensure_filled_stream(connection)

    async def send_waiting(self, connection: PlainConnection) -> int:
        """Send up to one batch of waiting events in the order they were recorded.

        Returns:
            How many were sent.

        Raises:
            NotPublished: the broker did not confirm; everything waits as before.
        """
        async with connection.transaction():
            rows = await connection.fetch(TAKE, self.settings.relay_batch, BATCH_BYTES)
            if rows:
                rows.sort(key=lambda row: row["position"])
                await self.publish(rows)
        OUTBOX_PUBLISHED.inc(len(rows))
        return len(rows)

    async def ensure_filled_stream(self, connection: PlainConnection) -> None:
        """Make the stream if it is missing, and refill it if it is not the one we knew."""
        name = stream_of(self.service)
        created_at = await ensure_stream(
            self.nats.jetstream(timeout=self.settings.publish_seconds),
            self.service,
            self.settings.stream_replicas,
        )
        known = await connection.fetchval("SELECT created_at FROM known_stream WHERE name=$1", name)
        if known == created_at:
            return
        refilled = await self.refill(connection)
        if known is not None or refilled:
            log.warning("stream.refilled", stream=name, events=refilled)
        await connection.execute(
            "INSERT INTO known_stream (name, created_at) VALUES ($1, $2)"
            " ON CONFLICT (name) DO UPDATE SET created_at = excluded.created_at",
            name,
            created_at,
        )

    async def refill(self, connection: PlainConnection) -> int:
        """Publish the event log again, oldest first; the broker drops what it still has."""
        count = 0
        async with connection.transaction(readonly=True):
            # A cursor, because the log is sorted only once for it, however long it is.
            logged = await connection.cursor(REFILL)
            while rows := await logged.fetch(REFILL_BATCH):
                await self.publish(rows)
                count += len(rows)
        return count

    async def publish(self, rows: Sequence[Any]) -> None:
        """Publish events in order and wait until the broker has all of them on its disk.

        Raises:
            NotPublished: it did not confirm in time, or refused.
        """
        if len(rows) >= ATOMIC_FROM:
            try:
                await self._publish_atomically(rows)
            except APIError as error:
                # One event that the stream already has makes the broker refuse the whole batch.
                log.info("relay.batch_refused", error=str(error), events=len(rows))
            else:
                return
        await self._publish_one_by_one(rows)

    async def _publish_atomically(self, rows: Sequence[Any]) -> None:
        batch = uuid4().hex
        # Once is enough, and each header costs time here and again at every consumer.
        headers: dict[str, str] = {Header.EXPECTED_STREAM: stream_of(self.service)}
        for number, row in enumerate(rows, start=1):
            headers[Header.MSG_ID] = str(row["event_id"])
            headers[Header.BATCH_ID] = batch
            headers[Header.BATCH_SEQUENCE] = str(number)
            if number < len(rows):
                await self.nats.publish(row["subject"], row["body"], headers=headers)
                headers = {}
        headers[Header.BATCH_COMMIT] = "1"
        last = rows[-1]
        try:
            answer = await self.nats.request(
                last["subject"],
                last["body"],
                timeout=self.settings.publish_seconds,
                headers=headers,
            )
        except (NatsError, TimeoutError) as error:
            raise NotPublished(f"no confirmation of {len(rows)} events: {error!r}") from error
        ensure_stored(answer.data, len(rows))

    async def _publish_one_by_one(self, rows: Sequence[Any]) -> None:
        # Each waits for the one before. With several under way, a connection that breaks could
        # lose a fact and deliver the following one, and the order would be wrong for good.
        jetstream = self.nats.jetstream()
        stream = stream_of(self.service)
        for row in rows:
            try:
                await jetstream.publish(
                    row["subject"],
                    row["body"],
                    timeout=self.settings.publish_seconds,
                    stream=stream,
                    headers={Header.MSG_ID: str(row["event_id"])},
                )
            except (NatsError, TimeoutError) as error:
                raise NotPublished(f"no confirmation of {row['event_id']}: {error!r}") from error


def ensure_stored(answer: bytes, count: int) -> None:
    """Read the broker's answer to a batch.

    Raises:
        APIError: it refused.
        NotPublished: it stored another number of messages than it was given.
    """
    parsed = json.loads(answer or b"{}")
    if "error" in parsed:
        raise APIError.from_error(parsed["error"])
    if parsed.get("count") != count:
        raise NotPublished(f"a batch of {count} events was answered with {parsed}")
