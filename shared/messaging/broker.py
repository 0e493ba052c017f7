"""The connection to NATS, and the streams and consumers that we expect there."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime
from typing import Any, Final

import nats
import structlog
from nats.aio.client import Client
from nats.errors import ConnectionClosedError
from nats.js import JetStreamContext
from nats.js.api import (
    AckPolicy,
    ConsumerConfig,
    DeliverPolicy,
    DiscardPolicy,
    RetentionPolicy,
    StorageType,
    StreamConfig,
)
from nats.js.errors import NotFoundError

from shared.messaging.patience import stop_if_cancelled
from shared.settings import Settings
from shared.telemetry import NATS_CONNECTED, NATS_RECONNECTS

log = structlog.get_logger(__name__)

DUPLICATE_WINDOW_SECONDS: Final = 600


def stream_of(service: str) -> str:
    """`EVT_PROJECTS`: one stream per publishing service, as atomic batches do not span streams."""
    return f"EVT_{service.upper()}"


def stream_config(service: str, replicas: int) -> StreamConfig:
    """Describe the stream of a service: kept for good, refusing rather than dropping when full."""
    return StreamConfig(
        name=stream_of(service),
        description=f"Facts published by the {service} service",
        subjects=[f"evt.{service}.>"],
        retention=RetentionPolicy.LIMITS,
        storage=StorageType.FILE,
        discard=DiscardPolicy.NEW,
        num_replicas=replicas,
        duplicate_window=DUPLICATE_WINDOW_SECONDS,
        allow_atomic=True,
        allow_direct=True,
        deny_delete=False,
    )


def consumer_config(
    durable: str,
    filters: list[str],
    settings: Settings,
    *,
    every: bool,
    in_order: bool = False,
) -> ConsumerConfig:
    """Describe a durable pull consumer.

    One that does not need `every` fact begins with the last of each kind about each entity: facts
    carry the whole state, so a new read model need not read all of history.

    One that handles facts `in_order` has one batch at hand at a time.

    `max_deliver` stays unlimited: a message is given up by us, with a row that says why, never by
    the broker, which would skip it in silence.
    """
    return ConsumerConfig(
        durable_name=durable,
        filter_subjects=filters,
        deliver_policy=DeliverPolicy.ALL if every else DeliverPolicy.LAST_PER_SUBJECT,
        ack_policy=AckPolicy.EXPLICIT,
        ack_wait=settings.consumer_ack_seconds,
        max_deliver=-1,
        max_ack_pending=settings.consumer_batch * (1 if in_order else 10),
    )


@asynccontextmanager
async def connected(
    settings: Settings, *, name: str, first_seconds: float | None = None
) -> AsyncIterator[Client]:
    """Connect to NATS and stay connected: the client tries again for ever, from the start on.

    The client buffers nothing while it is away (`pending_size=0` would also stop normal bursts, so
    publishers use deadlines instead): the outbox is our buffer.

    Args:
        settings: where NATS is.
        name: how NATS shows the connection.
        first_seconds: how long to try the first time, where somebody waits for it.

    Raises:
        TimeoutError: `first_seconds` are over.
    """

    async def disconnected() -> None:
        NATS_CONNECTED.set(0)
        if not client.is_closed:  # by us
            log.warning("nats.disconnected")

    async def reconnected() -> None:
        NATS_CONNECTED.set(1)
        NATS_RECONNECTS.inc()
        log.info("nats.reconnected")

    async def failed(error: Exception) -> None:
        log.warning("nats.error", error=str(error), kind=type(error).__name__)

    url = settings.nats_url.get_secret_value()
    client: Client = nats.NATS()  # type: ignore[attr-defined]
    try:
        async with asyncio.timeout(first_seconds):
            await client.connect(
                url,
                name=name,
                allow_reconnect=True,
                max_reconnect_attempts=-1,
                reconnect_time_wait=0.25,  # type: ignore[arg-type]  # fractions work
                connect_timeout=2,
                ping_interval=5,
                max_outstanding_pings=2,
                disconnected_cb=disconnected,
                reconnected_cb=reconnected,
                error_cb=failed,
            )
        stop_if_cancelled()
    except (TimeoutError, asyncio.CancelledError):
        await client.close()
        raise
    NATS_CONNECTED.set(1)
    try:
        yield client
    finally:
        # drain() would wait its whole time limit on pull subscriptions that were used.
        try:
            await asyncio.wait_for(client.flush(), 1)
        except (TimeoutError, ConnectionClosedError, nats.errors.Error):
            log.debug("nats.not_flushed")
        await client.close()


async def ensure_stream(jetstream: JetStreamContext, service: str, replicas: int) -> datetime:
    """Make the stream of `service` unless it is there.

    Returns:
        When the stream there was created: another moment than last time means that it was lost.
    """
    try:
        found = await stream_created_at(jetstream, service)
    except NotFoundError:
        await jetstream.add_stream(stream_config(service, replicas))
        found = await stream_created_at(jetstream, service)
        log.info("stream.created", stream=stream_of(service))
    return found


async def stream_created_at(jetstream: JetStreamContext, service: str) -> datetime:
    """Tell when the stream of `service` was created.

    Raises:
        NotFoundError: it is not there.
    """
    info = await raw_request(jetstream, f"STREAM.INFO.{stream_of(service)}")
    return datetime.fromisoformat(info["created"])


async def raw_request(jetstream: JetStreamContext, name: str, body: bytes = b"") -> dict[str, Any]:
    """Ask the JetStream API what the client library has no call or no field for."""
    answer: dict[str, Any] = await jetstream._api_request(  # noqa: SLF001 -- no public way
        f"$JS.API.{name}", body, timeout=5
    )
    return answer
