"""A publishing and a reading service without their code."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from nats.aio.client import Client
from nats.js import JetStreamContext
from nats.js.errors import NotFoundError
from pydantic import SecretStr
from sqlalchemy.ext.asyncio import create_async_engine

from shared.clock import utc_now
from shared.database import PlainConnection
from shared.messaging.broker import connected, stream_config, stream_of
from shared.messaging.partitions import ensure_partitions
from shared.messaging.tables import MessagingBase
from shared.settings import Settings
from tests.benchmarks.backbone.events import Base
from tests.benchmarks.servers import Servers, durable_servers

PUBLISHER = "projects"
READER = "notifications"


@dataclass(frozen=True)
class Place:
    """Databases of both services, with the tables of messaging and of `events`, and a stream."""

    servers: Servers
    client: Client

    @property
    def state(self) -> Path:
        return self.servers.state

    @property
    def jetstream(self) -> JetStreamContext:
        return self.client.jetstream(timeout=30)

    def settings(self, service: str) -> Settings:
        return self.servers.settings(service, log_level="warning")

    async def connect(self, service: str) -> PlainConnection:
        return await self.servers.connect(service)

    async def empty(self) -> None:
        """Remove all events and everything that was made of them."""
        for service in (PUBLISHER, READER):
            connection = await self.connect(service)
            names = await connection.fetch(
                "SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace"
                " AND relkind IN ('r', 'p') AND NOT relispartition"
            )
            await connection.execute(f"TRUNCATE {', '.join(name['relname'] for name in names)}")
            await connection.close()
        await self.empty_stream()

    async def empty_stream(self) -> None:
        """Make the stream anew; the relay takes it for lost and finds nothing to refill."""
        with suppress(NotFoundError):
            await self.jetstream.delete_stream(stream_of(PUBLISHER))
        await self.jetstream.add_stream(stream_config(PUBLISHER, 1))

    @asynccontextmanager
    async def relay(self) -> AsyncIterator[int]:
        """Run our relay as a process of its own."""
        module = "tests.benchmarks.backbone.processes"
        async with self.servers.process(
            PUBLISHER, module, "relay", place=10, log_level="warning"
        ) as pid:
            yield pid

    @asynccontextmanager
    async def consumer(self, seen: Path) -> AsyncIterator[int]:
        """Run our consumer as a process of its own, which writes to `seen` when it ends."""
        module = "tests.benchmarks.backbone.processes"
        async with self.servers.process(
            READER, module, "consumer", str(seen), place=11, log_level="warning"
        ) as pid:
            yield pid


@asynccontextmanager
async def backbone(state: Path) -> AsyncIterator[Place]:
    async with durable_servers(state, (PUBLISHER, READER)) as servers:
        settings = servers.settings(PUBLISHER, nats_url=SecretStr(servers.nats.url("operator")))
        async with connected(settings, name="benchmark") as client:
            place = Place(servers, client)
            for service in (PUBLISHER, READER):
                await _create_tables(place, service)
            await place.empty_stream()
            yield place


async def _create_tables(place: Place, service: str) -> None:
    engine = create_async_engine(place.settings(service).database_url.get_secret_value())
    async with engine.begin() as session:
        await session.run_sync(MessagingBase.metadata.create_all)
        await session.run_sync(Base.metadata.create_all)
    await engine.dispose()
    connection = await place.connect(service)
    await ensure_partitions(connection, utc_now())
    await connection.close()
