"""Seoul, whose officials log in at a provider on this machine."""

from collections.abc import AsyncIterator

import pytest
from fastapi import FastAPI

from services.members.http.app import create_app
from services.members.settings import MembersSettings
from tests.conftest import Database
from tests.members.login.provider import Provider, running_provider
from tests.members.login.seoul import Seoul, open_login
from tests.members.network import Network
from tests.web import environment, on


@pytest.fixture
def allow_private() -> bool:
    """As on a developer's machine, where a provider may be next door."""
    return True


@pytest.fixture
async def app(database: Database, allow_private: bool) -> FastAPI:
    given = environment(database) | {"identity_allow_private": allow_private}
    return on(create_app(MembersSettings(**given)), database)


@pytest.fixture
async def provider() -> AsyncIterator[Provider]:
    async with running_provider() as provider:
        yield provider


@pytest.fixture
async def seoul(network: Network, provider: Provider) -> Seoul:
    return await open_login(network, provider)
