"""The servers that the backbone is measured on: durable, as in earnest, and of our own."""

import asyncio
import os
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import asyncpg
import psutil
from nats.aio.client import Client
from nats.js import JetStreamContext
from nats.js.errors import NotFoundError
from pydantic import SecretStr
from sqlalchemy.ext.asyncio import create_async_engine

from deploy.embedded.child import Child
from deploy.embedded.layout import NATS_USERS, REPOSITORY, Ports, reserved_base_port
from deploy.embedded.nats import Nats
from deploy.embedded.postgres import Postgres
from deploy.embedded.probes import http_probe
from shared.clock import utc_now
from shared.database import PlainConnection, asyncpg_dsn
from shared.messaging.broker import connected, stream_config, stream_of
from shared.messaging.partitions import ensure_partitions
from shared.messaging.tables import MessagingBase
from shared.settings import Settings
from tests.benchmarks.backbone.events import Base

PUBLISHER = "projects"
READER = "notifications"
_PASSWORD = "for-benchmarks-only"
_READY_SECONDS = 30.0


@dataclass(frozen=True)
class Place:
    """A publishing and a reading service without their code: databases, users and a broker."""

    state: Path
    ports: Ports
    postgres: Postgres
    nats: Nats
    client: Client

    @property
    def jetstream(self) -> JetStreamContext:
        return self.client.jetstream(timeout=30)

    def settings(self, service: str, *, listen_port: int = 0) -> Settings:
        database = self.postgres.url(service, _PASSWORD, f"renkei_{service}")
        return Settings(
            database_url=SecretStr(database.replace("postgresql", "postgresql+asyncpg", 1)),
            nats_url=SecretStr(self.nats.url(service)),
            issuer="https://renkei.example",
            jwks_url="https://renkei.example/oauth/jwks",
            listen_port=listen_port,
            log_level="warning",
        )

    async def connect(self, service: str) -> PlainConnection:
        return await asyncpg.connect(asyncpg_dsn(self.settings(service)))

    async def empty(self) -> None:
        """Remove all events and everything that was made of them."""
        for service in (PUBLISHER, READER):
            connection = await self.connect(service)
            names = await connection.fetch(
                "SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace"
                " AND relkind IN ('r', 'p') AND NOT relispartition AND relname <> 'known_stream'"
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
    async def process(self, part: str, service: str, *arguments: str) -> AsyncIterator[int]:
        """Run a worker of ours as a process of its own.

        Yields:
            Its process id.
        """
        port = self.ports.service(10 + (service == READER))
        settings = self.settings(service, listen_port=port)
        environment = {
            f"RENKEI_{name.upper()}": value.get_secret_value()
            if isinstance(value, SecretStr)
            else str(value)
            for name, value in settings
            if value is not None
        }
        command = [sys.executable, "-m", "tests.benchmarks.backbone.processes", part, *arguments]
        with (self.state / f"{service}-{part}.log").open("ab") as log:
            process = subprocess.Popen(  # noqa: ASYNC220 -- returns at once
                command,
                cwd=REPOSITORY,
                env={**os.environ, **environment, "PYTHONPATH": str(REPOSITORY)},
                stdout=log,
                stderr=log,
            )
        try:
            async with asyncio.timeout(_READY_SECONDS):
                while not await http_probe(port, "/readyz")():  # noqa: ASYNC110 -- another process
                    await asyncio.sleep(0.05)
            yield process.pid
        finally:
            process.terminate()
            await asyncio.to_thread(process.wait)


@asynccontextmanager
async def backbone(state: Path) -> AsyncIterator[Place]:
    """Start PostgreSQL and NATS, durable as for the platform, with empty databases."""
    with reserved_base_port() as base:
        ports = Ports(base)
        postgres = Postgres(
            data=state / "postgres", port=ports.postgres, password=_PASSWORD, log=state / "pg.log"
        )
        nats = Nats(
            directory=state / "nats",
            port=ports.nats,
            monitor_port=ports.nats_monitor,
            passwords=dict.fromkeys(NATS_USERS, _PASSWORD),
        )
        await postgres.initialise()
        children = [
            Child(postgres.program(), log=postgres.log, changed=lambda: None),
            Child(nats.program(), log=state / "nats.log", changed=lambda: None),
        ]
        try:
            await asyncio.gather(*(child.start() for child in children))
            await postgres.create_service_databases(dict.fromkeys((PUBLISHER, READER), _PASSWORD))
            settings = Settings(
                database_url=SecretStr(""),
                nats_url=SecretStr(nats.url("operator")),
                issuer="",
                jwks_url="",
            )
            async with connected(settings, name="benchmark") as client:
                place = Place(state, ports, postgres, nats, client)
                for service in (PUBLISHER, READER):
                    await _create_tables(place, service)
                await place.empty_stream()
                yield place
        finally:
            await asyncio.gather(*(child.stop() for child in children))


async def _create_tables(place: Place, service: str) -> None:
    engine = create_async_engine(place.settings(service).database_url.get_secret_value())
    async with engine.begin() as connection:
        await connection.run_sync(MessagingBase.metadata.create_all)
        await connection.run_sync(Base.metadata.create_all)
    await engine.dispose()
    connection_ = await place.connect(service)
    await ensure_partitions(connection_, utc_now())
    await connection_.close()


def cpu_seconds(pid: int) -> float:
    """Processor time that a process has used so far."""
    times = psutil.Process(pid).cpu_times()
    return float(times.user + times.system)
