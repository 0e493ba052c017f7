"""Somebody logs in through the authorization server, and only so."""

import json
import time
from base64 import urlsafe_b64encode
from datetime import timedelta
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from fastapi import FastAPI
from joserfc import jwt
from joserfc.jwk import OctKey
from sqlalchemy import select

from services.portal.http.cookies import SESSION
from services.portal.model.browser_session import BrowserSession
from services.portal.model.login_attempt import LoginAttempt
from shared.clock import utc_now
from shared.one_time import hash_of
from shared.sealing import Seals
from tests.conftest import Database
from tests.portal.browsing import Browser, text_of
from tests.portal.platform import CLIENT_ID, SIGNS, Claims, Platform, new_key
from tests.web import MASTER_KEYS


async def rows(database: Database) -> list[BrowserSession]:
    async with database.sessions() as session:
        return list(await session.scalars(select(BrowserSession)))


async def test_the_first_page_says_who_is_logged_in_for_which_city_with_which_roles(
    browser: Browser, platform: Platform
) -> None:
    platform.roles = ["administrator", "coordinator"]
    await browser.log_in()

    response = await browser.get("/")

    said = text_of(response)
    assert response.status_code == 200
    assert "For Seoul As Coordinator, Seoul (Kim Ji-woo) Roles Administrator, Coordinator" in said


async def test_the_first_page_is_in_japanese_for_whoever_reads_it(
    browser: Browser, platform: Platform
) -> None:
    platform.roles = ["administrator", "coordinator"]
    await browser.log_in()

    response = await browser.get("/", headers={"Accept-Language": "ja,en;q=0.5"})

    assert "所属 ソウル 役職 ソウル調整担当 (Kim Ji-woo) 役割 管理者、調整担当" in text_of(response)
    assert response.headers["content-language"] == "ja"


async def test_a_stranger_is_shown_where_to_log_in(browser: Browser, platform: Platform) -> None:
    response = await browser.get("/")

    assert response.status_code == 200
    assert '<a class="main" href="/session/login">Log in</a>' in response.text
    assert platform.asked == []


async def test_the_request_carries_a_challenge_a_nonce_and_a_state_of_its_own(
    browser: Browser,
) -> None:
    first, second = [
        parse_qs(urlsplit(await browser.begin("/session/login?member=seoul")).query)
        for _ in range(2)
    ]

    assert first["login_hint"] == ["seoul"]
    assert first["scope"] == ["openid profile members:read"]
    assert first["code_challenge_method"] == ["S256"]
    for name in ("state", "nonce", "code_challenge"):
        assert len(first[name][0]) >= 43
        assert first[name] != second[name]


async def test_the_cookie_of_a_session_is_for_this_host_alone_and_for_no_script(
    browser: Browser,
) -> None:
    response = await browser.log_in()

    [cookie] = [
        each for each in response.headers.get_list("set-cookie") if each.startswith(SESSION)
    ]
    value, *attributes = cookie.split("; ")
    assert len(value) == len(f"{SESSION}=") + 43
    assert set(attributes) == {"HttpOnly", "Path=/", "SameSite=lax", "Secure"}
    assert response.headers["cache-control"] == "no-store"


async def test_nothing_of_a_session_lies_open_in_the_database(
    browser: Browser, database: Database, platform: Platform
) -> None:
    await browser.log_in()

    [row] = await rows(database)
    [family] = platform.families
    kept = " ".join(str(value) for value in vars(row).values())
    for secret in (browser.session, family.refresh_token, family.access_token, "eyJhbGciOi"):
        assert secret is not None
        assert secret not in kept
    assert (row.official_id, row.sid) == (family.official_id, family.sid)


async def test_each_login_gets_a_new_cookie_and_ends_what_was_before(
    browser: Browser, database: Database, platform: Platform
) -> None:
    await browser.log_in()
    before = browser.session

    await browser.get(
        platform.authorize((await browser.submit("/session/switch")).headers["location"])
    )

    [row] = await rows(database)
    old, new = platform.families
    assert browser.session != before
    assert row.sid == new.sid
    assert old.is_over
    assert not new.is_over


async def test_a_cookie_that_somebody_planted_opens_nothing(
    browser: Browser, database: Database
) -> None:
    browser.cookies.set(SESSION, "A" * 43, domain="renkei.example")

    await browser.log_in()

    assert browser.session not in (None, "A" * 43)
    assert len(await rows(database)) == 1


async def test_two_tabs_log_in_side_by_side(browser: Browser, platform: Platform) -> None:
    first = platform.authorize(await browser.begin("/session/login?return_to=/sessions"))
    second = platform.authorize(await browser.begin())

    came = [await browser.get(first), await browser.get(second)]

    assert [response.headers["location"] for response in came] == ["/sessions", "/"]


async def test_a_login_that_another_browser_began_is_refused(
    app: FastAPI, browser: Browser, platform: Platform, database: Database
) -> None:
    attacker = platform.authorize(await browser.begin())
    async with Browser.of(app, platform) as victim:
        await victim.begin()

        response = await victim.get(attacker)

    assert response.status_code == 400
    assert SESSION not in response.headers.get("set-cookie", "")
    assert await rows(database) == []
    assert platform.count("POST", "/oauth/token") == 0


async def test_an_answer_counts_once(browser: Browser, platform: Platform) -> None:
    address = platform.authorize(await browser.begin())
    await browser.get(address)

    again = await browser.get(address)

    assert again.status_code == 400
    assert platform.count("POST", "/oauth/token") == 1


def test_a_login_that_took_too_long_is_refused() -> None:
    seals = Seals.read(MASTER_KEYS)
    now = utc_now()
    attempt = LoginAttempt("/", now + timedelta(seconds=600))
    sealed = attempt.sealed(seals)

    in_time, too_late = [
        LoginAttempt.opened(
            sealed, state=attempt.state, seals=seals, now=now + timedelta(seconds=s)
        )
        for s in (599, 600)
    ]

    assert in_time == attempt
    assert too_late is None


def test_a_login_that_another_release_began_is_refused() -> None:
    seals = Seals.read(MASTER_KEYS)
    sealed = seals.seal(b'{"expires_at": 1}', place=f"login_attempt {hash_of('state')}")

    assert LoginAttempt.opened(sealed, state="state", seals=seals, now=utc_now()) is None


@pytest.mark.parametrize(
    "answer",
    [
        {"iss": "https://evil.example"},
        {"iss": None},
        {"error": "access_denied", "code": None},
        {"error": "access_denied"},
        {"code": None},
        {"code": ""},
        {"code": "code-unknown"},
        {"code": "x" * 2000},
    ],
)
async def test_an_answer_that_is_none_of_the_authorization_servers_is_refused(
    browser: Browser, platform: Platform, database: Database, answer: dict[str, str | None]
) -> None:
    address = urlsplit(platform.authorize(await browser.begin()))
    given = {name: value for name, [value] in parse_qs(address.query).items()} | answer

    response = await browser.get(
        address.path, params={name: value for name, value in given.items() if value is not None}
    )

    assert response.status_code == 403
    assert browser.session is None
    assert await rows(database) == []


@pytest.mark.parametrize("query", ["", "?code=a", "?state=a&state=b&code=c", "?state=%00&code=a"])
async def test_an_answer_that_cannot_be_read_is_refused(browser: Browser, query: str) -> None:
    response = await browser.get(f"/session/callback{query}")

    assert response.status_code == 400


def unsigned(claims: Claims) -> str:
    parts = ({"alg": "none", "typ": "JWT", "kid": "signing-1"}, claims)
    return ".".join(
        [*(urlsafe_b64encode(json_of(part)).decode().rstrip("=") for part in parts), ""]
    )


def json_of(value: Claims) -> bytes:
    return json.dumps(value).encode()


def signed_with_a_foreign_key(claims: Claims) -> str:
    return jwt.encode({"alg": "RS256", "typ": "JWT", "kid": "signing-1"}, claims, new_key())


def signed_with_the_public_key(claims: Claims) -> str:
    key = OctKey.import_key(CLIENT_ID)
    return jwt.encode(
        {"alg": "HS256", "typ": "JWT", "kid": "signing-1"}, claims, key, registry=SIGNS
    )


def of_another_type(claims: Claims) -> str:
    platform = Platform()
    header = {"alg": "RS256", "typ": "logout+jwt", "kid": platform.key.kid}
    return jwt.encode(header, claims, platform.key)


@pytest.mark.parametrize(
    "sign",
    [
        unsigned,
        signed_with_a_foreign_key,
        signed_with_the_public_key,
        of_another_type,
        lambda _: "",
        lambda _: "a.b.c",
        lambda _: "é" * 20,
    ],
)
async def test_an_id_token_that_is_not_signed_as_agreed_is_refused(
    browser: Browser, platform: Platform, database: Database, sign: Any
) -> None:
    platform.sign = sign

    response = await browser.log_in()

    assert response.status_code == 403
    assert browser.session is None
    assert await rows(database) == []


NOW = int(time.time())


@pytest.mark.parametrize(
    "odd",
    [
        {"iss": "https://evil.example"},
        {"aud": ["another"]},
        {"aud": [CLIENT_ID, "another"]},
        {"aud": ["another"], "azp": CLIENT_ID},
        {"azp": "another"},
        {"nonce": "another"},
        {"nonce": None},
        {"nonce": 7},
        {"exp": NOW - 61},
        {"exp": "soon"},
        {"exp": True},
        {"exp": float(10**30)},
        {"iat": NOW - 700},
        {"iat": NOW + 900},
        {"sub": "kim"},
        {"sub": None},
        {"sid": None},
        {"sid": ["x"]},
    ],
)
async def test_an_id_token_that_says_something_else_is_refused(
    browser: Browser, platform: Platform, database: Database, odd: Claims
) -> None:
    platform.claims = lambda claims: {
        name: value for name, value in (claims | odd).items() if value is not None
    }

    response = await browser.log_in()

    assert response.status_code == 403
    assert browser.session is None
    assert await rows(database) == []


async def test_a_new_key_of_the_authorization_server_is_found(
    app: FastAPI, browser: Browser, platform: Platform
) -> None:
    await browser.log_in()
    platform.key = new_key("signing-2")
    platform.published.append(platform.key)
    app.state.authorization_server._keys.tried_at -= 60

    async with Browser.of(app, platform) as another:
        response = await another.log_in()

    assert response.status_code == 303
    assert platform.count("GET", "/oauth/jwks") == 2


@pytest.mark.parametrize(
    "odd",
    [
        {"issuer": "https://evil.example"},
        {"token_endpoint": "http://evil.example/token"},
        {"authorization_endpoint": None},
        {"end_session_endpoint": "javascript:alert(1)"},
    ],
)
async def test_metadata_that_would_lead_astray_is_not_used(
    browser: Browser, platform: Platform, odd: Claims
) -> None:
    platform.metadata = odd

    response = await browser.get("/session/login")

    assert response.status_code == 503


@pytest.mark.parametrize(
    ("asked", "reached"),
    [
        ("/sessions", "/sessions"),
        ("/sessions?sort=began", "/sessions?sort=began"),
        ("//evil.example", "/"),
        ("/\\evil.example", "/"),
        ("https://evil.example/", "/"),
        ("https:evil.example", "/"),
        ("javascript:alert(1)", "/"),
        ("/..//evil.example", "/"),
        ("/\t/evil.example", "/"),
        ("/a\r\nSet-Cookie: x=y", "/"),
        ("/\u3000", "/"),
        ("", "/"),
        ("/" + "a" * 600, "/"),
        ("/session/logged-out", "/"),
    ],
)
async def test_the_way_back_never_leaves_the_portal(
    browser: Browser, asked: str, reached: str
) -> None:
    url = await browser.get("/session/login", params={"return_to": asked})

    response = await browser.get(browser.platform.authorize(url.headers["location"]))

    assert response.headers["location"] == reached


async def test_a_link_does_not_change_for_which_city_somebody_acts(
    browser: Browser, platform: Platform
) -> None:
    await browser.log_in()

    response = await browser.get("/session/login?member=tokyo")

    assert response.headers["location"] == "/"
    assert len(platform.families) == 1


async def test_what_many_tabs_have_begun_does_not_pile_up(browser: Browser) -> None:
    for _ in range(12):
        await browser.begin()

    begun = [name for name in browser.cookies if "portal-login" in name]

    assert 1 <= len(begun) <= 6
