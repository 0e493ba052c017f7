from collections.abc import AsyncIterator

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

import shared.database
from shared.database import connect, sessions_of
from shared.settings import Settings
from tests.conftest import Database

MINE = "SELECT pg_backend_pid()"


@pytest.fixture
async def engine(settings: Settings) -> AsyncIterator[AsyncEngine]:
    engine = connect(settings, application="tests", pool_size=1)
    yield engine
    await engine.dispose()


async def backend(engine: AsyncEngine) -> int:
    async with sessions_of(engine)() as session:
        return int(await session.scalar(text(MINE)) or 0)


async def cut(database: Database, backend: int) -> None:
    async with database.sessions() as session:
        await session.execute(text("SELECT pg_terminate_backend(:pid, 5000)"), {"pid": backend})


async def test_a_connection_is_used_again(engine: AsyncEngine) -> None:
    first = await backend(engine)

    second = await backend(engine)

    assert second == first


@pytest.mark.parametrize("rested_seconds", [0.0, 60.0])
async def test_a_connection_that_was_cut_is_replaced(
    engine: AsyncEngine,
    database: Database,
    monkeypatch: pytest.MonkeyPatch,
    rested_seconds: float,
) -> None:
    monkeypatch.setattr(shared.database, "RESTED_SECONDS", rested_seconds)
    first = await backend(engine)
    await cut(database, first)

    second = await backend(engine)

    assert second not in (0, first)


async def test_a_connection_that_rested_is_asked_once_whether_it_works(
    engine: AsyncEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shared.database, "RESTED_SECONDS", 0.0)
    first = await backend(engine)

    second = await backend(engine)

    assert second == first
