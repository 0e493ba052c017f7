"""A world to attack, with nothing in it that is outside this machine."""

from collections.abc import AsyncIterator

import pytest
from fastapi import FastAPI
from httpx2 import ASGITransport, AsyncClient

from services.members.http.app import create_app
from services.members.settings import MembersSettings
from tests.conftest import Database
from tests.members.hostile.world import World, world_of
from tests.members.network import Network
from tests.web import ISSUER, environment, on


class NoRecords:
    """A name server that knows nothing."""

    async def texts(self, name: str) -> frozenset[str]:
        del name
        return frozenset()


@pytest.fixture
async def app(database: Database) -> FastAPI:
    """Patient, so that the attack goes on."""
    patience = {"guesses_per_source": 10**6, "guesses_per_name": 10**6}
    app = on(create_app(MembersSettings(**environment(database) | patience)), database)
    app.state.domain_records = NoRecords()
    return app


@pytest.fixture
async def world(network: Network) -> World:
    return await world_of(network)


@pytest.fixture
async def http(app: FastAPI) -> AsyncIterator[AsyncClient]:
    transport = ASGITransport(app, raise_app_exceptions=False)
    async with AsyncClient(transport=transport, base_url=ISSUER) as client:
        yield client
