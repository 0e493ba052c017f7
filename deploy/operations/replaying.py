"""Fills the read models of a service again from the streams, as if they were empty.

Meanwhile they keep what they knew: an empty copy of the members would let nobody write.
"""

import asyncio
from contextlib import suppress
from typing import Any

from nats.aio.client import Client
from nats.js.errors import NotFoundError
from sqlalchemy import text

from deploy.operations.services import Service
from shared.messaging.consumer import Consumer, Copy


async def replay(service: Service, nats: Client, *, quiet_seconds: float = 120) -> dict[str, int]:
    """Rebuild every copy that a service keeps; its workers may go on meanwhile.

    Returns:
        How many rows each copy has afterwards.

    Raises:
        TimeoutError: the copies were not complete in `quiet_seconds`.
    """
    jetstream = nats.jetstream(timeout=5)
    counts: dict[str, int] = {}
    async with service.database() as (engine, sessions):
        for copy in service.copies:
            table = copy.table.__tablename__
            async with engine.begin() as connection:
                # Older than anything that will come, so that everything is overwritten.
                await connection.execute(text(f"UPDATE {table} SET version = 0"))  # noqa: S608
            with suppress(NotFoundError):
                await jetstream.delete_consumer(copy.stream, copy.durable)
            consumer = Consumer(copy, sessions, service.settings, nats)
            helping = asyncio.create_task(consumer.run())
            try:
                async with asyncio.timeout(quiet_seconds):
                    await until_quiet(copy, nats)
            finally:
                helping.cancel()
                await asyncio.gather(helping, return_exceptions=True)
            async with engine.begin() as connection:
                # What was not said again is not so.
                await connection.execute(text(f"DELETE FROM {table} WHERE version = 0"))  # noqa: S608
                rows = await connection.scalar(text(f"SELECT count(*) FROM {table}"))  # noqa: S608
            counts[table] = rows or 0
    return counts


async def until_quiet(copy: Copy[Any], nats: Client) -> None:
    """Wait until a consumer has delivered all there is, and been answered.

    One that is just being made seems to have nothing to do: it must have begun as well, unless
    nothing was ever said.
    """
    jetstream = nats.jetstream(timeout=5)
    while True:
        with suppress(NotFoundError):
            said = await jetstream.stream_info(copy.stream, copy.event.nats_filter())
            info = await jetstream.consumer_info(copy.stream, copy.durable)
            has_begun = info.delivered is not None and info.delivered.consumer_seq > 0
            is_done = not info.num_pending and not info.num_ack_pending
            if is_done and (has_begun or not said.state.subjects):
                return
        await asyncio.sleep(0.1)
