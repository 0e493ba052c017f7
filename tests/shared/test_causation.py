"""What is announced because of a webhook names it, and counts one hop more."""

import json
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import select

from shared.causation import Cause, because_of, current_cause, read_cause, written_cause
from shared.messaging.tables import OutboxMessage
from tests.shared.things import Place
from tests.shared.things_api import client_of

EVENT = UUID("0196f000-0000-7000-8000-000000000009")
THINGS = "/api/v1/things"


async def announced(place: Place) -> list[dict[str, Any]]:
    async with place.sessions() as session:
        bodies = await session.scalars(select(OutboxMessage.body).order_by(OutboxMessage.position))
        return [json.loads(body) for body in bodies]


async def test_a_fact_names_the_webhook_that_led_to_it(place: Place) -> None:
    async with client_of(place) as client:
        response = await client.post(
            THINGS, json={"title": "Pier"}, headers={"webhook-cause": f"{EVENT};hops=2"}
        )

    assert response.status_code == 201
    [fact] = await announced(place)
    assert (fact["causationid"], fact["hops"]) == (str(EVENT), 3)


async def test_a_fact_without_such_a_cause_names_none(place: Place) -> None:
    async with client_of(place) as client:
        await client.post(
            THINGS, json={"title": "Pier"}, headers={"webhook-cause": f"{EVENT};hops=0"}
        )
        await client.post(THINGS, json={"title": "Mole"})

    caused, uncaused = await announced(place)
    assert caused["hops"] == 1
    assert not uncaused.keys() & {"causationid", "hops"}
    assert current_cause() is None


@pytest.mark.parametrize(
    "written",
    [
        "",
        "hops=1",
        str(EVENT),
        f"{EVENT};hops=",
        f"{EVENT};hops=-1",
        f"{EVENT};hops=1.5",
        f"{EVENT};hops=12345",
        f"{EVENT};hops=\u0661",
        f"{EVENT};hops=1;hops=2",
        f"{str(EVENT)[:-1]};hops=1",
        f"{EVENT};hops=1" + "0" * 5_000,
    ],
)
@pytest.mark.parametrize("method", ["GET", "POST"])
async def test_a_cause_that_makes_no_sense_is_refused(
    place: Place, method: str, written: str
) -> None:
    async with client_of(place) as client:
        response = await client.request(
            method,
            THINGS,
            json={"title": "Pier"} if method == "POST" else None,
            headers=[(b"webhook-cause", written.encode())],
        )

    assert response.status_code == 422
    assert response.json()["errors"][0]["location"] == "header/webhook-cause"
    assert await announced(place) == []


async def test_a_cause_given_twice_is_refused(place: Place) -> None:
    given = (b"webhook-cause", f"{EVENT};hops=1".encode())
    async with client_of(place) as client:
        response = await client.post(THINGS, json={"title": "Pier"}, headers=[given, given])

    assert response.status_code == 422
    assert await announced(place) == []


async def test_the_same_request_again_is_the_same_whatever_led_to_it(place: Place) -> None:
    async with client_of(place) as client:
        answers = [
            await client.post(
                THINGS,
                json={"title": "Pier"},
                headers={"Idempotency-Key": "k", "webhook-cause": f"{EVENT};hops={hops}"},
            )
            for hops in (1, 2)
        ]

    assert [answer.status_code for answer in answers] == [201, 201]
    assert [fact["hops"] for fact in await announced(place)] == [2]


def test_what_a_webhook_carries_can_be_passed_on() -> None:
    cause = Cause(EVENT, 7)

    assert read_cause(written_cause(cause)) == cause
    assert read_cause(written_cause(Cause(EVENT, 10**9))).hops == 9_999


def test_a_cause_holds_only_within() -> None:
    with because_of(Cause(EVENT, 1)):
        inner = current_cause()

    assert inner == Cause(EVENT, 1)
    assert current_cause() is None
