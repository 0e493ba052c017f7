"""A city with one of everything, and the verbs by which somebody gets in there."""

from dataclasses import dataclass, replace
from typing import Any, Final

from httpx2 import Response
from sqlalchemy import func, select

from services.members.model.audit import AuditEntry
from services.members.model.identity_provider import IdentityProvider
from tests.members.network import ADMINISTRATOR, COORDINATOR, Network
from tests.members.scim.directory import directory_of
from tests.members.test_people import LoggedIn, someone

PROVIDER: Final = {
    "name": "City login",
    "issuer": "https://login.seoul.example/realms/city",
    "client_id": "renkei",
    "client_secret": "what only the two of us know",
}
CLIENT: Final = {"name": "Desk", "scopes": ["members:read"]}


@dataclass(frozen=True)
class Request:
    method: str
    path: str
    body: Any = None
    version: int | None = None

    def of(self, city: "City") -> "Request":
        """The same, about what there is in a city."""
        return replace(self, path=self.path.format_map(city.things))


SENSITIVE: Final = {
    "issue a token for the directory": Request("POST", "/seoul/scim-tokens", {"name": "Entra"}),
    "let a group be administrators": Request(
        "PATCH", "/seoul/scim-groups/{group}", {"role": "administrator"}, version=1
    ),
    "let a group be coordinators": Request(
        "PATCH", "/seoul/scim-groups/{group}", {"role": "coordinator"}, version=1
    ),
    "appoint an administrator": Request("POST", "/seoul/officials", ADMINISTRATOR),
    "appoint a coordinator": Request("POST", "/seoul/officials", COORDINATOR),
    "appoint an observer": Request(
        "POST", "/seoul/officials", COORDINATOR | {"roles": ["observer"]}
    ),
    "make somebody an administrator": Request(
        "PATCH", "/seoul/officials/{coordinator}", {"roles": ["administrator"]}, version=1
    ),
    "let an administrator bind the city": Request(
        "PATCH",
        "/seoul/officials/{administrator}",
        {"roles": ["administrator", "coordinator"]},
        version=1,
    ),
    "give rights to who is blocked": Request(
        "PATCH", "/seoul/officials/{blocked}", {"roles": ["coordinator"]}, version=2
    ),
    "let an administrator in again": Request(
        "PATCH", "/seoul/officials/{blocked}", {"status": "active"}, version=2
    ),
    "invite somebody else as administrator": Request(
        "PATCH", "/seoul/officials/{administrator}", {"email": "other@seoul.example"}, version=1
    ),
    "invite somebody else who is blocked": Request(
        "PATCH", "/seoul/officials/{blocked}", {"email": "other@seoul.example"}, version=2
    ),
    "invite somebody else and block them": Request(
        "PATCH",
        "/seoul/officials/{administrator}",
        {"email": "other@seoul.example", "status": "blocked"},
        version=1,
    ),
    "invite somebody else as coordinator": Request(
        "PATCH", "/seoul/officials/{coordinator}", {"email": "other@seoul.example"}, version=1
    ),
    "erase an official": Request("POST", "/seoul/officials/{coordinator}/erasure", version=1),
    "register a provider": Request(
        "POST", "/seoul/identity-providers", PROVIDER | {"client_id": "another"}
    ),
    "change a provider": Request(
        "PATCH", "/seoul/identity-providers/{provider}", {"client_id": "renkei-2"}, version=1
    ),
    "activate a provider": Request(
        "POST", "/seoul/identity-providers/{provider}/activation", version=1
    ),
    "claim a mail domain": Request("POST", "/seoul/email-domains", {"domain": "seoul.example"}),
    "register a client": Request("POST", "/seoul/clients", CLIENT),
    "change a client": Request("PATCH", "/seoul/clients/{client}", {"name": "Other"}, version=1),
    "replace a secret": Request("POST", "/seoul/clients/{client}/secret", version=1),
}

ENDING: Final = {
    "block an administrator": Request(
        "PATCH", "/seoul/officials/{administrator}", {"status": "blocked"}, version=1
    ),
    "leave a coordinator less": Request(
        "PATCH", "/seoul/officials/{coordinator}", {"roles": ["contributor"]}, version=1
    ),
    "revoke a client": Request("DELETE", "/seoul/clients/{client}", version=1),
    "revoke a token of the directory": Request(
        "DELETE", "/seoul/scim-tokens/{scim_token}", version=1
    ),
    "retire a provider": Request(
        "POST", "/seoul/identity-providers/{provider}/retirement", version=1
    ),
}


@dataclass(frozen=True)
class City:
    """Seoul, with one of everything, and somebody who may change it all."""

    network: Network
    things: dict[str, str]
    administrator: LoggedIn

    async def ask(self, request: Request, by: LoggedIn, key: str | None = None) -> Response:
        about = request.of(self)
        return await by.send(about.method, about.path, about.body, version=about.version, key=key)

    async def traces(self) -> tuple[list[str], int]:
        """What was announced, and how much stands in the trail."""
        async with self.network.database.sessions() as session:
            written = await session.scalar(select(func.count()).select_from(AuditEntry))
        return await self.network.happened(), written or 0


async def city_of(network: Network) -> City:
    """Let Seoul join and have it all."""
    await network.join()
    made: dict[str, Any] = {
        "administrator": await network.appoint(),
        "coordinator": await network.appoint(COORDINATOR),
        "client": await network.register(),
    }
    made["blocked"] = await network.appoint()
    for name, path, body in (
        ("provider", "/seoul/identity-providers", PROVIDER),
        ("scim_token", "/seoul/scim-tokens", {"name": "Directory"}),
    ):
        made[name] = (await network.send("POST", path, body, by="seoul")).json()
    made["group"] = await (await directory_of(network)).group("Leads")
    things = {name: thing["id"] for name, thing in made.items()}
    path = f"/seoul/officials/{things['blocked']}"
    await network.send("PATCH", path, {"status": "blocked"}, by="seoul", version=1)
    async with network.database.sessions.begin() as session:
        row = await session.get_one(IdentityProvider, things["provider"])
        row.tested_fingerprint = row.fingerprint
    return City(network, things, await someone(network, "administrator"))
