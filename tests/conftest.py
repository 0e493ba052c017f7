"""Fixtures for every test: databases of each service, made once and emptied after each test."""

from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest
import structlog
from alembic import command
from alembic.config import Config
from hypothesis import HealthCheck, settings
from sqlalchemy import Connection, text
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine
from sqlalchemy.pool import AsyncAdaptedQueuePool
from xdist.scheduler import LoadScopeScheduling

from shared.database import Sessions, sessions_of
from tests.servers import Servers, create_database, servers

if TYPE_CHECKING:
    from tests.faults.network import Network

__all__ = ["servers"]

WHOLE_PLATFORMS = (
    "tests/faults/",
    "tests/deploy/test_operations.py",
    "tests/journeys/test_demo.py",
    "tests/journeys/test_event_feed.py",
    "tests/journeys/test_in_a_browser.py",
    "tests/journeys/test_logouts_are_told.py",
    "tests/journeys/test_relying_parties.py",
    "tests/journeys/test_rights_work_at_once.py",
)


class OnePlatformAtATime(LoadScopeScheduling):  # type: ignore[misc]  # has no types
    """Gives all tests that start whole platforms to one worker, and the others to whoever is free.

    The groups of pytest-xdist would say the same, but pytest 9 no longer tells it of them.
    """

    def _split_scope(self, nodeid: str) -> str:
        return "whole platforms" if nodeid.startswith(WHOLE_PLATFORMS) else nodeid


def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> OnePlatformAtATime:
    return OnePlatformAtATime(config, log)


@dataclass(frozen=True)
class Database:
    """A migrated database of one service."""

    service: str
    url: str
    engine: AsyncEngine
    sessions: Sessions


# How long something takes is no matter of these tests: the machine may be busy.
settings.register_profile("patient", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("patient")

DatabaseOf = Callable[[str], Awaitable[Database]]


@pytest.fixture(scope="session", autouse=True)
def plain_tracebacks() -> None:
    """Log without the colourful tracebacks, which take a tenth of a second each."""
    plain = structlog.dev.ConsoleRenderer(
        colors=False, exception_formatter=structlog.dev.plain_traceback
    )
    structlog.configure(processors=[*structlog.get_config()["processors"][:-1], plain])


@pytest.fixture(scope="session")
def anyio_backend() -> tuple[str, dict[str, bool]]:
    return "asyncio", {"use_uvloop": True}


@pytest.fixture(scope="session")
async def all_databases(servers: Servers) -> AsyncIterator[DatabaseOf]:
    """Make the database of a service when a test first asks for it."""
    made: dict[str, Database] = {}

    async def database_of(service: str) -> Database:
        if service not in made:
            url = await create_database(servers, None)
            engine = create_async_engine(url, poolclass=AsyncAdaptedQueuePool, pool_size=20)
            async with engine.begin() as connection:
                await connection.run_sync(upgrade, service)
            made[service] = Database(service, url, engine, sessions_of(engine))
        return made[service]

    yield database_of
    for database in made.values():
        await database.engine.dispose()


def upgrade(connection: Connection, service: str) -> None:
    """Bring the database of a service to its newest form."""
    config = Config("alembic.ini", ini_section=service)
    config.attributes["connection"] = connection
    command.upgrade(config, "head")


@pytest.fixture
async def database_of(all_databases: DatabaseOf) -> AsyncIterator[DatabaseOf]:
    """`await database_of("members")`: that service's database, empty."""
    used: dict[str, Database] = {}

    async def empty_database_of(service: str) -> Database:
        used[service] = await all_databases(service)
        return used[service]

    yield empty_database_of
    for database in used.values():
        await empty(database)


async def empty(database: Database) -> None:
    async with database.engine.begin() as connection:
        names = await connection.scalars(
            text(
                "SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace"
                " AND relkind IN ('r', 'p') AND NOT relispartition"
                " AND relname <> 'alembic_version'"
            )
        )
        # As a superuser: of what is only ever appended to, triggers refuse every other way. And
        # without foreign keys DELETE is ten times faster than TRUNCATE for so few rows.
        await connection.execute(text("SET LOCAL session_replication_role = replica"))
        deletions = " ".join(f"DELETE FROM {name};" for name in names)  # noqa: S608
        await connection.exec_driver_sql(f"DO $$ BEGIN {deletions} END $$")


@pytest.fixture(scope="session")
async def network(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator["Network"]:
    """A whole platform with working cities, for the tests that hurt one or operate one.

    Who uses it belongs to `WHOLE_PLATFORMS`, so that there is one of it.
    """
    from tests.faults.network import running_network  # noqa: PLC0415 -- slow, and few need it

    async with running_network(tmp_path_factory.mktemp("network"), separate=True) as network:
        yield network
