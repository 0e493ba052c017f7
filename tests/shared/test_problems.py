"""Every answer that is not a success is a problem, exact to the header. Source: RFC 9457."""

import json
from typing import Any
from uuid import UUID

import pytest
from fastapi import Request
from pydantic import SecretStr
from sqlalchemy import select

from shared.database import connect, sessions_of
from shared.http.problems import refusal_answer, refusals
from tests.shared.things import Place, Thing
from tests.shared.things_api import (
    REFUSALS,
    ThingAway,
    ThingFinished,
    ThingUnknown,
    client_of,
    things_application,
)
from tests.web import api

STATUS = {
    "thing-unknown": 404,
    "thing-forbidden": 403,
    "thing-finished": 409,
    "thing-contradictory": 422,
    "thing-too-large": 413,
    "thing-versionless": 428,
    "thing-away": 503,
}


@pytest.mark.parametrize(("code", "status"), STATUS.items())
async def test_a_refusal_is_a_problem_of_its_kind(place: Place, code: str, status: int) -> None:
    path = f"/api/v1/things/refusals/{code}"
    async with client_of(place) as client:
        response = await client.post(path, json={"title": "Pier"})

    thing = response.json().pop("thing")
    assert response.status_code == status
    assert response.headers["content-type"] == "application/problem+json"
    assert response.json() == {
        "type": f"/problems/{code}",
        "title": REFUSALS[code].title,
        "status": status,
        "detail": "For this reason.",
        "instance": path,
        "thing": thing,
    }
    assert response.headers.get("retry-after") == ("2" if status == 503 else None)
    assert "www-authenticate" not in response.headers


@pytest.mark.parametrize(
    ("headers", "challenge"),
    [
        ({}, 'Bearer realm="renkei"'),
        ({"Authorization": "Bearer x"}, 'Bearer realm="renkei", error="invalid_token"'),
    ],
)
async def test_a_stranger_is_told_how_to_authenticate(
    place: Place, headers: dict[str, str], challenge: str
) -> None:
    async with client_of(place, None) as client:
        response = await client.get("/api/v1/things", headers=headers)

    assert response.status_code == 401
    assert response.headers["content-type"] == "application/problem+json"
    assert response.headers["www-authenticate"] == challenge
    assert response.json()["type"] == "/problems/unauthenticated"
    assert response.json()["title"] == "A valid access token is needed"


async def test_an_unknown_address_is_a_problem(place: Place) -> None:
    async with client_of(place) as client:
        response = await client.get("/api/v1/nothing")

    assert response.status_code == 404
    assert response.headers["content-type"] == "application/problem+json"
    assert response.json() == {
        "type": "/problems/not-found",
        "title": "There is nothing at this address",
        "status": 404,
        "detail": "There is nothing at this address.",
        "instance": "/api/v1/nothing",
    }


@pytest.mark.parametrize(
    ("path", "allowed"),
    [("/api/v1/things", "GET, POST"), (f"/api/v1/things/{UUID(int=7)}", "GET, PATCH")],
)
@pytest.mark.parametrize("method", ["DELETE", "PUT", "BREW"])
async def test_an_unknown_method_is_told_all_known_ones(
    place: Place, path: str, allowed: str, method: str
) -> None:
    async with client_of(place) as client:
        response = await client.request(method, path)

    assert response.status_code == 405
    assert response.headers["content-type"] == "application/problem+json"
    assert response.headers["allow"] == allowed
    assert response.json()["type"] == "/problems/method-not-allowed"


async def test_each_invalid_field_is_named(place: Place) -> None:
    async with client_of(place) as client:
        response = await client.post("/api/v1/things", json={"title": 5, "colour": "red"})

    assert response.status_code == 422
    assert response.headers["content-type"] == "application/problem+json"
    assert response.json() == {
        "type": "/problems/invalid-request",
        "title": "The request is invalid",
        "status": 422,
        "detail": "Nothing was changed. `errors` names what cannot be accepted.",
        "instance": "/api/v1/things",
        "errors": [
            {"location": "body/title", "detail": "Input should be a valid string"},
            {"location": "body/colour", "detail": "Extra inputs are not permitted"},
        ],
    }


async def test_a_fault_of_ours_shows_nothing_of_our_inside(place: Place) -> None:
    async with client_of(place) as client:
        response = await client.post("/api/v1/things/faults/bug", json={"title": "Pier"})

    assert response.status_code == 500
    assert response.headers["content-type"] == "application/problem+json"
    assert response.json() == {
        "type": "/problems/internal",
        "title": "Something went wrong on our side",
        "status": 500,
        "detail": "It has been recorded.",
        "instance": "/api/v1/things/faults/bug",
    }
    assert response.headers["x-request-id"]
    assert response.headers["x-content-type-options"] == "nosniff"


async def test_a_database_that_is_away_is_said_to_be_back_soon(place: Place) -> None:
    app = things_application(place)
    nowhere = SecretStr("postgresql+asyncpg://nobody@127.0.0.1:1/nothing")
    away = place.settings.model_copy(update={"database_url": nowhere})
    engine = connect(away, application="away")
    app.state.sessions = sessions_of(engine)
    async with api(app, "seoul") as client:
        response = await client.post("/api/v1/things", json={"title": "Pier"})
    await engine.dispose()

    assert response.status_code == 503
    assert response.headers["content-type"] == "application/problem+json"
    assert response.headers["retry-after"] == "2"
    assert response.json()["type"] == "/problems/unavailable"


async def test_a_statement_that_took_too_long_is_no_fault_of_the_client(place: Place) -> None:
    async with client_of(place) as client:
        response = await client.post("/api/v1/things/faults/statement", json={"title": "Pier"})

    assert response.status_code == 503
    assert response.headers["retry-after"] == "2"


async def test_the_loser_of_a_race_is_told_that_things_have_changed(place: Place) -> None:
    async with client_of(place) as client:
        first = await client.post("/api/v1/things/faults/twice", json={"title": "first"})
        second = await client.post("/api/v1/things/faults/twice", json={"title": "second"})

    assert (first.status_code, second.status_code) == (200, 409)
    assert second.json()["type"] == "/problems/changed-meanwhile"
    async with place.sessions() as session:
        titles = (await session.scalars(select(Thing.title))).all()
    assert set(titles) == {"first"}


@pytest.mark.parametrize(
    "body", [{"title": "a\0b"}, {"number": 2**63}, {"title": "\ud800"}], ids=["NUL", "int8", "text"]
)
async def test_what_a_route_forgot_to_check_is_still_the_fault_of_the_input(
    place: Place, body: dict[str, Any]
) -> None:
    async with client_of(place) as client:
        response = await client.post(
            "/api/v1/things/unchecked",
            content=json.dumps(body),
            headers={"content-type": "application/json"},
        )

    assert response.status_code == 422
    assert response.json()["type"] == "/problems/invalid-request"


async def test_a_request_id_is_kept_if_it_is_one(place: Place) -> None:
    async with client_of(place) as client:
        ours = await client.get("/api/v1/things")
        theirs = await client.get("/api/v1/things", headers={"X-Request-Id": "trace-7"})
        long = await client.get("/api/v1/things", headers={"X-Request-Id": "x" * 101})

    assert UUID(ours.headers["x-request-id"]).version == 7
    assert theirs.headers["x-request-id"] == "trace-7"
    assert UUID(long.headers["x-request-id"]).version == 7


def test_refusals_are_listed_by_name_in_the_description() -> None:
    listed = refusals(ThingUnknown, ThingFinished, ThingAway)

    assert {status: found["description"] for status, found in listed.items()} == {
        404: "There is no such thing (`thing-unknown`)",
        409: "The thing is finished (`thing-finished`)",
        503: "The thing is away (`thing-away`)",
    }


def test_a_refusal_may_say_when_to_come_back() -> None:
    request = Request({"type": "http", "path": "/", "headers": [], "query_string": b""})

    answer = refusal_answer(request, ThingFinished("Busy.", members={"retry_after": 7}))

    assert answer.headers["retry-after"] == "7"


async def test_the_description_of_the_api_is_complete(place: Place) -> None:
    document = things_application(place).openapi()

    operation = document["paths"]["/api/v1/things/{thing_id}"]["get"]
    assert {"200", "401", "404", "422"} <= operation["responses"].keys()
    assert "application/problem+json" in operation["responses"]["404"]["content"]
    assert "Problem" in document["components"]["schemas"]
