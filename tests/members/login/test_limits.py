"""Whoever plays with the login is stopped, and the city behind the same address is not."""

from urllib.parse import parse_qs, urlsplit

import pytest
from fastapi import FastAPI
from httpx2 import AsyncClient
from sqlalchemy import func, select

from services.members.http.app import create_app
from services.members.http.login.cookies import BROWSER
from services.members.model.audit import AuditEntry
from services.members.model.failed_guess import FailedGuess
from services.members.model.login_attempt import LoginAttempt
from services.members.settings import MembersSettings
from tests.conftest import Database
from tests.members.login.seoul import Seoul, browser, is_in
from tests.web import environment, on

CITY, ELSEWHERE = "198.51.100.7", "203.0.113.9"


@pytest.fixture
async def app(database: Database) -> FastAPI:
    """Five failures from one address, three with one name; six logins that nobody ends."""
    given = {
        "identity_allow_private": True,
        "guesses_per_source": 5,
        "guesses_per_name": 3,
        "unfinished_per_source": 6,
    }
    return on(create_app(MembersSettings(**environment(database) | given)), database)


def at(seoul: Seoul, source: str = CITY, **headers: str) -> AsyncClient:
    return browser(seoul.network.app, **{"X-Forwarded-For": source}, **headers)


async def come_back(client: AsyncClient, state: str) -> int:
    return (await client.get("/login/seoul/callback", params={"state": state})).status_code


async def attempts(seoul: Seoul) -> int:
    async with seoul.network.database.sessions() as session:
        return int(await session.scalar(select(func.count()).select_from(LoginAttempt)) or 0)


async def test_a_browser_that_guesses_answers_is_stopped_and_its_neighbour_comes_in(
    seoul: Seoul,
) -> None:
    await seoul.invite()
    await seoul.prove()
    async with at(seoul) as one, at(seoul) as other:
        await one.get("/login/seoul")

        found = [await come_back(one, f"guessed-{number}") for number in range(4)]
        await seoul.log_in(other)

    assert found == [400, 400, 400, 429]
    assert is_in(other)


async def test_invented_browsers_are_stopped_and_a_real_one_comes_in(seoul: Seoul) -> None:
    await seoul.invite()
    await seoul.prove()
    found = []
    for number in range(6):
        async with at(seoul) as client:
            client.cookies.set(BROWSER, f"invented-{number}", domain="renkei.example")
            found.append(await come_back(client, "guessed"))

    async with at(seoul) as real, at(seoul, ELSEWHERE) as far:
        await seoul.log_in(real)
        await seoul.log_in(far)

    assert found == [400] * 5 + [429]
    assert is_in(real)
    assert is_in(far)


async def test_logins_that_nobody_ends_are_bounded_where_they_begin(seoul: Seoul) -> None:
    before = await attempts(seoul)
    async with at(seoul) as client, at(seoul, ELSEWHERE) as other:
        found = [(await client.get("/login/seoul")).status_code for _ in range(8)]
        elsewhere = await other.get("/login/seoul")

    assert found == [302] * 6 + [429] * 2
    assert elsewhere.status_code == 302
    assert await attempts(seoul) == before + 7


async def test_a_stranger_fills_no_trail_that_is_kept_for_good(seoul: Seoul) -> None:
    answers = []
    for _ in range(6):
        async with at(seoul) as client:
            left = await client.get("/login/seoul")
            [state] = parse_qs(urlsplit(left.headers["location"]).query)["state"]
            given = {"state": state, "error": "access_denied"}
            answers.append((await client.get("/login/seoul/callback", params=given)).status_code)

    async with seoul.network.database.sessions() as session:
        recorded = await session.scalar(
            select(func.count()).where(AuditEntry.action == "login.refused")
        )
    assert answers == [403] * 6
    assert recorded == 5


async def test_whom_a_member_turns_away_fills_its_trail_no_more_than_others(seoul: Seoul) -> None:
    turned_away = []
    for _ in range(7):
        async with at(seoul) as client:
            turned_away.append((await seoul.log_in(client)).status_code)
    async with at(seoul, ELSEWHERE) as other:
        await seoul.log_in(other)

    async with seoul.network.database.sessions() as session:
        recorded = await session.scalar(
            select(func.count()).where(AuditEntry.action == "login.refused")
        )
    assert turned_away == [403] * 7
    assert recorded == 5 + 1


async def test_a_whole_city_can_log_in_behind_one_address(seoul: Seoul) -> None:
    await seoul.invite()
    await seoul.prove()

    came = []
    for _ in range(8):
        async with at(seoul) as client:
            await seoul.log_in(client)
            came.append(is_in(client))

    assert came == [True] * 8
    async with seoul.network.database.sessions() as session:
        counts = await session.execute(select(FailedGuess.key, FailedGuess.count))
        assert {key: count for key, count in counts if CITY in key} == {f"unfinished {CITY}": 0}


async def test_mail_domains_are_not_tried_for_ever_and_the_list_stays(seoul: Seoul) -> None:
    await seoul.prove()
    async with at(seoul, **{"Accept-Language": "ja"}) as client:
        known = [
            (await client.post("/login", data={"email": "a@seoul.example"})).status_code
            for _ in range(8)
        ]

        tried = [
            await client.post("/login", data={"email": f"a@city-{number}.example"})
            for number in range(6)
        ]
        cities = await client.get("/login")

    assert known == [303] * 8
    assert [page.status_code for page in tried] == [200] * 5 + [429]
    assert "しばらくお待ちください" in tried[-1].text
    assert int(tried[-1].headers["retry-after"]) > 0
    assert cities.status_code == 200


async def test_invented_logouts_are_stopped_for_the_member_that_they_name(seoul: Seoul) -> None:
    path = "/login/seoul/backchannel-logout"
    async with at(seoul) as client:
        found = [
            await client.post(path, data={"logout_token": f"a.b.{number}"}) for number in range(4)
        ]
        other = await client.post(path.replace("seoul", "tokyo"), data={"logout_token": "a.b.c"})

    assert [answer.status_code for answer in found] == [400, 400, 400, 429]
    assert found[-1].json() == {"error": "temporarily_unavailable"}
    assert int(found[-1].headers["retry-after"]) > 0
    assert other.status_code == 400
