"""Nobody overwrites what they have not seen. Source: RFC 9110, section 13."""

import asyncio
from uuid import uuid4

import pytest

from tests.shared.things import Place, Thing
from tests.shared.things_api import client_of


@pytest.fixture
async def thing(place: Place) -> Thing:
    thing = Thing(title="Pier", version=3)
    async with place.sessions.begin() as session:
        session.add(thing)
    return thing


async def title(place: Place, thing: Thing) -> tuple[str, int]:
    async with place.sessions() as session:
        found = await session.get_one(Thing, thing.id)
        return found.title, found.version


async def test_a_thing_is_shown_with_its_version(place: Place, thing: Thing) -> None:
    async with client_of(place) as client:
        response = await client.get(f"/api/v1/things/{thing.id}")

    assert response.headers["etag"] == '"3"'


@pytest.mark.parametrize("if_match", ['"3"', "*", ' "3" '])
async def test_who_has_seen_the_version_may_change_it(
    place: Place, thing: Thing, if_match: str
) -> None:
    async with client_of(place) as client:
        response = await client.patch(
            f"/api/v1/things/{thing.id}", json={"title": "New"}, headers={"If-Match": if_match}
        )

    assert response.status_code == 200
    assert response.headers["etag"] == '"4"'
    assert await title(place, thing) == ("New", 4)


async def test_who_has_seen_another_version_is_shown_the_present_one(
    place: Place, thing: Thing
) -> None:
    async with client_of(place) as client:
        response = await client.patch(
            f"/api/v1/things/{thing.id}", json={"title": "New"}, headers={"If-Match": '"2"'}
        )

    assert response.status_code == 412
    assert response.headers["content-type"] == "application/problem+json"
    problem = response.json()
    assert problem["type"] == "/problems/version-stale"
    assert problem["detail"] == "You read version 2; it is at version 3 now."
    assert problem["current"]["title"] == "Pier"
    assert problem["current"]["version"] == 3
    assert await title(place, thing) == ("Pier", 3)


@pytest.mark.parametrize(
    "if_match",
    [None, "", "3", 'W/"3"', '"3", "4"', '"three"', '"-3"', '"99999999999"', "\u00b2", '"²"'],
)
async def test_who_does_not_say_which_version_must_say_it(
    place: Place, thing: Thing, if_match: str | None
) -> None:
    headers = {} if if_match is None else {b"if-match": if_match.encode("latin-1")}
    async with client_of(place) as client:
        response = await client.patch(
            f"/api/v1/things/{thing.id}", json={"title": "New"}, headers=headers
        )

    assert response.status_code == 428
    assert response.json()["type"] == "/problems/version-required"
    assert await title(place, thing) == ("Pier", 3)


async def test_one_of_two_simultaneous_changes_is_refused(place: Place, thing: Thing) -> None:
    async with client_of(place) as client:
        responses = await asyncio.gather(
            *(
                client.patch(
                    f"/api/v1/things/{thing.id}",
                    json={"title": name},
                    headers={"If-Match": '"3"'},
                )
                for name in ("one", "other")
            )
        )

    assert sorted(response.status_code for response in responses) == [200, 412]
    [won] = [r.json()["title"] for r in responses if r.status_code == 200]
    assert await title(place, thing) == (won, 4)


async def test_fields_that_a_change_leaves_out_stay(place: Place, thing: Thing) -> None:
    path, headers = f"/api/v1/things/{thing.id}", {"If-Match": "*"}
    async with client_of(place) as client:
        await client.patch(path, json={"note": "wide"}, headers=headers)
        noted = await client.get(path)
        await client.patch(path, json={"note": None}, headers=headers)
        emptied = await client.get(path)
        refused = await client.patch(path, json={"title": None}, headers=headers)

    assert (noted.json()["title"], noted.json()["note"]) == ("Pier", "wide")
    assert (emptied.json()["title"], emptied.json()["note"]) == ("Pier", None)
    assert refused.status_code == 422


async def test_what_is_not_there_is_not_there_whatever_version_is_meant(place: Place) -> None:
    async with client_of(place) as client:
        response = await client.patch(
            f"/api/v1/things/{uuid4()}", json={"title": "New"}, headers={"If-Match": '"1"'}
        )

    assert response.status_code == 404
