"""Fills the read models of a service again from the streams, as if they were empty.

Meanwhile they keep what they knew: an empty copy of the members would let nobody write.
"""

import asyncio
from contextlib import suppress

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
                    await _until_quiet(copy, nats)
            finally:
                helping.cancel()
                await asyncio.gather(helping, return_exceptions=True)
            async with engine.begin() as connection:
                # What was not said again is not so.
                await connection.execute(text(f"DELETE FROM {table} WHERE version = 0"))  # noqa: S608
                rows = await connection.scalar(text(f"SELECT count(*) FROM {table}"))  # noqa: S608
            counts[table] = rows or 0
    return counts


async def _until_quiet(copy: Copy[object], nats: Client) -> None:  # type: ignore[type-var]
    while True:
        try:
            info = await nats.jetstream(timeout=5).consumer_info(copy.stream, copy.durable)
        except NotFoundError:
            info = None
        if info is not None and not info.num_pending and not info.num_ack_pending:
            return
        await asyncio.sleep(0.1)
