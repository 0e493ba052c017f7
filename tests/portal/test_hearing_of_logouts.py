"""The authorization server ends sessions behind the backs of browsers, and nobody else does."""

import time
from typing import Any
from uuid import uuid4

import pytest
from fastapi import FastAPI
from httpx2 import Response
from joserfc.jwk import RSAKey

from services.portal.model.logout_token import left_in
from services.portal.use_cases.hear_logout import hear_logout
from shared.clock import utc_now
from tests.conftest import Database
from tests.portal.browsing import Browser
from tests.portal.platform import CLIENT_ID, KEY, LOGOUT_EVENT, Claims, Platform, new_key
from tests.web import ISSUER

NOW = int(time.time())


async def notify(browser: Browser, token: str) -> Response:
    return await browser.post(
        "/session/backchannel-logout",
        data={"logout_token": token},
        headers={"Sec-Fetch-Site": "cross-site"},  # a server says nothing of the kind
    )


async def test_the_session_that_is_named_ends(
    app: FastAPI, browser: Browser, platform: Platform
) -> None:
    await browser.log_in()
    async with Browser.of(app, platform) as another:
        await another.log_in()
        meant = platform.families[0].sid

        response = await notify(browser, platform.logout_token(sid=str(meant)))

        assert (await another.get("/")).status_code == 200
    assert response.status_code == 200
    assert response.headers["cache-control"] == "no-store"
    assert (await browser.get("/")).headers["location"] == "/?ended=1"


async def test_all_sessions_of_an_official_end_if_none_is_named(
    app: FastAPI, browser: Browser, platform: Platform
) -> None:
    await browser.log_in()
    async with Browser.of(app, platform) as another:
        await another.log_in()

        await notify(browser, platform.logout_token(sub=str(platform.official_id)))

        assert (await another.get("/")).headers["location"] == "/?ended=1"
    assert (await browser.get("/")).headers["location"] == "/?ended=1"


async def test_a_notice_counts_once(browser: Browser, platform: Platform) -> None:
    token = platform.logout_token(sub=str(platform.official_id))
    first = await notify(browser, token)
    await browser.log_in()

    again = await notify(browser, token)

    assert (first.status_code, again.status_code) == (200, 400)
    assert (await browser.get("/")).status_code == 200


async def test_a_login_that_was_ended_meanwhile_opens_no_session(
    browser: Browser, platform: Platform, database: Database
) -> None:
    sid = uuid4()
    platform.claims = lambda claims: claims | {"sid": str(sid)}
    address = platform.authorize(await browser.begin())
    token = platform.logout_token(sid=str(sid))
    left = left_in(token, {"signing-1": KEY}, issuer=ISSUER, client_id=CLIENT_ID, now=utc_now())
    async with database.sessions.begin() as session:
        await hear_logout(session, left, now=utc_now())

    response = await browser.get(address)

    assert response.status_code == 403
    assert browser.session is None


@pytest.mark.parametrize(
    "odd",
    [
        {"iss": "https://evil.example"},
        {"aud": "another"},
        {"aud": [CLIENT_ID, "another"]},
        {"iat": None},
        {"iat": NOW - 700},
        {"iat": NOW + 900},
        {"exp": None},
        {"exp": NOW - 61},
        {"jti": None},
        {"jti": ""},
        {"jti": "x" * 256},
        {"jti": "a\u0000"},
        {"jti": 7},
        {"events": None},
        {"events": {}},
        {"events": {LOGOUT_EVENT: None}},
        {"events": [LOGOUT_EVENT]},
        {"nonce": "a"},
        {"sid": None},
        {"sid": "every"},
        {"sub": "kim"},
    ],
)
async def test_a_notice_that_says_something_else_is_refused(
    browser: Browser, platform: Platform, odd: Claims
) -> None:
    await browser.log_in()
    claims: dict[str, Any] = {"sid": str(platform.families[0].sid)} | odd

    response = await notify(browser, platform.logout_token(**claims))

    assert response.status_code == 400
    assert response.json()["error"] == "invalid_request"
    assert (await browser.get("/")).status_code == 200


@pytest.mark.parametrize("header", [{"typ": "JWT"}, {"typ": "at+jwt"}, {"alg": "PS256"}])
async def test_a_token_of_another_kind_is_refused(
    browser: Browser, platform: Platform, header: Claims
) -> None:
    unnamed: Any = {"kid": KEY.kid}  # a key that says of no algorithm that it is for that one
    platform.published = [RSAKey.import_key(KEY.as_pem(private=False), unnamed)]
    await browser.log_in()
    token = platform.logout_token(header, sid=str(platform.families[0].sid))

    response = await notify(browser, token)

    assert response.status_code == 400
    assert (await browser.get("/")).status_code == 200


async def test_a_notice_that_somebody_else_signed_is_refused(
    browser: Browser, platform: Platform
) -> None:
    await browser.log_in()
    sid = str(platform.families[0].sid)

    for key in (new_key(), new_key("unknown")):
        response = await notify(browser, platform.logout_token(key=key, sid=sid))

        assert response.status_code == 400
    assert (await browser.get("/")).status_code == 200


async def test_unknown_keys_do_not_make_us_ask_again_and_again(
    browser: Browser, platform: Platform
) -> None:
    await browser.log_in()
    token = platform.logout_token(key=new_key("unknown"), sid=str(uuid4()))

    for _ in range(5):
        await notify(browser, token)

    assert platform.count("GET", "/oauth/jwks") == 1


async def test_a_notice_can_be_sent_again_when_the_keys_are_not_known_yet(
    browser: Browser, platform: Platform
) -> None:
    platform.is_away = True

    response = await notify(browser, platform.logout_token(sid=str(uuid4())))

    assert response.status_code == 503


@pytest.mark.parametrize("body", ["", "logout_token=", "logout_token=a&logout_token=b", "%", "é"])
async def test_what_is_no_notice_is_refused(browser: Browser, body: str) -> None:
    response = await browser.post(
        "/session/backchannel-logout",
        content=body.encode(),
        headers={"Content-Type": "application/x-www-form-urlencoded"},
    )

    assert response.status_code == 400
