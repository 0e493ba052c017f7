"""An application of Tokyo, used by an official of Tokyo."""

from collections.abc import AsyncIterator

import pytest
from httpx2 import ASGITransport, AsyncClient

from services.members.model.client import Client, new_secret, secret_hash_of
from tests.members.network import Network
from tests.members.oauth.browsing import Desk
from tests.members.oauth.people import Person, application, log_in
from tests.web import ISSUER


@pytest.fixture
async def http(network: Network) -> AsyncIterator[AsyncClient]:
    transport = ASGITransport(network.app, raise_app_exceptions=False)
    async with AsyncClient(transport=transport, base_url=ISSUER) as client:
        yield client


@pytest.fixture
async def coordinator(network: Network) -> Person:
    async with network.database.sessions.begin() as session:
        return await log_in(session, "coordinator")


@pytest.fixture
async def desk(network: Network, http: AsyncClient, coordinator: Person) -> Desk:
    """A part of the platform: nobody is asked for consent. Its coordinator is at the browser."""
    secret = new_secret()
    client: Client = application(secret_hash=secret_hash_of(secret), is_first_party=True)
    async with network.database.sessions.begin() as session:
        session.add(client)
    desk = Desk(http, client.id, secret)
    desk.be(coordinator)
    return desk
