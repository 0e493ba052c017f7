"""What officials of Seoul do in their browsers."""

from dataclasses import dataclass
from typing import Any

from fastapi import FastAPI
from httpx2 import ASGITransport, AsyncClient, Response
from sqlalchemy import select

from services.members.http.login.cookies import SIGN_IN
from services.members.model.email_domain import EmailDomain, new_challenge
from services.members.model.official import Official
from services.members.model.sign_in import SignIn
from shared.clock import utc_now
from tests.members.login.provider import CLIENT_ID, SECRET, Provider
from tests.members.network import Network
from tests.web import ISSUER

PATH = "/seoul/identity-providers"


def browser(app: FastAPI, **headers: str) -> AsyncClient:
    """A browser, which keeps cookies and follows redirects when it is told to."""
    return AsyncClient(
        transport=ASGITransport(app, raise_app_exceptions=False), base_url=ISSUER, headers=headers
    )


@dataclass
class Seoul:
    """The city, its provider, and the provider as the network knows it."""

    network: Network
    provider: Provider
    row: dict[str, Any]

    async def log_in(self, client: AsyncClient, path: str = "/login/seoul") -> Response:
        """Go to the provider and come back."""
        left = await client.get(path)
        assert left.status_code == 302, left.text
        return await client.get(self.provider.log_in(left.headers["location"]))

    async def change(self, **fields: Any) -> None:
        """Change the provider as its member knows it, and let it be active again."""
        version = (await self.network.get(f"{PATH}/{self.row['id']}", by="seoul"))["version"]
        response = await self.network.send(
            "PATCH", f"{PATH}/{self.row['id']}", fields, by="seoul", version=version
        )
        assert response.status_code == 200, response.text
        if response.json()["status"] == "draft":
            await self.activate()

    async def activate(self) -> None:
        """Try the provider with a test login, and activate it."""
        given = await self.network.send("POST", f"{PATH}/{self.row['id']}/test", by="seoul")
        async with browser(self.network.app) as client:
            page = await self.log_in(client, given.json()["url"])
            assert page.status_code == 200, page.text
        version = (await self.network.get(f"{PATH}/{self.row['id']}", by="seoul"))["version"]
        response = await self.network.send(
            "POST", f"{PATH}/{self.row['id']}/activation", by="seoul", version=version
        )
        assert response.status_code == 200, response.text
        self.row = response.json()

    async def invite(self, email: str = "min@seoul.example", **fields: Any) -> dict[str, Any]:
        """Appoint an official, who may come when their address is checked."""
        official = {
            "function": {"en": "Coordinator, Seoul", "ja": "ソウル調整担当"},
            "email": email,
            "language": "en",
            "roles": ["coordinator"],
        }
        return await self.network.appoint(official | fields)

    async def prove(self, domain: str = "seoul.example", member: str = "seoul") -> None:
        """Let a mail domain be a member's own."""
        async with self.network.database.sessions.begin() as session:
            session.add(
                EmailDomain(
                    domain=domain,
                    member=member,
                    challenge=new_challenge(),
                    verified_at=utc_now(),
                    created_at=utc_now(),
                )
            )

    async def sign_ins(self) -> list[SignIn]:
        async with self.network.database.sessions() as session:
            return list(await session.scalars(select(SignIn).order_by(SignIn.began_at)))

    async def officials(self) -> list[Official]:
        async with self.network.database.sessions() as session:
            return list(
                await session.scalars(
                    select(Official).where(Official.member == "seoul").order_by(Official.created_at)
                )
            )


def is_in(client: AsyncClient) -> bool:
    """Tell whether the browser has a session."""
    return SIGN_IN in client.cookies


async def open_login(network: Network, provider: Provider) -> Seoul:
    """Let Seoul join, and its officials log in at this provider."""
    await network.join()
    response = await network.send(
        "POST",
        PATH,
        {
            "name": "City login",
            "issuer": provider.issuer,
            "client_id": CLIENT_ID,
            "client_secret": SECRET,
        },
        by="seoul",
    )
    assert response.status_code == 201, response.text
    seoul = Seoul(network, provider, response.json())
    await seoul.activate()
    return seoul
