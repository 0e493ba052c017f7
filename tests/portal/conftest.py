"""The portal, a platform that it asks, and browsers."""

from collections.abc import AsyncIterator

import pytest
from fastapi import FastAPI
from httpx2 import AsyncClient

from services.portal.http.app import ask_with, create_app
from tests.conftest import Database, DatabaseOf
from tests.portal.browsing import Browser, settings_of
from tests.portal.platform import Platform


@pytest.fixture
async def database(database_of: DatabaseOf) -> Database:
    return await database_of("portal")


@pytest.fixture
def platform() -> Platform:
    return Platform()


@pytest.fixture
async def app(database: Database, platform: Platform) -> AsyncIterator[FastAPI]:
    app = create_app(settings_of(database))
    app.state.sessions = database.sessions
    async with AsyncClient(transport=platform.transport()) as http:
        ask_with(app, http)
        yield app
        await app.state.renewals.finished()


@pytest.fixture
async def browser(app: FastAPI, platform: Platform) -> AsyncIterator[Browser]:
    async with Browser.of(app, platform) as browser:
        yield browser
