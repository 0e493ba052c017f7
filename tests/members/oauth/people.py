"""Officials who have logged in, as the database knows them."""

import asyncio
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from sqlalchemy.ext.asyncio import AsyncSession

from services.members.model.client import Client
from services.members.model.identity_provider import IdentityProvider
from services.members.model.member import Member
from services.members.model.official import Official
from services.members.model.sign_in import SignIn
from services.members.model.token_family import TokenFamily
from shared.clock import utc_now
from shared.contracts.members import Role
from shared.one_time import hash_of
from tests.members.network import Network

STRONG: Final = "urn:example:two-factors"


@dataclass(frozen=True)
class Person:
    """An official of a member, and the browser session at the authorization server."""

    official: Official
    sign_in: SignIn
    cookie: str


async def log_in(
    session: AsyncSession,
    *roles: Role,
    member: str = "tokyo",
    language: str = "en",
    minutes_ago: int = 1,
) -> Person:
    """Let somebody be an official who has just come back from the member's provider."""
    now = utc_now()
    provider = IdentityProvider(
        member=member,
        name="Login",
        issuer=f"https://login.{member}.example/{hash_of(str(now.timestamp()))[:8]}",
        client_id="renkei",
        sealed_secret=None,
        authentication="client_secret_basic",
        scopes=("openid",),
        algorithms=("RS256",),
        subject_claim="sub",
        roles_claim=None,
        role_of_group={},
        unknown_people="refuse",
        unknown_role=None,
        strong_acr=(STRONG,),
        status="active",
        created_at=now,
        updated_at=now,
    )
    official = Official(
        member=member,
        function={"en": "Water desk"},
        name="Min Kim",
        email="min@seoul.example",
        language=language,
        roles=roles,
        created_at=now,
        updated_at=now,
    )
    session.add_all((provider, official))
    await session.flush()
    cookie = f"cookie-{official.id}"
    sign_in = SignIn(
        cookie_hash=hash_of(cookie),
        official_id=official.id,
        member=member,
        provider_id=provider.id,
        upstream_sid=None,
        upstream_subject="1",
        sealed_id_token="",
        acr=None,
        authenticated_at=now - timedelta(minutes=minutes_ago),
        began_at=now,
        seen_at=now,
        ends_at=now + timedelta(hours=10),
    )
    session.add(sign_in)
    await session.flush()
    return Person(official, sign_in, cookie)


def application(member: Member | str = "tokyo", **fields: object) -> Client:
    """An application of a member that anybody's browser can be sent back to."""
    now = utc_now()
    slug = member if isinstance(member, str) else member.slug
    given = {
        "id": f"{slug}-desk",
        "member": slug,
        "name": "Water desk",
        "kind": "application",
        "scopes": ("projects:read", "projects:write"),
        "redirect_uris": ("https://desk.example/back",),
        "created_at": now,
        "updated_at": now,
    }
    return Client(**given | fields)  # type: ignore[arg-type]


def family_of(person: Person, client: Client) -> TokenFamily:
    """A session of somebody in an application."""
    now = utc_now()
    return TokenFamily(
        sign_in_id=person.sign_in.id,
        client_id=client.id,
        official_id=person.official.id,
        member=person.official.member,
        scopes=("projects:read",),
        acr=None,
        authenticated_at=person.sign_in.authenticated_at,
        began_at=now,
        ends_at=now + timedelta(hours=10),
    )


async def until_somebody_waits(network: Network) -> None:
    """Wait until a request asks for what another transaction holds."""
    waiting = 0
    async with asyncio.timeout(20), network.database.engine.connect() as connection:
        while waiting == 0:
            found = await connection.exec_driver_sql(
                "SELECT count(*) FROM pg_locks WHERE NOT granted"
            )
            waiting = found.scalar_one()
