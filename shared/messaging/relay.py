"""Sends what waits in the outbox to the stream of the service.

One relay of a service is active at a time; the others wait for its lock. That keeps the order of
one entity's facts without partitions, and one relay is several times faster than the writers.

A batch leaves the outbox, enters the event log and is published in one transaction, committed only
after the broker has confirmed. A crash between confirmation and commit sends the batch again; the
message id lets the broker drop the copies, and consumers tolerate them if it no longer can.

When the stream is missing, or was created at another moment than last time, the broker has lost
its disk: the relay makes the stream and refills it from the event log before it goes on.
"""

import asyncio
import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final
from uuid import uuid4

import asyncpg
import structlog
from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.errors import Error as NatsError
from nats.js.api import Header, PubAck
from nats.js.errors import APIError, NotFoundError

from shared.clock import utc_now
from shared.database import PlainConnection, asyncpg_dsn
from shared.messaging.broker import ensure_stream, stream_of
from shared.messaging.partitions import ensure_partitions
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

LOCK: Final = "SELECT pg_try_advisory_lock(hashtext('renkei.relay'))"

TAKE: Final = """
    WITH taken AS (
        DELETE FROM outbox WHERE position IN (
            SELECT position FROM outbox ORDER BY position LIMIT $1 FOR UPDATE SKIP LOCKED
        )
        RETURNING recorded_at, position, event_id, subject, body
    )
    INSERT INTO event_log (recorded_at, position, event_id, subject, body)
    SELECT recorded_at, position, event_id, subject, body FROM taken
    RETURNING position, event_id, subject, body
"""

REFILL: Final = """
    SELECT position, event_id, subject, body FROM event_log
    WHERE position > $1 ORDER BY position LIMIT $2
"""


class NotPublished(Exception):  # noqa: N818 -- named by what the caller meets
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
        pause = self.settings.retry_seconds
        while True:
            try:
                connection = await asyncpg.connect(
                    asyncpg_dsn(self.settings),
                    timeout=self.settings.publish_seconds,
                    server_settings={"application_name": f"{self.service}-relay"},
                )
                try:
                    while not await connection.fetchval(LOCK):  # noqa: ASYNC110 -- held elsewhere
                        await asyncio.sleep(self.settings.relay_poll_seconds)
                    RELAY_ACTIVE.set(1)
                    if on_active is not None:
                        on_active.set()
                    await self._send_until_trouble(connection, wake)
                finally:
                    RELAY_ACTIVE.set(0)
                    # Closing politely could wait for a server that is gone.
                    connection.terminate()
            except (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
                log.warning("relay.interrupted", error=repr(error), retry_seconds=pause)
            except (NatsError, NotPublished) as error:
                OUTBOX_PUBLISH_FAILURES.labels(reason=type(error).__name__).inc()
                log.warning("relay.not_published", error=repr(error), retry_seconds=pause)
            else:
                pause = self.settings.retry_seconds
                continue
            await asyncio.sleep(pause)
            pause = min(pause * 2, self.settings.retry_seconds_max)

    async def _send_until_trouble(self, connection: PlainConnection, wake: asyncio.Event) -> None:
        await ensure_partitions(connection, utc_now())
        await self.ensure_filled_stream(connection)
        next_partitions = self._tomorrow()
        while True:
            wake.clear()
            sent = await self.send_waiting(connection)
            if sent == 0:
                if utc_now() >= next_partitions:
                    await ensure_partitions(connection, utc_now())
                    next_partitions = self._tomorrow()
                await self._measure(connection)
                try:
                    await asyncio.wait_for(wake.wait(), self.settings.relay_poll_seconds)
                except TimeoutError:
                    await connection.execute("SELECT 1")  # notices a database that has gone
                continue
            if sent < self.settings.relay_batch:
                # More is about to come; a moment's patience makes one batch of it.
                await asyncio.sleep(self.settings.relay_linger_seconds)

    @staticmethod
    def _tomorrow() -> datetime:
        now = utc_now()
        return datetime.fromtimestamp(now.timestamp() + 86_400, UTC)

    async def send_waiting(self, connection: PlainConnection) -> int:
        """Send up to one batch of waiting events in the order they were recorded.

        Returns:
            How many were sent.

        Raises:
            NotPublished: the broker did not confirm; everything waits as before.
        """
        async with connection.transaction():
            rows = await connection.fetch(TAKE, self.settings.relay_batch)
            if rows:
                rows.sort(key=lambda row: row["position"])
                await self._publish_or_restore_stream(connection, rows)
        OUTBOX_PUBLISHED.inc(len(rows))
        return len(rows)

    async def _publish_or_restore_stream(
        self, connection: PlainConnection, rows: Sequence[Any]
    ) -> None:
        try:
            await self.publish(rows)
        except (NotPublished, NatsError):
            # Was it the stream that is missing? The rows at hand are sent after what came before.
            await self.ensure_filled_stream(connection, before=rows[0]["position"])
            await self.publish(rows)

    async def ensure_filled_stream(
        self, connection: PlainConnection, *, before: int | None = None
    ) -> None:
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
        refilled = await self.refill(connection, before=before)
        log.warning("stream.refilled", stream=name, events=refilled)
        await connection.execute(
            "INSERT INTO known_stream (name, created_at) VALUES ($1, $2)"
            " ON CONFLICT (name) DO UPDATE SET created_at = excluded.created_at",
            name,
            created_at,
        )

    async def refill(self, connection: PlainConnection, *, before: int | None = None) -> int:
        """Publish the event log again, oldest first; the broker drops what it still has.

        Args:
            connection: to the service's database.
            before: stop at this position, because the caller sends from there on.
        """
        position, count = 0, 0
        while rows := await connection.fetch(REFILL, position, self.settings.relay_batch):
            position = rows[-1]["position"]
            rows = [row for row in rows if before is None or row["position"] < before]
            if not rows:
                break
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
        stream = stream_of(self.service)
        headers: dict[str, str] = {}
        for number, row in enumerate(rows, start=1):
            headers = {
                Header.MSG_ID: str(row["event_id"]),
                Header.EXPECTED_STREAM: stream,
                Header.BATCH_ID: batch,
                Header.BATCH_SEQUENCE: str(number),
            }
            if number < len(rows):
                await self.nats.publish(row["subject"], row["body"], headers=headers)
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
        ensure_stored(answer.data)

    async def _publish_one_by_one(self, rows: Sequence[Any]) -> None:
        jetstream = self.nats.jetstream()
        stream = stream_of(self.service)
        # One after another per entity would be slower; the connection keeps the order of sending.
        confirmations = [
            await jetstream.publish_async(
                row["subject"],
                row["body"],
                stream=stream,
                headers={Header.MSG_ID: str(row["event_id"])},
            )
            for row in rows
        ]
        try:
            async with asyncio.timeout(self.settings.publish_seconds):
                for confirmation in confirmations:
                    await confirmation
        except (NatsError, APIError, NotFoundError, TimeoutError, asyncio.CancelledError) as error:
            # A confirmation that never comes would keep its slot for good.
            for confirmation in confirmations:
                confirmation.cancel()
            if isinstance(error, asyncio.CancelledError):
                raise
            raise NotPublished(f"no confirmation of {len(rows)} events: {error!r}") from error

    async def _measure(self, connection: PlainConnection) -> None:
        pending, oldest = await connection.fetchrow(
            "SELECT count(*), extract(epoch FROM now() - min(recorded_at))::float8 FROM outbox"
        ) or (0, None)
        OUTBOX_PENDING.set(pending)
        OUTBOX_OLDEST_SECONDS.set(oldest or 0)


def ensure_stored(answer: bytes) -> None:
    """Read the broker's answer to a publication.

    Raises:
        APIError: it refused.
    """
    parsed = json.loads(answer or b"{}")
    if "error" in parsed:
        raise APIError.from_error(parsed["error"])
    PubAck.from_response(parsed)
