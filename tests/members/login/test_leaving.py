"""Somebody leaves: from our page, or because the provider says so."""

import re
import time
from typing import Any, Final
from urllib.parse import parse_qsl
from uuid import uuid4

import pytest
from httpx2 import AsyncClient, Response
from joserfc import jwt
from joserfc.jwk import RSAKey

from tests.members.login.provider import CLIENT_ID, KEY
from tests.members.login.seoul import Seoul, browser, is_in
from tests.members.network import city
from tests.web import ISSUER

EVENT: Final = "http://schemas.openid.net/event/backchannel-logout"
OWN: Final = {"Sec-Fetch-Site": "same-origin"}


async def come_in(seoul: Seoul, client: AsyncClient) -> None:
    if not await seoul.officials():
        await seoul.invite()
        await seoul.prove()
    response = await seoul.log_in(client)
    assert response.status_code == 302, response.text


async def ticket_in(client: AsyncClient) -> str:
    page = await client.get("/login")
    found = re.search(r'name="ticket" value="([0-9a-f]{64})"', page.text)
    assert found is not None, page.text
    return found[1]


async def test_who_logs_out_is_out_here_and_sent_to_the_provider(seoul: Seoul) -> None:
    async with browser(seoul.network.app) as client:
        await come_in(seoul, client)
        ticket = await ticket_in(client)
        cookie = client.cookies["__Host-sign-in"]

        response = await client.post("/logout", data={"ticket": ticket}, headers=OWN)

        assert response.status_code == 303
        assert not is_in(client)
        client.cookies.set("__Host-sign-in", cookie)
        again = await client.get("/login")
    target, _, query = response.headers["location"].partition("?")
    asked = dict(parse_qsl(query))
    assert target == f"{seoul.provider.issuer}/leave"
    assert asked["post_logout_redirect_uri"] == f"{ISSUER}/login/seoul/logged-out"
    assert asked["client_id"] == CLIENT_ID
    assert asked["id_token_hint"].count(".") == 2
    assert "Choose your city" in again.text
    assert response.headers["clear-site-data"] == '"cache", "storage"'
    [sign_in] = await seoul.sign_ins()
    assert sign_in.ended_because == "logged out"


@pytest.mark.parametrize("has_endpoint", [True, False])
async def test_without_an_end_of_session_the_way_leads_to_our_page(
    seoul: Seoul, has_endpoint: bool
) -> None:
    async with browser(seoul.network.app) as client:
        await come_in(seoul, client)
        seoul.network.app.state.identity_providers._known.clear()
        seoul.provider.is_down = has_endpoint
        if not has_endpoint:
            seoul.provider.metadata = {"end_session_endpoint": "javascript:alert(1)"}
        ticket = await ticket_in(client)

        response = await client.post("/logout", data={"ticket": ticket}, headers=OWN)
        page = await client.get(response.headers["location"])

    assert response.headers["location"] == "/login/seoul/logged-out"
    assert "You are logged out" in page.text


@pytest.mark.parametrize(
    ("headers", "ticket"),
    [
        ({"Sec-Fetch-Site": "cross-site"}, None),
        ({"Sec-Fetch-Site": "same-site"}, None),
        ({"Sec-Fetch-Site": "none"}, None),
        ({"Origin": "https://evil.example"}, None),
        ({"Origin": "null"}, None),
        ({}, None),
        (OWN, "0" * 64),
        (OWN, ""),
        (OWN, "é"),
    ],
    ids=str,
)
async def test_nobody_is_logged_out_by_a_page_of_somebody_else(
    seoul: Seoul, headers: dict[str, str], ticket: str | None
) -> None:
    async with browser(seoul.network.app) as client:
        await come_in(seoul, client)
        given = await ticket_in(client) if ticket is None else ticket

        response = await client.post("/logout", data={"ticket": given}, headers=headers)

        assert response.status_code == 403
        assert is_in(client)
    [sign_in] = await seoul.sign_ins()
    assert sign_in.ended_at is None


async def test_an_old_browser_is_known_by_its_origin(seoul: Seoul) -> None:
    async with browser(seoul.network.app) as client:
        await come_in(seoul, client)
        ticket = await ticket_in(client)

        response = await client.post("/logout", data={"ticket": ticket}, headers={"Origin": ISSUER})

    assert response.status_code == 303


async def test_a_stranger_who_logs_out_is_led_to_the_login(seoul: Seoul) -> None:
    async with browser(seoul.network.app) as client:
        response = await client.post("/logout", data={"ticket": "x"}, headers=OWN)

    assert (response.status_code, response.headers["location"]) == (303, "/login")


def logout_token(seoul: Seoul, key: RSAKey = KEY, **claims: Any) -> str:
    said = {
        "iss": seoul.provider.issuer,
        "aud": CLIENT_ID,
        "iat": int(time.time()),
        "exp": int(time.time()) + 120,
        "jti": str(uuid4()),
        "events": {EVENT: {}},
        "sid": "provider-session-1",
    } | claims
    said = {name: value for name, value in said.items() if value is not None}
    return jwt.encode({"alg": "RS256", "kid": KEY.kid, "typ": "logout+jwt"}, said, key)


async def tell(seoul: Seoul, token: str, member: str = "seoul") -> Response:
    async with browser(seoul.network.app) as provider:
        return await provider.post(
            f"/login/{member}/backchannel-logout", data={"logout_token": token}
        )


@pytest.mark.parametrize(
    "who", [{"sid": "provider-session-1"}, {"sid": None, "sub": "kim-1"}], ids=str
)
async def test_who_leaves_the_provider_is_out_here(seoul: Seoul, who: dict[str, Any]) -> None:
    async with browser(seoul.network.app) as client:
        await come_in(seoul, client)

        response = await tell(seoul, logout_token(seoul, **who))
        page = await client.get("/login")

    assert (response.status_code, response.headers["cache-control"]) == (200, "no-store")
    assert "Choose your city" in page.text
    [sign_in] = await seoul.sign_ins()
    assert sign_in.ended_because == "left the provider"


async def test_another_session_of_the_provider_stays(seoul: Seoul) -> None:
    async with browser(seoul.network.app) as client:
        await come_in(seoul, client)

    response = await tell(seoul, logout_token(seoul, sid="provider-session-2"))

    assert response.status_code == 200
    assert (await seoul.sign_ins())[0].ended_at is None


@pytest.mark.parametrize(
    "wrong",
    [
        {"iss": "https://evil.example"},
        {"aud": "other"},
        {"events": None},
        {"events": {"other": {}}},
        {"events": EVENT},
        {"nonce": "x"},
        {"sid": None},
        {"sid": ["provider-session-1"]},
        {"jti": None},
        {"iat": None},
        {"iat": "now"},
        {"iat": 10**300},
        {"iat": int(time.time()) - 3_600},
        {"iat": int(time.time()) + 90_000},
        {"exp": int(time.time()) - 3_600},
        {"key": RSAKey.generate_key(2048, {"use": "sig"})},
    ],
    ids=lambda wrong: next(iter(wrong)),
)
async def test_a_token_that_is_wrong_ends_nothing(seoul: Seoul, wrong: dict[str, Any]) -> None:
    async with browser(seoul.network.app) as client:
        await come_in(seoul, client)

    response = await tell(seoul, logout_token(seoul, **wrong))

    assert (response.status_code, response.json()) == (400, {"error": "invalid_request"})
    assert (await seoul.sign_ins())[0].ended_at is None


async def test_an_id_token_is_no_logout_token(seoul: Seoul) -> None:
    async with browser(seoul.network.app) as client:
        await come_in(seoul, client)

    response = await tell(seoul, str(seoul.provider.id_token({"nonce": "x"})))

    assert response.status_code == 400
    assert (await seoul.sign_ins())[0].ended_at is None


async def test_a_token_counts_once_and_at_its_own_city(seoul: Seoul) -> None:
    await seoul.network.join(city("busan"))
    token = logout_token(seoul)

    elsewhere = await tell(seoul, token, "busan")
    answers = [await tell(seoul, token) for _ in range(2)]

    assert elsewhere.status_code == 400
    assert [answer.status_code for answer in answers] == [200, 400]


@pytest.mark.parametrize("token", ["", "a.b.c", "x" * 20_000, "\0"])
async def test_what_is_no_token_is_refused(seoul: Seoul, token: str) -> None:
    assert (await tell(seoul, token)).status_code == 400
