"""Who logs out is really out: here, at the authorization server, and wherever they say."""

from urllib.parse import parse_qs, urlsplit
from uuid import uuid4

from fastapi import FastAPI
from joserfc import jwt
from joserfc.jwk import KeySet
from sqlalchemy import func, select

from services.portal.http.cookies import SESSION
from services.portal.model.browser_session import BrowserSession
from tests.conftest import Database
from tests.portal.browsing import Browser, text_of
from tests.portal.platform import CLIENT_ID, KEY, Platform
from tests.web import ISSUER


async def count(database: Database) -> int:
    async with database.sessions() as session:
        return await session.scalar(select(func.count()).select_from(BrowserSession)) or 0


async def test_a_logout_ends_the_session_here_and_at_the_authorization_server(
    browser: Browser, platform: Platform, database: Database
) -> None:
    await browser.log_in()
    cookie = browser.session or ""

    response = await browser.submit("/session/logout")

    target = urlsplit(response.headers["location"])
    asked = {name: value for name, [value] in parse_qs(target.query).items()}
    hint = jwt.decode(asked.pop("id_token_hint"), KeySet([KEY]), algorithms=["RS256"]).claims
    assert target.geturl().startswith(f"{ISSUER}/oauth/end_session?")
    assert asked == {
        "client_id": CLIENT_ID,
        "post_logout_redirect_uri": f"{ISSUER}/session/logged-out",
    }
    assert hint["sid"] == str(platform.families[0].sid)
    assert platform.families[0].is_over
    assert response.headers["clear-site-data"] == '"cache", "storage"'
    assert browser.session is None
    assert await count(database) == 0

    browser.cookies.set(SESSION, cookie, domain="renkei.example")
    copied = await browser.get("/")
    assert copied.headers["location"] == "/?ended=1"


async def test_a_logout_works_while_the_platform_is_away(
    browser: Browser, platform: Platform, database: Database
) -> None:
    await browser.log_in()
    platform.is_away = True

    response = await browser.submit("/session/logout")

    assert response.status_code == 303
    assert browser.session is None
    assert await count(database) == 0


async def test_after_a_logout_one_can_log_in_again(browser: Browser) -> None:
    response = await browser.get("/session/logged-out")

    assert response.status_code == 200
    assert "You are logged out" in text_of(response)
    assert 'href="/session/login"' in response.text


async def test_one_sees_where_one_is_logged_in_and_ends_what_one_does_not_recognise(
    app: FastAPI, browser: Browser, platform: Platform
) -> None:
    await browser.log_in()
    async with Browser.of(app, platform) as another:
        await another.log_in()

        seen = await browser.get("/sessions")
        ended = await browser.submit(f"/sessions/{platform.families[1].sid}/end")
        theirs = await another.get("/")

    assert text_of(seen).count("Began 2026-11-23 08:15 UTC") == 2
    assert text_of(seen).count("This browser") == 1
    assert (ended.status_code, ended.headers["location"]) == (303, "/sessions")
    assert theirs.headers["location"] == "/?ended=1"
    assert (await browser.get("/")).status_code == 200


async def test_ending_what_is_over_or_never_was_is_no_trouble(browser: Browser) -> None:
    await browser.log_in()

    unknown = await browser.submit(f"/sessions/{uuid4()}/end")
    odd = await browser.submit("/sessions/me/end")

    assert (unknown.status_code, unknown.headers["location"]) == (303, "/sessions")
    assert odd.status_code == 404


async def test_logging_out_everywhere_ends_every_session(
    app: FastAPI, browser: Browser, platform: Platform
) -> None:
    await browser.log_in()
    async with Browser.of(app, platform) as another:
        await another.log_in()

        response = await browser.submit("/sessions/end")
        theirs = await another.get("/")

    assert response.headers["location"].startswith(f"{ISSUER}/oauth/end_session?")
    assert browser.session is None
    assert theirs.headers["location"] == "/?ended=1"
    assert all(family.is_over for family in platform.families)


async def test_nobody_is_logged_out_everywhere_while_the_platform_is_away(
    browser: Browser, platform: Platform
) -> None:
    await browser.log_in()
    platform.is_away = True

    response = await browser.submit("/sessions/end")

    assert response.status_code == 503
    assert browser.session is not None


async def test_a_stranger_who_wants_to_see_sessions_logs_in_first(browser: Browser) -> None:
    response = await browser.get("/sessions")

    assert response.headers["location"] == "/session/login?return_to=/sessions"
