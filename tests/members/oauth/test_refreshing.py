"""An application asks for the next tokens of a session."""

import asyncio
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from httpx2 import Response
from sqlalchemy import func, select, update

from services.members.model.client import Client, new_secret, secret_hash_of
from services.members.model.member import Member
from services.members.model.official import Official
from services.members.model.sign_in import SignIn
from services.members.model.token_family import AuthorizationCode, RefreshToken, TokenFamily
from shared.clock import utc_now
from tests.members.network import OPENING, Network
from tests.members.oauth.browsing import Desk, error_of
from tests.members.oauth.people import Person, application, log_in

TWELVE = 12


async def change(network: Network, kind: type[Any], **values: Any) -> None:
    async with network.database.sessions.begin() as session:
        await session.execute(update(kind).values(**values))


async def test_the_next_tokens_are_of_the_same_session(desk: Desk, coordinator: Person) -> None:
    first = await desk.log_in()

    answer = await desk.refresh(first["refresh_token"])

    assert answer.status_code == 200
    second = answer.json()
    assert second["refresh_token"] != first["refresh_token"]
    assert second["scope"] == first["scope"]
    old, new = [await desk.claims(each["access_token"]) for each in (first, second)]
    assert new["jti"] != old["jti"]
    same = ("sub", "sid", "member", "client_id", "auth_time", "scope", "roles", "aud")
    assert {name: new[name] for name in same} == {name: old[name] for name in same}
    identity = await desk.claims(second["id_token"])
    assert identity["auth_time"] == int(coordinator.sign_in.authenticated_at.timestamp())
    assert "nonce" not in identity


async def test_a_session_goes_on_link_by_link(desk: Desk) -> None:
    token = (await desk.log_in())["refresh_token"]

    for _ in range(3):
        answer = await desk.refresh(token)
        assert answer.status_code == 200
        token = answer.json()["refresh_token"]


async def test_who_uses_a_link_again_ends_the_session_for_all(desk: Desk, network: Network) -> None:
    first = await desk.log_in()
    second = (await desk.refresh(first["refresh_token"])).json()

    thief = await desk.refresh(first["refresh_token"])
    owner = await desk.refresh(second["refresh_token"])

    for refused in (thief, owner):
        assert (refused.status_code, error_of(refused)) == (400, "invalid_grant")
    assert await network.happened() == [*OPENING, "session.ended"]
    ended = (await network.events())[-1]
    assert (ended.audience, ended.actor) == (("tokyo",), "client:tokyo-desk")
    assert ended.subject == (await desk.claims(first["access_token"]))["sid"]


@pytest.mark.parametrize("kind", ["code", "refresh token"])
async def test_of_twelve_at_once_one_wins_and_the_session_is_dead(
    desk: Desk, network: Network, kind: str
) -> None:
    code = await desk.code()

    async def redeem() -> Response:
        return await desk.redeem(code)

    if kind == "code":
        answers = await asyncio.gather(*(redeem() for _ in range(TWELVE)))
    else:
        token = (await redeem()).json()["refresh_token"]
        answers = await asyncio.gather(*(desk.refresh(token) for _ in range(TWELVE)))

    won = [answer for answer in answers if answer.status_code == 200]
    lost = [answer for answer in answers if answer.status_code == 400]
    assert (len(won), len(lost)) == (1, TWELVE - 1)
    assert {error_of(answer) for answer in lost} == {"invalid_grant"}
    sid = (await desk.claims(won[0].json()["access_token"]))["sid"]
    async with network.database.sessions() as session:
        family = await session.get_one(TokenFamily, UUID(sid))
    assert family.revoked_because == "used twice"
    assert (await desk.refresh(won[0].json()["refresh_token"])).status_code == 400
    assert await network.happened() == [*OPENING, "session.ended"]


async def test_fewer_scopes_can_be_asked_for_and_never_more(desk: Desk) -> None:
    token = (await desk.log_in(scope="openid projects:read"))["refresh_token"]

    more = await desk.refresh(token, scope="projects:read projects:write")
    fewer = await desk.refresh(token, scope="projects:read")

    assert (more.status_code, error_of(more)) == (400, "invalid_scope")
    assert (fewer.status_code, fewer.json()["scope"]) == (200, "projects:read")
    assert "id_token" not in fewer.json()


async def test_a_token_covers_what_the_roles_cover_when_it_is_issued(
    desk: Desk, network: Network
) -> None:
    first = await desk.log_in()

    await change(network, Official, roles=("observer",))
    narrowed = (await desk.refresh(first["refresh_token"])).json()
    await change(network, Official, roles=("coordinator",))
    widened = (await desk.refresh(narrowed["refresh_token"])).json()

    assert narrowed["scope"] == "openid projects:read"
    assert (await desk.claims(narrowed["access_token"]))["roles"] == ["observer"]
    assert widened["scope"] == first["scope"] == "openid projects:read projects:write"


async def test_a_token_covers_what_the_application_has_when_it_is_issued(
    desk: Desk, network: Network
) -> None:
    token = (await desk.log_in())["refresh_token"]

    await change(network, Client, scopes=("projects:write",))
    answer = await desk.refresh(token)

    assert answer.json()["scope"] == "openid projects:write"


async def test_the_first_token_covers_no_more_than_the_roles(desk: Desk, network: Network) -> None:
    async with network.database.sessions.begin() as session:
        desk.be(await log_in(session, "observer"))

    tokens = await desk.log_in()

    assert tokens["scope"] == "openid projects:read"


async def test_only_the_hosts_administrators_get_the_scope_of_the_office(
    desk: Desk, network: Network
) -> None:
    await network.join()
    await change(network, Client, scopes=("members:write", "network:write"), serves_network=True)
    found = {}
    for member in ("tokyo", "seoul"):
        async with network.database.sessions.begin() as session:
            desk.be(await log_in(session, "administrator", member=member))
        found[member] = (await desk.log_in(scope="network:write members:write"))["scope"]

    assert found == {"tokyo": "members:write network:write", "seoul": "members:write"}


async def test_who_has_no_role_left_gets_nothing(desk: Desk, network: Network) -> None:
    token = (await desk.log_in(scope="projects:read"))["refresh_token"]

    await change(network, Official, roles=())
    answer = await desk.refresh(token)

    assert (answer.status_code, error_of(answer)) == (400, "invalid_grant")


@pytest.mark.parametrize("what", ["official", "sign-in", "member", "session"])
async def test_nothing_goes_on_once_somebody_is_out(
    desk: Desk, network: Network, what: str
) -> None:
    code = await desk.code()
    token = (await desk.log_in())["refresh_token"]

    now = utc_now()
    if what == "official":
        await change(network, Official, status="blocked")
    elif what == "sign-in":
        await change(network, SignIn, ended_at=now)
    elif what == "member":
        await change(network, Member, status="withdrawn")
    else:
        await change(network, TokenFamily, ends_at=now)
    refreshed = await desk.refresh(token)
    redeemed = await desk.redeem(code)

    error = "invalid_client" if what == "member" else "invalid_grant"
    for refused in (refreshed, redeemed):
        assert error_of(refused) == error
    async with network.database.sessions() as session:
        unused = select(func.count()).where(RefreshToken.used_at.is_(None))
        assert await session.scalar(unused) == 1


async def test_a_code_is_good_for_a_minute(desk: Desk, network: Network) -> None:
    code = await desk.code()
    async with network.database.sessions() as session:
        [row] = await session.scalars(select(AuthorizationCode))
        family = await session.get_one(TokenFamily, row.family_id)
    await change(network, AuthorizationCode, expires_at=utc_now())

    late = await desk.redeem(code)

    assert row.expires_at - family.began_at == timedelta(seconds=60)
    assert (late.status_code, error_of(late)) == (400, "invalid_grant")
    assert await network.happened() == OPENING


async def test_no_token_outlives_its_session(desk: Desk, network: Network) -> None:
    token = (await desk.log_in())["refresh_token"]
    await change(network, TokenFamily, ends_at=utc_now() + timedelta(seconds=60))

    answer = await desk.refresh(token)

    assert 50 <= answer.json()["expires_in"] <= 60
    claims = await desk.claims(answer.json()["access_token"])
    assert claims["exp"] - claims["iat"] == answer.json()["expires_in"]


async def test_a_refresh_token_is_good_for_its_application_alone(
    desk: Desk, network: Network
) -> None:
    secret = new_secret()
    other = application(id="tokyo-other", secret_hash=secret_hash_of(secret))
    async with network.database.sessions.begin() as session:
        session.add(other)
    token, code = (await desk.log_in())["refresh_token"], await desk.code()
    thief = Desk(desk.http, other.id, secret)

    refreshed, redeemed = await thief.refresh(token), await thief.redeem(code)

    for refused in (refreshed, redeemed):
        assert (refused.status_code, error_of(refused)) == (400, "invalid_grant")
    assert (await desk.refresh(token)).status_code == 200
    assert (await desk.redeem(code)).status_code == 200
