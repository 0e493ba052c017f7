"""A database with the messaging tables and things, and a name of its own at the broker."""

import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from uuid import uuid4

import pytest
from nats.aio.client import Client
from nats.js.errors import NotFoundError
from pydantic import SecretStr
from sqlalchemy.ext.asyncio import create_async_engine
from sqlalchemy.pool import AsyncAdaptedQueuePool

from deploy.embedded.child import Child
from deploy.embedded.layout import NATS_USERS, Ports, reserved_base_port
from deploy.embedded.nats import Nats
from shared.database import sessions_of
from shared.messaging.broker import connected, stream_of
from shared.messaging.tables import MessagingBase
from shared.settings import Settings
from tests.conftest import Database
from tests.servers import Servers, create_database
from tests.shared.outages import OwnNats
from tests.shared.things import Base, Place
from tests.web import environment


@pytest.fixture(scope="session")
async def things_database(servers: Servers) -> AsyncIterator[Database]:
    url = await create_database(servers)
    engine = create_async_engine(url, poolclass=AsyncAdaptedQueuePool, pool_size=20)
    async with engine.begin() as connection:
        await connection.run_sync(MessagingBase.metadata.create_all)
        await connection.run_sync(Base.metadata.create_all)
    yield Database("things", url, engine, sessions_of(engine))
    await engine.dispose()


@pytest.fixture
async def database(things_database: Database) -> AsyncIterator[Database]:
    yield things_database
    async with things_database.engine.begin() as connection:
        await connection.exec_driver_sql(EMPTY)


# Several times faster than TRUNCATE, for tables that hold a few rows.
TABLES = [*MessagingBase.metadata.tables, *Base.metadata.tables]
EMPTY = f"DO $$ BEGIN {' '.join(f'DELETE FROM {name};' for name in TABLES)} END $$"  # noqa: S608


@pytest.fixture
def settings(database: Database, servers: Servers) -> Settings:
    """Settings with pauses that a test can wait for."""
    return Settings(
        **environment(database, servers.nats_url),
        relay_poll_seconds=0.2,
        retry_seconds=0.05,
        retry_seconds_max=0.2,
        consumer_ack_seconds=2,
    )


@pytest.fixture(scope="session")
async def nats(servers: Servers) -> AsyncIterator[Client]:
    settings = Settings(**environment(nats_url=servers.nats_url))
    async with connected(settings, name="tests") as client:
        yield client


@pytest.fixture
async def place(database: Database, settings: Settings, nats: Client) -> AsyncIterator[Place]:
    publisher = f"things{uuid4().hex[:12]}"
    yield Place(publisher, database, settings, nats)
    try:
        await nats.jetstream(timeout=5).delete_stream(stream_of(publisher))
    except NotFoundError:
        return


@pytest.fixture
async def own_nats(tmp_path: Path) -> AsyncIterator[OwnNats]:
    with reserved_base_port() as base:
        ports = Ports(base)
        nats = Nats(
            directory=tmp_path / "nats",
            port=ports.nats,
            monitor_port=ports.nats_monitor,
            passwords=dict.fromkeys(NATS_USERS, "for-tests-only"),
            for_tests=True,
        )
        child = Child(nats.program(), log=tmp_path / "nats.log", changed=lambda: None)
        await child.start()
        try:
            yield OwnNats(SecretStr(nats.url("operator")), child)
        finally:
            await child.stop()


@pytest.fixture
def later(monkeypatch: pytest.MonkeyPatch) -> Callable[[float], None]:
    """Let the clock that measures pauses go on, for who reads keys."""
    passed, real = 0.0, time.monotonic

    def go_on(seconds: float) -> None:
        nonlocal passed
        passed += seconds

    monkeypatch.setattr("shared.http.identity.time.monotonic", lambda: real() + passed)
    return go_on
