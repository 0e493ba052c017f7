"""Lists in parts: nothing twice, nothing missing, while others write."""

import json
from base64 import urlsafe_b64encode
from datetime import date, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from httpx2 import AsyncClient
from sqlalchemy import select
from sqlalchemy.orm import Mapped, mapped_column

from shared.http.paging import CursorUnknown, Paging
from tests.shared.things import AT, Base, Place, Thing
from tests.shared.things_api import client_of

PATH = "/api/v1/things"


async def make(place: Place, *numbers: int, at: datetime | None = None) -> None:
    async with place.sessions.begin() as session:
        session.add_all(
            Thing(title=f"{number:02}", made_at=at or AT + timedelta(minutes=number))
            for number in numbers
        )


async def walk(client: AsyncClient, first: str) -> list[list[str]]:
    """The titles of each part, following `next`."""
    parts, path = [], first
    while path:
        found = (await client.get(path)).json()
        parts.append([thing["title"] for thing in found["items"]])
        path = found["next"]
    return parts


async def test_the_parts_make_up_the_whole(place: Place) -> None:
    await make(place, *range(7))

    async with client_of(place) as client:
        upward = await walk(client, f"{PATH}?limit=3")
        downward = await walk(client, f"{PATH}?limit=3&newest_first=true")

    assert upward == [["00", "01", "02"], ["03", "04", "05"], ["06"]]
    assert downward == [["06", "05", "04"], ["03", "02", "01"], ["00"]]


async def test_a_part_that_ends_the_list_leads_nowhere(place: Place) -> None:
    await make(place, *range(3))

    async with client_of(place) as client:
        response = await client.get(f"{PATH}?limit=3")

    assert response.json()["next"] is None
    assert "link" not in response.headers


async def test_the_next_part_is_named_in_body_and_header(place: Place) -> None:
    await make(place, *range(3))

    async with client_of(place) as client:
        response = await client.get(f"{PATH}?limit=2&newest_first=true")

    following = response.json()["next"]
    assert following.startswith(f"{PATH}?limit=2&newest_first=true&cursor=")
    assert response.headers["link"] == f'<{following}>; rel="next"'


@pytest.mark.parametrize("newest_first", ["false", "true"])
async def test_what_is_added_meanwhile_shifts_nothing(place: Place, newest_first: str) -> None:
    await make(place, *range(10, 20))

    async with client_of(place) as client:
        first = (await client.get(f"{PATH}?limit=5&newest_first={newest_first}")).json()
        for minutes in (1, 12.5, 14.5, 15.5, 31):
            await make(place, 99, at=AT + timedelta(minutes=minutes))
        rest = await walk(client, first["next"])

    titles = [thing["title"] for thing in first["items"]] + [t for part in rest for t in part]
    expected = [str(number) for number in range(10, 20)]
    assert [title for title in titles if title != "99"] == (
        expected if newest_first == "false" else expected[::-1]
    )


async def test_things_of_one_moment_are_told_apart(place: Place) -> None:
    await make(place, *range(9), at=AT)

    async with client_of(place) as client:
        parts = await walk(client, f"{PATH}?limit=2")

    assert sorted(title for part in parts for title in part) == [f"{n:02}" for n in range(9)]


@pytest.fixture
async def cursor(place: Place) -> str:
    await make(place, *range(3))
    async with client_of(place) as client:
        following = (await client.get(f"{PATH}?limit=1")).json()["next"]
    return str(following.rpartition("cursor=")[2])


async def test_a_cursor_that_was_changed_is_refused(place: Place, cursor: str) -> None:
    changed = [
        cursor[:position] + ("A" if cursor[position] != "A" else "B") + cursor[position + 1 :]
        for position in range(0, len(cursor) - 1, 3)
    ]

    async with client_of(place) as client:
        for each in [*changed, cursor[:-2], cursor[1:], cursor + "AAAA", cursor * 2]:
            response = await client.get(f"{PATH}?cursor={each}")

            assert response.status_code == 422
            assert response.headers["content-type"] == "application/problem+json"


@pytest.mark.parametrize(
    "cursor",
    ["x", "%00", "é", "%ff", "bnVsbA", "W10", "a" * 501, "", "=", "eyJhIjoxfQ", "..", "%ED%A0%80"],
)
async def test_what_is_no_cursor_is_refused(place: Place, cursor: str) -> None:
    async with client_of(place) as client:
        response = await client.get(f"{PATH}?cursor={cursor}")

    assert response.status_code == 422


async def test_a_cursor_of_the_other_order_is_refused(place: Place, cursor: str) -> None:
    async with client_of(place) as client:
        response = await client.get(f"{PATH}?newest_first=true&cursor={cursor}")

    assert response.status_code == 422
    assert response.json()["type"] == "/problems/cursor-unknown"


class Dated(Base, kw_only=True):
    __tablename__ = "dated"

    id: Mapped[UUID] = mapped_column(primary_key=True)
    due_on: Mapped[date]
    number: Mapped[int]


KEYS: dict[str, Any] = {"day": Dated.due_on, "number": Dated.number, "id": Dated.id}


@pytest.mark.parametrize(
    ("kind", "values"),
    [
        ("day", ["2026-04-31"]),
        ("day", ["2026-04-01T00:00"]),
        ("number", [str(2**63)]),
        ("number", ["9" * 5000]),
        ("number", ["1.5"]),
        ("number", ["NaN"]),
        ("number", [7]),
        ("id", ["x"]),
        ("id", []),
        ("id", ["a", "b"]),
    ],
)
async def test_a_cursor_that_was_made_up_never_reaches_the_database(
    place: Place, kind: str, values: list[Any]
) -> None:
    key = KEYS[kind]
    text = json.dumps([f"Dated {key.key} up", *values]).encode()
    made_up = urlsafe_b64encode(b"\0\0\0\0" + text).decode().rstrip("=")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("shared.http.paging._checksum", lambda _: b"\0\0\0\0")
        async with place.sessions() as session:
            with pytest.raises(CursorUnknown):
                await Paging(5, made_up).fetch(session, select(Dated), key)


async def test_a_list_may_be_in_the_order_of_days_and_numbers(place: Place) -> None:
    rows = [
        Dated(id=UUID(int=n), due_on=date(2026, 4, 1) + timedelta(days=n // 2), number=-n)
        for n in range(5)
    ]
    async with place.sessions.begin() as session:
        session.add_all(rows)

    found: list[int] = []
    cursor: str | None = None
    async with place.sessions() as session:
        while True:
            part, cursor = await Paging(2, cursor).fetch(
                session, select(Dated), Dated.due_on, Dated.number, Dated.id
            )
            found += [row.number for row in part]
            if cursor is None:
                break

    assert found == [-1, 0, -3, -2, -4]
