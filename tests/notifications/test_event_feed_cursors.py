"""Cursors: how far each system has read, moved forward by commits and anywhere by its owner."""

import asyncio
from typing import Any

import pytest
from fastapi import FastAPI
from httpx2 import AsyncClient, Response
from sqlalchemy import delete, func, select

from services.notifications.model.event_feed import CURSORS_MAX, FeedCursor, FeedEntry
from shared.clock import utc_now
from shared.contracts.members import MemberSuspended
from shared.identifiers import new_id
from tests.conftest import Database
from tests.notifications.hearing import Ears, member, project
from tests.web import api

EVENTS = "/api/v1/events"
PATH = f"{EVENTS}/cursors"
NEW = {"If-None-Match": "*"}


@pytest.fixture(autouse=True)
async def known(ears: Ears) -> None:
    await ears.hear(member("seoul"), member("tokyo"), only="members")


@pytest.fixture
async def seoul(app: FastAPI, ears: Ears) -> AsyncClient:
    """Seoul, whose feed has ten facts."""
    await ears.hear(*(project(new_id()) for _ in range(10)), only="webhooks")
    return api(app, "seoul")


async def made(client: AsyncClient, name: str = "archive", sequence: int = 4) -> Response:
    response = await client.put(f"{PATH}/{name}", json={"sequence": sequence}, headers=NEW)
    assert response.status_code == 200
    return response


async def commit(client: AsyncClient, sequence: Any, name: str = "archive", **headers: str) -> Any:
    return await client.post(f"{PATH}/{name}/commit", json={"sequence": sequence}, headers=headers)


async def test_a_cursor_is_made_read_and_listed(seoul: AsyncClient) -> None:
    response = await made(seoul)
    await made(seoul, "all", 0)

    shown = response.json()
    assert response.headers["etag"] == '"1"'
    assert (shown["name"], shown["sequence"], shown["behind"]) == ("archive", 4, 6)
    assert shown["allowed_actions"] == ["commit", "seek", "delete"]
    assert (await seoul.get(f"{PATH}/archive")).json() == shown
    listed = (await seoul.get(PATH)).json()["items"]
    assert [each["name"] for each in listed] == ["all", "archive"]


async def test_the_feed_is_read_on_from_what_was_committed(seoul: AsyncClient) -> None:
    await made(seoul)
    first = await seoul.get(EVENTS, params={"cursor": "archive", "limit": 2})

    await commit(seoul, first.json()["next"])

    second = await seoul.get(EVENTS, params={"cursor": "archive", "limit": 2})
    assert [item["sequence"] for item in first.json()["items"]] == [5, 6]
    assert [item["sequence"] for item in second.json()["items"]] == [7, 8]
    # The address of what follows goes on from there, not from the cursor once more.
    assert second.headers["link"] == f'<{EVENTS}?after=8&limit=2>; rel="next"'


async def test_a_late_commit_moves_nothing_back(seoul: AsyncClient) -> None:
    await made(seoul)
    await commit(seoul, 9)

    late, again = await commit(seoul, 7), await commit(seoul, 9)

    assert (late.status_code, late.json()["sequence"]) == (200, 9)
    assert (again.status_code, again.json()["version"]) == (200, 2)


async def test_commits_that_race_leave_the_furthest(seoul: AsyncClient) -> None:
    await made(seoul, sequence=0)

    answers = await asyncio.gather(*(commit(seoul, each) for each in (3, 10, 1, 7, 9, 2, 8)))

    assert {answer.status_code for answer in answers} == {200}
    assert (await seoul.get(f"{PATH}/archive")).json()["sequence"] == 10


async def test_a_commit_beyond_the_end_is_refused(seoul: AsyncClient) -> None:
    await made(seoul)

    response = await commit(seoul, 11)

    assert (response.status_code, response.json()["end"]) == (409, 10)
    assert (await seoul.get(f"{PATH}/archive")).json()["sequence"] == 4


async def test_a_commit_that_is_sent_again_is_answered_again(seoul: AsyncClient) -> None:
    await made(seoul)
    first = await commit(seoul, 6, **{"Idempotency-Key": "six"})
    await commit(seoul, 8)

    second = await commit(seoul, 6, **{"Idempotency-Key": "six"})

    assert second.json() == first.json()
    assert second.headers["idempotency-replayed"] == "true"
    assert (await seoul.get(f"{PATH}/archive")).json()["sequence"] == 8


async def test_its_owner_lets_it_stand_anywhere(seoul: AsyncClient) -> None:
    etag = (await made(seoul)).headers["etag"]

    back = await seoul.put(f"{PATH}/archive", json={"sequence": 0}, headers={"If-Match": etag})

    assert (back.status_code, back.json()["sequence"], back.headers["etag"]) == (200, 0, '"2"')
    stale = await seoul.put(f"{PATH}/archive", json={"sequence": 9}, headers={"If-Match": etag})
    assert (stale.status_code, stale.json()["current"]["sequence"]) == (412, 0)
    beyond = await seoul.put(f"{PATH}/archive", json={"sequence": 11}, headers={"If-Match": "*"})
    assert (beyond.status_code, beyond.json()["type"]) == (409, "/problems/feed-not-that-far")
    assert (await seoul.get(f"{PATH}/archive")).json()["sequence"] == 0


async def test_it_is_let_stand_before_what_entered_from_a_moment_on(
    seoul: AsyncClient, ears: Ears
) -> None:
    since = utc_now().isoformat()
    await ears.hear(project(new_id()), only="webhooks")

    lately = await seoul.put(f"{PATH}/lately", json={"since": since}, headers=NEW)
    ever = await seoul.put(f"{PATH}/ever", json={"since": "2020-01-01T00:00:00Z"}, headers=NEW)
    never = await seoul.put(f"{PATH}/never", json={"since": "2100-01-01T00:00:00Z"}, headers=NEW)

    assert [each.json()["sequence"] for each in (lately, ever, never)] == [10, 0, 11]


async def test_a_cursor_that_stands_before_what_is_kept_says_so(
    seoul: AsyncClient, database: Database
) -> None:
    await made(seoul, sequence=2)
    async with database.sessions.begin() as session:
        await session.execute(delete(FeedEntry).where(FeedEntry.sequence < 6))

    response = await seoul.get(EVENTS, params={"cursor": "archive"})

    assert (response.status_code, response.json()["first"]) == (410, 6)
    back = await seoul.put(f"{PATH}/other", json={"sequence": 3}, headers=NEW)
    assert (back.status_code, back.json()["first"]) == (410, 6)
    ever = await seoul.put(f"{PATH}/ever", json={"since": "2020-01-01T00:00:00Z"}, headers=NEW)
    assert ever.json()["sequence"] == 5


async def test_a_cursor_is_made_once_even_by_those_who_race(
    seoul: AsyncClient, database: Database
) -> None:
    answers = await asyncio.gather(
        *(seoul.put(f"{PATH}/archive", json={"sequence": each}, headers=NEW) for each in range(5))
    )

    assert sorted(answer.status_code for answer in answers) == [200, 412, 412, 412, 412]
    async with database.sessions() as session:
        assert await session.scalar(select(func.count()).select_from(FeedCursor)) == 1


async def test_a_member_has_only_so_many(seoul: AsyncClient, database: Database) -> None:
    now = utc_now()
    async with database.sessions.begin() as session:
        for number in range(CURSORS_MAX - 1):
            session.add(
                FeedCursor(
                    member="seoul", name=f"c{number}", sequence=0, created_at=now, updated_at=now
                )
            )

    answers = await asyncio.gather(
        *(seoul.put(f"{PATH}/new{each}", json={"sequence": 0}, headers=NEW) for each in range(3))
    )

    assert sorted(answer.status_code for answer in answers) == [200, 409, 409]


async def test_a_cursor_is_forgotten(seoul: AsyncClient) -> None:
    etag = (await made(seoul)).headers["etag"]
    await commit(seoul, 5)

    stale = await seoul.delete(f"{PATH}/archive", headers={"If-Match": etag})
    blind = await seoul.delete(f"{PATH}/archive")
    gone = await seoul.delete(f"{PATH}/archive", headers={"If-Match": '"2"'})

    assert (stale.status_code, blind.status_code, gone.status_code) == (412, 428, 204)
    assert (await seoul.get(f"{PATH}/archive")).status_code == 404


async def test_a_cursor_is_its_members_own(seoul: AsyncClient, app: FastAPI) -> None:
    await made(seoul)
    tokyo = api(app, "tokyo")
    anything = {"If-Match": "*"}

    answers = [
        await tokyo.get(f"{PATH}/archive"),
        await tokyo.put(f"{PATH}/archive", json={"sequence": 0}, headers=anything),
        await commit(tokyo, 1),
        await tokyo.delete(f"{PATH}/archive", headers=anything),
        await tokyo.get(EVENTS, params={"cursor": "archive"}),
    ]

    assert {answer.status_code for answer in answers} == {404}
    assert (await tokyo.get(PATH)).json()["items"] == []
    assert (await seoul.get(f"{PATH}/archive")).json()["sequence"] == 4


async def test_moving_a_cursor_needs_the_scope_and_an_active_member(
    seoul: AsyncClient, app: FastAPI, ears: Ears
) -> None:
    await made(seoul)
    reader = api(app, "seoul", "notifications:read")

    async def refused(client: AsyncClient) -> set[str]:
        answers = [
            await client.put(f"{PATH}/archive", json={"sequence": 0}, headers={"If-Match": "*"}),
            await client.put(f"{PATH}/other", json={"sequence": 0}, headers=NEW),
            await commit(client, 8),
            await client.delete(f"{PATH}/archive", headers={"If-Match": "*"}),
        ]
        assert {answer.status_code for answer in answers} == {403}
        return {answer.json()["type"] for answer in answers}

    assert await refused(reader) == {"/problems/missing-scope"}
    assert (await reader.get(f"{PATH}/archive")).json()["allowed_actions"] == []
    await ears.hear(member("seoul", status="suspended", version=2, kind=MemberSuspended))
    assert await refused(seoul) == {"/problems/member-not-active"}
    assert (await seoul.get(f"{PATH}/archive")).json()["sequence"] == 4


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"sequence": 1, "since": "2026-01-01T00:00:00Z"},
        {"sequence": "1"},
        {"sequence": True},
        {"sequence": 1.5},
        {"sequence": -1},
        {"sequence": 2**53},
        {"sequence": 10**40},
        {"since": "yesterday"},
        {"since": "2026-01-01T00:00:00"},
        {"sequence": 1, "more": 1},
        [],
    ],
)
async def test_what_makes_no_sense_is_refused(seoul: AsyncClient, body: Any) -> None:
    response = await seoul.put(f"{PATH}/archive", json=body, headers=NEW)

    assert response.status_code == 422
    assert (await seoul.get(PATH)).json()["items"] == []


@pytest.mark.parametrize("name", ["Upper", "a%0Ab", "a%00b", "-a", "a-", "x" * 65, "a b", "é"])
async def test_a_name_is_short_and_plain(seoul: AsyncClient, name: str) -> None:
    response = await seoul.put(f"{PATH}/{name}", json={"sequence": 0}, headers=NEW)

    assert response.status_code == 422


@pytest.mark.parametrize(
    "headers",
    [{}, {"If-None-Match": '"1"'}, {"If-None-Match": "*", "If-Match": "*"}, {"If-Match": "new"}],
)
async def test_whoever_puts_a_cursor_says_what_they_expect(
    seoul: AsyncClient, headers: dict[str, str]
) -> None:
    response = await seoul.put(f"{PATH}/archive", json={"sequence": 0}, headers=headers)

    assert response.status_code == 428
    assert (await seoul.get(PATH)).json()["items"] == []


async def test_a_cursor_is_not_made_by_whoever_means_one_that_is_there(
    seoul: AsyncClient,
) -> None:
    response = await seoul.put(f"{PATH}/archive", json={"sequence": 0}, headers={"If-Match": "*"})

    assert response.status_code == 404
