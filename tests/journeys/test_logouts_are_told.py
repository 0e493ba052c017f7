"""A city's own application hears, on a whole platform, that somebody has left it elsewhere."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import urlencode

import pytest
from aiohttp import web
from joserfc import jwt
from joserfc.jwk import KeySet

from deploy.demo.browser import Browser
from deploy.demo.person import Application, Person
from shared.identifiers import new_id
from tests.journeys.conftest import Demo

pytestmark = pytest.mark.journey

BACK: Final = "http://127.0.0.1:9/callback"
"""Nobody listens there: the browser stops before it."""
SECONDS: Final = 30.0


@dataclass
class Ear:
    """Where the application hears of logouts. At first it is not in the mood."""

    uri: str = ""
    refuses: int = 1
    heard: asyncio.Queue[str] = field(default_factory=asyncio.Queue)

    async def hear(self, request: web.Request) -> web.Response:
        token = str((await request.post())["logout_token"])
        if self.refuses:
            self.refuses -= 1
            return web.Response(status=503)
        self.heard.put_nowait(token)
        return web.Response()


@pytest.fixture
async def ear() -> AsyncIterator[Ear]:
    found = Ear()
    app = web.Application()
    app.router.add_post("/logout", found.hear)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    found.uri = f"http://127.0.0.1:{runner.addresses[0][1]}/logout"
    yield found
    await runner.cleanup()


async def registered(demo: Demo, ear: Ear) -> str:
    """Let Seoul register an application of its own, which wants to know of logouts."""
    made = await demo.world["seoul"].post(
        "/api/v1/members/seoul/clients",
        {
            "name": "Water desk",
            "kind": "application",
            "scopes": ["projects:read"],
            "redirect_uris": [BACK],
            "backchannel_logout_uri": ear.uri,
        },
        key=str(new_id()),
    )
    return str(made["id"])


async def open_desk(demo: Demo, browser: Browser, client_id: str, login: str) -> None:
    """Log in to the application, and allow it what it asks for."""
    asked = {
        "response_type": "code",
        "client_id": client_id,
        "redirect_uri": BACK,
        "scope": "openid projects:read",
        "code_challenge_method": "S256",
        "code_challenge": "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM",
        "state": "s",
        "login_hint": "seoul",
    }
    page = await browser.log_in(
        f"{demo.platform.url}/oauth/authorize?{urlencode(asked)}", person=login, until=BACK
    )
    while page.status == 200:
        page = await browser.send(page, {}, until=BACK)
    assert page.status == 0, page.words


async def claims_of(demo: Demo, token: str, client_id: str) -> dict[str, Any]:
    """Read a logout token with the keys that are published."""
    keys = KeySet.import_key_set((await demo.http.get("/oauth/jwks")).json())
    decoded = jwt.decode(token, keys, algorithms=["RS256"])
    assert decoded.header["typ"] == "logout+jwt"
    assert decoded.claims["aud"] == client_id
    return dict(decoded.claims)


async def test_an_application_is_told_that_its_person_has_ended_the_session(
    demo: Demo, ear: Ear
) -> None:
    client_id = await registered(demo, ear)
    [login] = [each for each in demo.login_of("seoul")["people"] if each.endswith("-coordinator")]
    application = Application.model_validate(demo.world.demo["application"])
    async with Browser() as there, Browser() as here:
        await open_desk(demo, there, client_id, login)
        person = Person(demo.http, application, here, member="seoul", login=login)
        await person.log_in()
        sessions = (await person.send("GET", "/api/v1/me/sessions")).json()["items"]
        [(elsewhere, opened)] = [
            (each, used)
            for each in sessions
            for used in each["applications"]
            if used["client_id"] == client_id
        ]

        ended = await person.send("DELETE", f"/api/v1/me/sessions/{elsewhere['id']}")
        async with asyncio.timeout(SECONDS):
            token = await ear.heard.get()
        still_in = await person.send("GET", "/api/v1/me")

    assert ended.status_code == 204
    assert (elsewhere["is_current"], ear.refuses) == (False, 0)
    claims = await claims_of(demo, token, client_id)
    assert claims["iss"] == demo.platform.url
    assert claims["sid"] == opened["session_id"]
    assert claims["sub"] == (await demo.world.officials("seoul"))["coordinator"]
    assert (still_in.status_code, still_in.json()["official"]["id"]) == (200, claims["sub"])
