"""The directory of a city, as it speaks SCIM."""

from dataclasses import dataclass
from typing import Any, Final

from httpx2 import ASGITransport, AsyncClient, Response

from services.members.model.scim import ScimToken, new_scim_token, token_hash_of
from shared.clock import utc_now
from tests.members.network import Network
from tests.web import ISSUER

USER: Final = "urn:ietf:params:scim:schemas:core:2.0:User"
GROUP: Final = "urn:ietf:params:scim:schemas:core:2.0:Group"
PATCH: Final = "urn:ietf:params:scim:api:messages:2.0:PatchOp"
ERROR: Final = "urn:ietf:params:scim:api:messages:2.0:Error"


@dataclass
class Directory:
    """The directory of a member, with its token."""

    network: Network
    member: str
    token: str

    async def send(
        self, method: str, path: str, body: Any = None, *, version: str | None = None, **given: Any
    ) -> Response:
        headers = {"Authorization": f"Bearer {self.token}"} | given.pop("headers", {})
        if version is not None:
            headers["If-Match"] = version
        if body is not None:
            given["json"] = body
            headers.setdefault("Content-Type", "application/scim+json; charset=utf-8")
        async with AsyncClient(
            transport=ASGITransport(self.network.app, raise_app_exceptions=False),
            base_url=f"{ISSUER}/scim/v2",
        ) as client:
            return await client.request(method, path, headers=headers, **given)

    async def create(self, name: str = "min", **fields: Any) -> dict[str, Any]:
        """Tell of somebody new."""
        body = {
            "schemas": [USER],
            "userName": f"{name}@seoul.example",
            "displayName": name.title(),
            "emails": [{"value": f"{name}@seoul.example", "type": "work", "primary": True}],
            "active": True,
        }
        response = await self.send("POST", "/Users", body | fields)
        assert response.status_code == 201, response.text
        return dict(response.json())

    async def group(self, name: str, *members: dict[str, Any]) -> dict[str, Any]:
        """Tell of a new group."""
        body = {
            "schemas": [GROUP],
            "displayName": name,
            "members": [{"value": one["id"]} for one in members],
        }
        response = await self.send("POST", "/Groups", body)
        assert response.status_code == 201, response.text
        return dict(response.json())

    async def get(self, path: str, **query: str) -> Any:
        response = await self.send("GET", path, params=query)
        assert response.status_code == 200, response.text
        return response.json()

    async def patch(self, path: str, *operations: dict[str, Any], **given: Any) -> Response:
        return await self.send(
            "PATCH", path, {"schemas": [PATCH], "Operations": list(operations)}, **given
        )

    async def map(self, group: dict[str, Any], role: str | None) -> Response:
        """Let the member's administrators say what a group stands for."""
        path = f"/{self.member}/scim-groups/{group['id']}"
        version = (await self.network.get(path, by=self.member))["version"]
        return await self.network.send(
            "PATCH", path, {"role": role}, by=self.member, version=version
        )

    async def official(self, one: dict[str, Any]) -> dict[str, Any]:
        """Read an official as the API shows them to their own member."""
        found = await self.network.get(f"/{self.member}/officials/{one['id']}", by=self.member)
        return dict(found)


async def directory_of(
    network: Network, member: str = "seoul", *, identity_provider_id: Any = None
) -> Directory:
    """Give a member's directory a token."""
    secret = new_scim_token()
    async with network.database.sessions.begin() as session:
        session.add(
            ScimToken(
                member=member,
                name="Directory",
                token_hash=token_hash_of(secret),
                identity_provider_id=identity_provider_id,
                created_at=utc_now(),
                updated_at=utc_now(),
            )
        )
    return Directory(network, member, secret)
