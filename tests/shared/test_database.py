"""What every session of every service has in common."""

from collections.abc import AsyncIterator

import asyncpg
import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.ext.asyncio import AsyncEngine

from shared.database import (
    asyncpg_dsn,
    connect,
    is_outage,
    reading_sessions_of,
    sessions_of,
)
from tests.shared.things import Place


@pytest.fixture
async def engine(place: Place) -> AsyncIterator[AsyncEngine]:
    engine = connect(
        place.settings.model_copy(update={"statement_seconds": 0.1, "request_seconds": 0.4}),
        application="things-web",
        pool_size=1,
    )
    yield engine
    await engine.dispose()


async def test_a_connection_names_its_process(engine: AsyncEngine) -> None:
    async with engine.connect() as connection:
        assert await connection.scalar(text("SHOW application_name")) == "things-web"


async def test_a_statement_may_not_take_for_ever(engine: AsyncEngine) -> None:
    async with engine.connect() as connection:
        with pytest.raises(DBAPIError) as caught:
            await connection.execute(text("SELECT pg_sleep(5)"))

    assert is_outage(caught.value)


async def test_who_waits_too_long_for_a_connection_is_told(engine: AsyncEngine) -> None:
    async with engine.connect(), engine.connect(), engine.connect():
        with pytest.raises(PoolTimeout) as caught:
            await engine.connect()

    assert is_outage(caught.value)


async def test_a_connection_that_was_lost_is_replaced(engine: AsyncEngine) -> None:
    async with engine.connect() as connection:
        pid = await connection.scalar(text("SELECT pg_backend_pid()"))
        with pytest.raises(DBAPIError) as caught:
            await connection.execute(text("SELECT pg_terminate_backend(pg_backend_pid())"))

    assert is_outage(caught.value)
    async with engine.connect() as connection:
        assert await connection.scalar(text("SELECT pg_backend_pid()")) != pid


async def test_values_are_not_in_the_text_of_errors(engine: AsyncEngine) -> None:
    async with engine.connect() as connection:
        with pytest.raises(DBAPIError) as caught:
            await connection.execute(
                text("SELECT 1 / CAST(:zero AS int), CAST(:secret AS text)"),
                {"zero": 0, "secret": "hunter2"},
            )

    assert "hunter2" not in str(caught.value)
    assert not is_outage(caught.value)


async def test_reading_sessions_see_what_is_committed_meanwhile(place: Place) -> None:
    reading = reading_sessions_of(place.database.engine)

    async with reading() as session:
        before = await session.scalar(text("SELECT count(*) FROM outbox"))
        await place.announce(place.event())
        after = await session.scalar(text("SELECT count(*) FROM outbox"))

    assert (before, after) == (0, 1)


async def test_sessions_keep_what_they_read_after_the_commit(engine: AsyncEngine) -> None:
    assert sessions_of(engine).kw["expire_on_commit"] is False


async def test_the_address_for_a_plain_connection_is_the_same_database(place: Place) -> None:
    assert asyncpg_dsn(place.settings) == place.database.url.replace("+asyncpg", "")


@pytest.mark.parametrize(
    ("sqlstate", "outage"),
    [
        ("08006", True),
        ("40001", True),
        ("40P01", True),
        ("53300", True),
        ("55P03", True),
        ("57014", True),
        ("57P01", True),
        ("57P03", True),
        ("25006", True),
        ("3D000", True),
        ("22021", False),
        ("23505", False),
        ("42P01", False),
        ("42501", False),
        ("25P02", False),
    ],
)
def test_outages_are_told_from_faults_by_what_the_database_says(
    sqlstate: str, outage: bool
) -> None:
    error = asyncpg.PostgresError.new({"C": sqlstate, "M": "message"})

    assert is_outage(error) is outage


@pytest.mark.parametrize(
    ("error", "outage"),
    [
        (ConnectionRefusedError(), True),
        (TimeoutError(), True),
        (asyncpg.InterfaceError("connection is closed"), True),
        (asyncpg.InternalClientError("another operation is in progress"), True),
        (ValueError(), False),
        (RuntimeError(), False),
    ],
)
def test_outages_are_told_from_faults_by_their_kind(error: Exception, outage: bool) -> None:
    assert is_outage(error) is outage
