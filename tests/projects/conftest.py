"""The projects service as its clients meet it, and its network of cities."""

from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any

import pytest
from fastapi import FastAPI
from httpx2 import AsyncClient, Response
from sqlalchemy import select

from services.projects.http.app import create_app
from services.projects.model.topic import Objective
from services.projects.settings import ProjectsSettings
from shared.contracts.event import CATALOGUE, Event
from shared.database import Sessions
from shared.messaging.tables import OutboxMessage
from tests.conftest import Database, DatabaseOf
from tests.projects.scenes import ZONES, known, listed
from tests.web import SCOPES, api, environment, on


@dataclass
class Cities:
    """The API as one city after the other uses it."""

    app: FastAPI
    clients: dict[tuple[str, str], AsyncClient] = field(default_factory=dict)

    async def call(
        self,
        member: str,
        method: str,
        path: str,
        body: Any = None,
        *,
        match: str | None = "*",
        key: str | None = None,
        scopes: str = SCOPES,
    ) -> Response:
        """Send a request for `member`, which takes the thing in whatever version it is."""
        client = self.clients.setdefault((member, scopes), api(self.app, member, scopes))
        headers = {"If-Match": match, "Idempotency-Key": key}
        return await client.request(
            method,
            f"/api/v1{path}",
            json=body,
            headers={name: value for name, value in headers.items() if value is not None},
        )

    async def send(
        self, member: str, path: str, content: bytes, media_type: str, *, key: str | None = None
    ) -> Response:
        """Send a file for `member`."""
        client = self.clients.setdefault((member, SCOPES), api(self.app, member, SCOPES))
        headers = {"Content-Type": media_type} | ({"Idempotency-Key": key} if key else {})
        return await client.post(f"/api/v1{path}", content=content, headers=headers)

    async def get(self, member: str, path: str) -> Any:
        """Read what must be there."""
        response = await self.call(member, "GET", path)
        assert response.status_code == 200, response.text
        return response.json()

    async def do(self, member: str, method: str, path: str, body: Any = None) -> Any:
        """Do what must succeed."""
        response = await self.call(member, method, path, body)
        assert response.status_code in {200, 201}, response.text
        return response.json()


@pytest.fixture
async def database(database_of: DatabaseOf) -> Database:
    database = await database_of("projects")
    async with database.sessions.begin() as session:
        session.add_all(known(member) for member in ZONES)
        session.add_all(listed(Objective, slug) for slug in ("common-issues", "games"))
    return database


@pytest.fixture
def sessions(database: Database) -> Sessions:
    return database.sessions


@pytest.fixture
async def cities(database: Database) -> AsyncIterator[Cities]:
    cities = Cities(on(create_app(ProjectsSettings(**environment(database))), database))
    yield cities
    for client in cities.clients.values():
        await client.aclose()


async def announced(sessions: Sessions) -> list[Event[Any]]:
    """What waits in the outbox, in the order in which it leaves."""
    async with sessions() as session:
        bodies = await session.scalars(select(OutboxMessage.body).order_by(OutboxMessage.position))
        found = [Event[Any].model_validate_json(body) for body in bodies]
        bodies = await session.scalars(select(OutboxMessage.body).order_by(OutboxMessage.position))
        return [
            CATALOGUE[event.type].model_validate_json(body)
            for event, body in zip(found, bodies, strict=True)
        ]
