"""A network of real cities, and what its members say to the API."""

import json
from dataclasses import dataclass
from typing import Any, Final

from fastapi import FastAPI
from httpx2 import AsyncClient, Response
from sqlalchemy import select

from services.members.use_cases.open_network import HostFields, OpenedNetwork
from shared.contracts.event import CATALOGUE, Event
from shared.messaging.tables import OutboxMessage
from tests.conftest import Database
from tests.web import api

OWN: Final = "members:read members:write"
SECRETARIAT: Final = f"{OWN} network:write"

HOST: Final = HostFields.model_validate_json(
    json.dumps(
        {
            "slug": "tokyo",
            "kind": "city",
            "name": {"en": "Tokyo", "ja": "東京都"},
            "local_name": "東京都",
            "country": "JP",
            "time_zone": "Asia/Tokyo",
            "latitude": 35.6895,
            "longitude": 139.6917,
            "member_since": "2001-10-01",
            "administrator": {
                "function": {"en": "Administrator, Tokyo"},
                "email": "administrator@tokyo.example",
                "language": "ja",
            },
        }
    )
)

SEOUL: Final[dict[str, Any]] = {
    "slug": "seoul",
    "kind": "city",
    "name": {"en": "Seoul", "ja": "ソウル特別市"},
    "local_name": "서울특별시",
    "country": "KR",
    "time_zone": "Asia/Seoul",
    "latitude": 37.566,
    "longitude": 126.9784,
    "invited_on": "2001-09-01",
}

ADMINISTRATOR: Final[dict[str, Any]] = {
    "function": {"en": "Administrator, Seoul", "ko": "관리자"},
    "name": "Administrator",
    "email": "administrator@seoul.example",
    "language": "ko",
    "roles": ["administrator"],
}

COORDINATOR: Final[dict[str, Any]] = {
    "function": {"en": "Coordinator, Seoul"},
    "language": "ko",
    "roles": ["coordinator"],
}


def city(slug: str, *, country: str = "KR", zone: str = "Asia/Seoul") -> dict[str, Any]:
    """Facts of another city, to be invited."""
    return SEOUL | {
        "slug": slug,
        "name": {"en": slug.title()},
        "local_name": None,
        "country": country,
        "time_zone": zone,
    }


@dataclass(frozen=True)
class Network:
    """The application, its database, and what Tokyo got when it opened the network."""

    app: FastAPI
    database: Database
    opened: OpenedNetwork

    def client(self, member: str | None, scopes: str = OWN) -> AsyncClient:
        return api(self.app, member, scopes)

    async def send(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        by: str | None = "tokyo",
        scopes: str | None = None,
        version: int | None = None,
        key: str | None = None,
    ) -> Response:
        """Send one request below `/api/v1/members`; Tokyo speaks as the secretariat."""
        headers = {}
        if version is not None:
            headers["If-Match"] = f'"{version}"'
        if key is not None:
            headers["Idempotency-Key"] = key
        granted = scopes or (SECRETARIAT if by == "tokyo" else OWN)
        async with self.client(by, granted) as client:
            return await client.request(
                method, f"/api/v1/members{path}", json=body, headers=headers
            )

    async def get(self, path: str, *, by: str | None = "tokyo") -> Any:
        response = await self.send("GET", path, by=by)
        assert response.status_code == 200, response.text
        return response.json()

    async def invite(self, facts: dict[str, Any] = SEOUL) -> dict[str, Any]:
        response = await self.send("POST", "", facts)
        assert response.status_code == 201, response.text
        return dict(response.json())

    async def step(
        self, member: str, status: str, *, by: str, on: str | None = None, reason: str | None = None
    ) -> dict[str, Any]:
        """Take a step in a membership that is expected to succeed."""
        version = (await self.get(f"/{member}"))["version"]
        response = await self.send(
            "POST",
            f"/{member}/membership-transitions",
            {"status": status, "effective_on": on, "reason": reason},
            by=by,
            version=version,
        )
        assert response.status_code == 200, response.text
        return dict(response.json())

    async def join(self, facts: dict[str, Any] = SEOUL, *, on: str = "2001-10-01") -> None:
        """Invite a city, which accepts."""
        await self.invite(facts)
        await self.step(facts["slug"], "active", by=facts["slug"], on=on)

    async def appoint(
        self, official: dict[str, Any] = ADMINISTRATOR, *, member: str = "seoul"
    ) -> dict[str, Any]:
        response = await self.send("POST", f"/{member}/officials", official, by=member)
        assert response.status_code == 201, response.text
        return dict(response.json())

    async def register(
        self, member: str = "seoul", name: str = "Water desk", scopes: list[str] | None = None
    ) -> dict[str, Any]:
        body = {"name": name, "scopes": scopes or ["members:read", "projects:read"]}
        response = await self.send("POST", f"/{member}/clients", body, by=member)
        assert response.status_code == 201, response.text
        return dict(response.json())

    async def events(self) -> list[Event[Any]]:
        """Everything that was announced, in order."""
        async with self.database.sessions() as session:
            bodies = await session.scalars(
                select(OutboxMessage.body).order_by(OutboxMessage.position)
            )
            return [
                CATALOGUE[json.loads(body)["type"]].model_validate_json(body) for body in bodies
            ]

    async def happened(self) -> list[str]:
        """What was announced, as words such as `member.invited`."""
        return [event.type.removeprefix("renkei.")[:-3] for event in await self.events()]


OPENING: Final = ["member.activated", "official.appointed", "client.registered"]
"""What happened when the network was opened."""


def code_of(response: Response) -> str:
    """The broken rule that a problem names."""
    assert response.headers["content-type"] == "application/problem+json", response.text
    return str(response.json()["type"]).removeprefix("/problems/")
