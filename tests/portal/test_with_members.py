"""The portal and the real members service, as one platform: what one says the other understands."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import pytest
from fastapi import FastAPI
from httpx2 import ASGITransport, AsyncClient, Response
from sqlalchemy import select
from starlette.types import Receive, Scope, Send

from services.members.http.app import create_app as create_members
from services.members.http.login.cookies import SIGN_IN
from services.members.http.oauth.keys import KeyRing
from services.members.model.logout_notice import new_logout_token
from services.members.model.token_family import TokenFamily
from services.members.settings import MembersSettings
from services.members.use_cases.end_sessions import end_sessions_of
from services.members.use_cases.open_network import open_network
from services.members.use_cases.register_platform_application import (
    register_platform_application,
)
from services.portal.http.app import ask_with, create_app
from services.portal.http.cookies import SESSION
from services.portal.http.pages import TICKET
from shared.actor import Actor
from shared.clock import utc_now
from shared.contracts.members import Role
from shared.http.browser import ticket_for
from shared.http.identity import AccessTokens, JsonWebKeys
from tests.conftest import Database, DatabaseOf
from tests.members.network import HOST
from tests.members.oauth.people import Person, log_in
from tests.portal.browsing import settings_of, text_of
from tests.portal.platform import CLIENT_KEY
from tests.web import ISSUER, environment, on

MEMBERS = ("/oauth/", "/.well-known/", "/login", "/api/")


@dataclass
class Edge:
    """One address for both, as the edge makes it."""

    members: FastAPI
    portal: FastAPI

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        is_portal = not scope["path"].startswith(MEMBERS)
        await (self.portal if is_portal else self.members)(scope, receive, send)


@dataclass
class Place:
    """The platform, and one browser in front of it."""

    browser: AsyncClient
    database: Database
    members: FastAPI

    async def sit_down(self, *roles: Role) -> Person:
        """Let somebody of Tokyo sit at the browser who has come from Tokyo's own login."""
        async with self.database.sessions.begin() as session:
            person = await log_in(session, *roles)
        self.browser.cookies.set(SIGN_IN, person.cookie, domain="renkei.example", path="/")
        return person

    async def go(self, path: str) -> Response:
        """Open a page as a browser does: to the end of the redirections."""
        response = await self.browser.get(path)
        while response.is_redirect:
            target = urlsplit(response.headers["location"])
            assert f"{target.scheme}://{target.netloc}" in (ISSUER, "://")
            response = await self.browser.get(response.headers["location"])
        return response

    async def submit(self, path: str, **fields: str) -> Response:
        cookie = self.browser.cookies[SESSION]
        form: dict[str, Any] = {"ticket": ticket_for(cookie, TICKET)} | fields
        response = await self.browser.post(
            path, data=form, headers={"Sec-Fetch-Site": "same-origin"}
        )
        return await self.go(response.headers["location"])


@pytest.fixture
async def place(database_of: DatabaseOf) -> AsyncIterator[Place]:
    members_database = await database_of("members")
    portal_database = await database_of("portal")
    members = on(create_members(MembersSettings(**environment(members_database))), members_database)
    async with members_database.sessions.begin() as session:
        await open_network(session, host=HOST, now=utc_now())
        registered = await register_platform_application(
            session,
            name="portal",
            redirect_uris=[f"{ISSUER}/session/callback"],
            post_logout_redirect_uris=[f"{ISSUER}/session/logged-out"],
            keys={"keys": [CLIENT_KEY.as_dict(private=False)]},
            now=utc_now(),
        )
        client_id = registered.client.id
    portal = create_app(settings_of(portal_database, portal_client_id=client_id))
    portal.state.sessions = portal_database.sessions
    transport = ASGITransport(Edge(members, portal), raise_app_exceptions=False)
    async with (
        AsyncClient(transport=transport) as http,
        AsyncClient(
            transport=transport, base_url=ISSUER, headers={"Accept-Language": "en"}
        ) as browser,
    ):
        members.state.access_tokens = access_tokens_of(http)
        ask_with(portal, http)
        yield Place(browser, members_database, members)
        await portal.state.renewals.finished()


def access_tokens_of(http: AsyncClient) -> AccessTokens:
    """Let members know its own access tokens, by the keys that it publishes."""

    async def fetch() -> Any:
        return (await http.get(f"{ISSUER}/oauth/jwks")).json()

    return AccessTokens(
        JsonWebKeys(fetch, lifetime_seconds=300),
        issuer=ISSUER,
        audience=f"{ISSUER}/api/v1",
        leeway_seconds=5,
    )


async def test_somebody_logs_in_and_sees_who_they_are(place: Place) -> None:
    await place.sit_down("coordinator")

    page = await place.go("/session/login")

    assert page.status_code == 200
    assert "For Tokyo As Water desk (Min Kim) Roles Coordinator" in text_of(page)


async def test_who_has_no_role_yet_can_log_in(place: Place) -> None:
    await place.sit_down()

    page = await place.go("/session/login")

    assert "As Water desk (Min Kim) Roles none yet" in text_of(page)


async def test_who_logs_out_is_out_everywhere(place: Place) -> None:
    person = await place.sit_down("coordinator")
    await place.go("/session/login")

    bye = await place.submit("/session/logout")

    assert "You are logged out" in text_of(bye)
    assert SESSION not in place.browser.cookies
    assert SIGN_IN not in place.browser.cookies
    place.browser.cookies.set(SIGN_IN, person.cookie, domain="renkei.example", path="/")
    again = await place.go("/session/login")
    assert again.url.path == "/login"


async def test_one_sees_and_ends_ones_own_sessions(place: Place) -> None:
    await place.sit_down("coordinator")
    await place.go("/session/login")

    seen = await place.go("/sessions")
    bye = await place.submit("/sessions/end")

    assert text_of(seen).count("This browser") == 1
    assert "Applications portal" in text_of(seen)
    assert "You are logged out" in text_of(bye)
    assert 'href="/session/login"' in (await place.go("/")).text


async def test_a_session_that_members_has_ended_is_over_here(place: Place) -> None:
    person = await place.sit_down("coordinator")
    await place.go("/session/login")
    async with place.database.sessions.begin() as session:
        await end_sessions_of(
            session,
            now=utc_now(),
            because="blocked",
            by=Actor(member="tokyo"),
            official_id=person.official.id,
        )

    page = await place.go("/")

    assert "Your session has ended" in text_of(page)
    assert SESSION not in place.browser.cookies


async def test_a_notice_of_members_ends_the_session_that_it_names(place: Place) -> None:
    person = await place.sit_down("coordinator")
    await place.go("/session/login")
    now = utc_now()
    async with place.database.sessions() as session:
        family = await session.scalar(select(TokenFamily))
    assert family is not None
    ring: KeyRing = place.members.state.signing_keys
    token = new_logout_token(
        issuer=ISSUER,
        client_id=family.client_id,
        session_id=family.id,
        official_id=person.official.id,
        key=(await ring.current(place.database.sessions)).identity,
        now=now,
    )

    told = await place.browser.post("/session/backchannel-logout", data={"logout_token": token})

    assert told.status_code == 200
    assert "Your session has ended" in text_of(await place.go("/"))


async def test_another_city_is_chosen_at_the_login(place: Place) -> None:
    await place.sit_down("coordinator")
    await place.go("/session/login")

    page = await place.submit("/session/switch", member="seoul")

    assert page.url.path == "/login/seoul"
