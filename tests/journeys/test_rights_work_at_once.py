"""Who may not act any more is refused by every service soon, with tokens that are still good.

How soon, `./run bench` measures; a machine that is busy with other things is no broken promise.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final
from uuid import UUID, uuid4

import pytest
from httpx2 import AsyncClient
from joserfc import jwt
from sqlalchemy.ext.asyncio import AsyncSession

from services.members.model.identity_provider import IdentityProvider
from services.members.model.official import Official
from services.members.model.sign_in import SignIn
from services.members.model.token_family import TokenFamily
from services.members.use_cases.end_sessions import end_sessions_of
from services.members.use_cases.read_signing_keys import read_signing_keys
from shared.clock import utc_now
from shared.database import Sessions
from shared.http.application import audience_of
from shared.one_time import hash_of, new_one_time_secret
from shared.sealing import Seals
from tests.faults.city import City, code_of
from tests.faults.network import WORKING_SCOPES, Network, running_network
from tests.faults.stream import read_stream

pytestmark = pytest.mark.faults

POLL_SECONDS: Final = 0.02
SETTLE_SECONDS: Final = 10.0

Asked = tuple[str, str, Any]
"""Method, path and body of a request; one for each service."""

Seen = Mapping[str, tuple[int, str]]
"""What each service answered: the status, and the broken rule."""


@dataclass(frozen=True)
class Bearer:
    """Somebody with an access token that stays good, whatever happens to its bearer."""

    http: AsyncClient
    token: str

    async def ask(self, asked: Mapping[str, Asked]) -> Seen:
        """Ask all services at once. No request can change anything: its version is stale."""
        headers = {"Authorization": f"Bearer {self.token}"}

        async def one(method: str, path: str, body: Any) -> tuple[int, str]:
            stale = {} if method == "GET" else {"If-Match": '"999999"'}
            response = await self.http.request(
                method, f"/api/v1{path}", json=body, headers=headers | stale
            )
            return response.status_code, code_of(response)

        answers = await asyncio.gather(*(one(*each) for each in asked.values()))
        return dict(zip(asked, answers, strict=True))

    async def until(self, expected: tuple[int, str], asked: Mapping[str, Asked]) -> None:
        """Ask until all services answer as expected; fail if one of them never does."""
        deadline = time.monotonic() + SETTLE_SECONDS
        while True:
            began = time.monotonic()
            seen = await self.ask(asked)
            if set(seen.values()) == {expected}:
                return
            assert began < deadline, f"still {dict(seen)}"
            await asyncio.sleep(POLL_SECONDS)


@dataclass(frozen=True)
class Place:
    """A city, with a thing of its own in each service."""

    network: Network
    city: City
    project: str
    endpoint: str

    def reads(self) -> dict[str, Asked]:
        return {
            "members": ("GET", f"/members/{self.city.member}/officials", None),
            "projects": ("GET", f"/projects/{self.project}", None),
            "notifications": ("GET", f"/inbox?official={self.city.coordinator}", None),
        }

    def writes(self) -> dict[str, Asked]:
        official = f"/members/{self.city.member}/officials/{self.city.coordinator}"
        return {
            "members": ("PATCH", official, {"name": None}),
            "projects": ("PATCH", f"/projects/{self.project}", {"title": {"en": "Air"}}),
            "notifications": ("PATCH", f"/webhook-endpoints/{self.endpoint}", {"status": "paused"}),
        }


@pytest.fixture(scope="module")
async def cities(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Network]:
    """A platform of its own: what is done to these cities would surprise other tests."""
    async with running_network(tmp_path_factory.mktemp("rights")) as network:
        yield network


async def place_of(network: Network, member: str) -> Place:
    [city] = [each for each in network.cities if each.member == member]
    reference = f"air-{uuid4().hex[:8]}"
    project = await city.write(
        "POST",
        "/api/v1/projects",
        {"reference": reference, "title": {"en": "Air"}, "summary": {"en": "Clean"}},
        key=reference,
    )
    endpoints = await city.read("/api/v1/webhook-endpoints")
    return Place(network, city, project["id"], endpoints["items"][0]["id"])


async def appointed(place: Place, *roles: str, **fields: Any) -> UUID:
    slug = place.city.member
    official = await place.city.write(
        "POST",
        f"/api/v1/members/{slug}/officials",
        {"function": {"en": "Desk"}, "language": "en", "roles": list(roles)} | fields,
        key=str(uuid4()),
    )
    place.city.coordinator = official["id"]  # whose inbox is read
    return UUID(official["id"])


async def logged_in(place: Place, official_id: UUID) -> tuple[Bearer, UUID]:
    """Let an official be logged in, as the authorization server would.

    Returns:
        Who bears a token that covers everything, and the session.
    """
    members = place.network.service("members")
    seals = Seals.read(members.settings.master_keys.get_secret_value())
    async with members.database() as (_, sessions), sessions.begin() as session:
        keys = await read_signing_keys(session, seals=seals, now=utc_now())
        family = await opened_session(session, official_id, client_id=place.city.client_id)
    now = int(time.time())
    token = jwt.encode(
        {"alg": "ES256", "typ": "at+jwt", "kid": keys.signing.kid},
        {
            "iss": members.settings.issuer,
            "aud": audience_of(members.settings),
            "sub": str(official_id),
            "client_id": place.city.client_id,
            "member": place.city.member,
            "sid": str(family),
            "auth_time": now,
            "scope": " ".join(WORKING_SCOPES),
            "iat": now,
            "exp": now + 300,
            "jti": str(uuid4()),
        },
        keys.signing,
    )
    return Bearer(place.network.http, token), family


async def opened_session(session: AsyncSession, official_id: UUID, *, client_id: str) -> UUID:
    """Write down that somebody came back from a provider, and opened an application."""
    now = utc_now()
    official = await session.get_one(Official, official_id)
    provider = IdentityProvider(
        member=official.member,
        name="Login",
        issuer=f"https://login.example/{uuid4()}",
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
        strong_acr=(),
        status="active",
        created_at=now,
        updated_at=now,
    )
    session.add(provider)
    await session.flush()
    sign_in = SignIn(
        cookie_hash=hash_of(new_one_time_secret()),
        official_id=official_id,
        member=official.member,
        provider_id=provider.id,
        upstream_sid=None,
        upstream_subject="1",
        sealed_id_token="",
        acr=None,
        authenticated_at=now,
        began_at=now,
        seen_at=now,
        ends_at=now + timedelta(hours=1),
    )
    session.add(sign_in)
    await session.flush()
    family = TokenFamily(
        sign_in_id=sign_in.id,
        client_id=client_id,
        official_id=official_id,
        member=official.member,
        scopes=tuple(WORKING_SCOPES),
        acr=None,
        authenticated_at=now,
        began_at=now,
        ends_at=now + timedelta(hours=1),
    )
    session.add(family)
    await session.flush()
    return family.id


async def mentions(network: Network, words: str) -> list[str]:
    """Where in databases and streams somebody is still mentioned, in text or in bytes."""
    found = []
    for service in network.services:
        async with network.database(service.name) as database:
            tables = await database.fetch(
                "SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace"
                " AND relkind = 'r'"
            )
            for (table,) in tables:
                rows = await database.fetchval(
                    f"SELECT count(*) FROM {table} t"  # noqa: S608 -- names of our own tables
                    " WHERE t::text LIKE '%' || $1 || '%' OR t::text LIKE '%' || $2 || '%'",
                    words,
                    words.encode().hex(),
                )
                found += [f"{service.name}.{table}"] if rows else []
        for message in await read_stream(network.jetstream, service.name):
            found += [message.subject] if words.encode() in message.body else []
    return sorted(found)


async def end_session(sessions: Sessions, session_id: UUID) -> None:
    async with sessions.begin() as session:
        await end_sessions_of(session, family_id=session_id, because="logged out", now=utc_now())


async def change(place: Place, official_id: UUID, fields: dict[str, Any]) -> None:
    await place.city.write(
        "PATCH",
        f"/api/v1/members/{place.city.member}/officials/{official_id}",
        fields,
        if_match=1,
    )


async def test_a_blocked_official_is_out_everywhere(cities: Network) -> None:
    seoul = await place_of(cities, "seoul")
    official = await appointed(seoul, "coordinator")
    bearer, _ = await logged_in(seoul, official)
    await bearer.until((200, ""), seoul.reads())

    await change(seoul, official, {"status": "blocked"})

    await bearer.until((401, "unauthenticated"), seoul.reads())


async def test_whom_the_directory_deactivates_is_out_everywhere(cities: Network) -> None:
    seoul = await place_of(cities, "seoul")
    official = await appointed(seoul, "coordinator")
    bearer, _ = await logged_in(seoul, official)
    await bearer.until((200, ""), seoul.reads())
    token = await cities.http.post(
        "/api/v1/members/seoul/scim-tokens",
        json={"name": "Directory"},
        headers={"Authorization": f"Bearer {await seoul.city.bearer()}"},
    )

    deactivated = await cities.http.patch(
        f"/scim/v2/Users/{official}",
        json={"Operations": [{"op": "Replace", "path": "active", "value": "False"}]},
        headers={"Authorization": f"Bearer {token.json()['token']}"},
    )

    assert deactivated.status_code == 200
    await bearer.until((401, "unauthenticated"), seoul.reads())


async def test_a_removed_role_is_gone_everywhere(cities: Network) -> None:
    taipei = await place_of(cities, "taipei")
    official = await appointed(taipei, "administrator", "coordinator")
    bearer, _ = await logged_in(taipei, official)
    await bearer.until((412, "version-stale"), taipei.writes())

    await change(taipei, official, {"roles": ["observer"]})

    await bearer.until((403, "missing-scope"), taipei.writes())
    assert set((await bearer.ask(taipei.reads())).values()) == {(200, "")}


async def test_a_suspended_member_writes_nowhere(cities: Network) -> None:
    delhi = await place_of(cities, "delhi")
    bearer = Bearer(cities.http, await delhi.city.bearer())
    await bearer.until((412, "version-stale"), delhi.writes())
    version = (await cities.secretariat.read("/api/v1/members/delhi"))["version"]

    await cities.secretariat.write(
        "POST",
        "/api/v1/members/delhi/membership-transitions",
        {"status": "suspended", "reason": "Fees unpaid"},
        key="suspension",
        if_match=version,
    )

    await bearer.until((403, "member-not-active"), delhi.writes())
    assert set((await bearer.ask(delhi.reads())).values()) == {(200, "")}


async def test_an_ended_session_is_over_everywhere(cities: Network) -> None:
    berlin = await place_of(cities, "berlin")
    official = await appointed(berlin, "coordinator")
    bearer, session_id = await logged_in(berlin, official)
    other, _ = await logged_in(berlin, official)
    await bearer.until((200, ""), berlin.reads())

    async with cities.service("members").database() as (_, sessions):
        await end_session(sessions, session_id)

    await bearer.until((401, "unauthenticated"), berlin.reads())
    assert set((await other.ask(berlin.reads())).values()) == {(200, "")}


async def test_a_revoked_client_is_out_everywhere(cities: Network) -> None:
    tokyo = await place_of(cities, "tokyo")
    client = await tokyo.city.write(
        "POST",
        "/api/v1/members/tokyo/clients",
        {"name": "Second", "scopes": WORKING_SCOPES},
        key="second",
    )
    second = City(
        cities.http,
        cities.journal,
        member="tokyo",
        client_id=client["id"],
        secret=client["secret"],
    )
    bearer = Bearer(cities.http, await second.bearer())
    await bearer.until((200, ""), tokyo.reads())

    await tokyo.city.write("DELETE", f"/api/v1/members/tokyo/clients/{client['id']}", if_match=1)

    await bearer.until((401, "unauthenticated"), tokyo.reads())


async def test_nothing_is_left_of_an_erased_official_anywhere(cities: Network) -> None:
    seoul = await place_of(cities, "seoul")
    person = {"name": "Min-jun Testperson", "function": {"en": "Desk of Testperson"}}
    official = await appointed(
        seoul, "coordinator", **person, email="min-jun.testperson@seoul.example"
    )
    bearer, _ = await logged_in(seoul, official)
    await bearer.until((200, ""), seoul.reads())
    await change(seoul, official, {"language": "ko"})
    await cities.until_quiet()
    before = await mentions(cities, "estperson")

    await seoul.city.write(
        "POST",
        f"/api/v1/members/seoul/officials/{official}/erasure",
        key=f"erasure-{official}",
        if_match=2,
    )

    await bearer.until((401, "unauthenticated"), seoul.reads())
    deadline = time.monotonic() + SETTLE_SECONDS
    while left := await mentions(cities, "estperson"):
        assert time.monotonic() < deadline, left
        await asyncio.sleep(POLL_SECONDS)
    for place in ("members.official", "notifications.webhook_message", "projects.known_official"):
        assert place in before
    assert any(place.startswith("members.event_log") for place in before)
    assert any(place.startswith("evt.members.official.") for place in before)
    [[function]] = await cities.fetch(
        "projects", "SELECT function ->> 'en' FROM known_official WHERE id = $1", official
    )
    assert function == "A former official of Seoul"
    await cities.until_quiet()
    assert (await cities.renkei("reconcile")).returncode == 0


async def test_a_session_that_is_forgotten_is_no_gap(cities: Network) -> None:
    berlin = await place_of(cities, "berlin")
    _, session_id = await logged_in(berlin, await appointed(berlin, "coordinator"))
    async with cities.service("members").database() as (_, sessions):
        await end_session(sessions, session_id)
    await cities.until_quiet()
    await cities.fetch(
        "members",
        "UPDATE event_log SET body = convert_to(jsonb_set(convert_from(body, 'UTF8')::jsonb,"
        " '{data,state,good_until}', '\"2020-01-01T00:00:00Z\"')::text, 'UTF8')"
        " WHERE subject LIKE 'evt.members.session.%'",
    )

    for service in ("projects", "notifications"):
        await cities.fetch(service, "DELETE FROM known_session")

    assert (await cities.renkei("reconcile")).returncode == 0
