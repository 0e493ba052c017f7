"""A network that Tokyo has just opened."""

import pytest
from fastapi import FastAPI

from services.members.http.app import create_app
from services.members.settings import MembersSettings
from services.members.use_cases.open_network import OpenedNetwork, open_network
from shared.clock import utc_now
from tests.conftest import Database, DatabaseOf
from tests.members.network import HOST, Network
from tests.web import environment, on


@pytest.fixture
async def database(database_of: DatabaseOf) -> Database:
    return await database_of("members")


@pytest.fixture
async def app(database: Database) -> FastAPI:
    return on(create_app(MembersSettings(**environment(database))), database)


@pytest.fixture
async def opened(database: Database) -> OpenedNetwork:
    async with database.sessions.begin() as session:
        return await open_network(session, host=HOST, now=utc_now())


@pytest.fixture
async def network(app: FastAPI, database: Database, opened: OpenedNetwork) -> Network:
    return Network(app, database, opened)
