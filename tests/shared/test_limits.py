"""More than can be done is refused at once, and what takes too long is given up."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
from fastapi import FastAPI
from httpx2 import AsyncClient, Response
from prometheus_client import REGISTRY
from sqlalchemy import select

from shared.http.application import Observing
from tests.shared.things import Place, Thing
from tests.shared.things_api import client_of, things_application
from tests.shared.waiting import eventually, running
from tests.web import api


async def begun(app: FastAPI, times: int) -> bool:
    return bool(app.state.begun == times)


async def titles(place: Place) -> list[str]:
    async with place.sessions() as session:
        return list(await session.scalars(select(Thing.title).order_by(Thing.title)))


@pytest.fixture
async def narrow(place: Place) -> FastAPI:
    """Two requests at work, one waiting."""
    return things_application(place.with_settings(in_flight_limit=2, waiting_limit=1))


@pytest.fixture
async def client(narrow: FastAPI) -> AsyncIterator[AsyncClient]:
    async with api(narrow, "seoul") as client:
        yield client


def wait(client: AsyncClient, title: str) -> asyncio.Task[Response]:
    return asyncio.create_task(client.post("/api/v1/things/waits", json={"title": title}))


def present() -> float:
    return REGISTRY.get_sample_value("http_server_in_flight_requests") or 0


async def are_present(number: int) -> bool:
    return present() == number


async def test_only_so_many_are_at_work_and_so_many_wait(
    place: Place, narrow: FastAPI, client: AsyncClient
) -> None:
    at_work = [wait(client, "a"), wait(client, "b")]
    await eventually(lambda: begun(narrow, 2))
    waiting = wait(client, "c")
    await eventually(lambda: are_present(3))

    refused = await client.post("/api/v1/things/waits", json={"title": "d"})
    assert narrow.state.begun == 2
    narrow.state.go_on.set()
    answers = await asyncio.gather(*at_work, waiting)

    assert refused.status_code == 503
    assert refused.headers["content-type"] == "application/problem+json"
    assert refused.headers["retry-after"] == "2"
    assert refused.json()["type"] == "/problems/overloaded"
    assert [answer.status_code for answer in answers] == [200, 200, 200]
    assert await titles(place) == ["a", "b", "c"]
    assert present() == 0


async def test_who_goes_away_frees_the_place(
    place: Place, narrow: FastAPI, client: AsyncClient
) -> None:
    gone = [wait(client, "a"), wait(client, "b")]
    await eventually(lambda: begun(narrow, 2))
    staying = wait(client, "c")
    for task in gone:
        task.cancel()
    await eventually(lambda: begun(narrow, 3))
    narrow.state.go_on.set()

    assert (await staying).status_code == 200
    assert await titles(place) == ["c"]


async def test_operators_are_answered_also_under_overload(client: AsyncClient) -> None:
    async with running(*(client.post("/api/v1/things/waits", json={"title": t}) for t in "abc")):
        await eventually(lambda: are_present(3))
        response = await client.get("/livez")

    assert response.status_code == 200


async def test_what_takes_too_long_is_given_up_and_undone(place: Place) -> None:
    app = things_application(place.with_settings(request_seconds=0.2))
    key = {"Idempotency-Key": "k"}
    async with api(app, "seoul") as client:
        response = await client.post("/api/v1/things/waits", json={"title": "a"}, headers=key)
        app.state.go_on.set()
        again = await client.post("/api/v1/things/waits", json={"title": "a"}, headers=key)

    assert response.status_code == 503
    assert response.headers["content-type"] == "application/problem+json"
    assert response.headers["retry-after"] == "2"
    assert response.headers["x-request-id"]
    assert response.json()["type"] == "/problems/took-too-long"
    assert again.status_code == 200
    assert await titles(place) == ["a"]


@pytest.mark.parametrize("error", [RuntimeError("a bug"), TimeoutError()])
async def test_an_answer_that_has_begun_is_not_answered_again(
    place: Place, error: Exception
) -> None:
    sent: list[str] = []

    async def breaking(*arguments: Any) -> None:
        await arguments[-1]({"type": "http.response.start", "status": 200, "headers": []})
        raise error

    async def send(message: Any) -> None:
        sent.append(message["type"])

    async def receive() -> Any:
        return {"type": "http.disconnect"}

    scope = {"type": "http", "method": "GET", "path": "/x", "headers": []}
    with pytest.raises(type(error)):
        await Observing(breaking, settings=place.settings)(scope, receive, send)

    assert sent == ["http.response.start"]


async def test_invented_methods_and_addresses_do_not_fill_the_memory(place: Place) -> None:
    def series() -> set[tuple[str, str, str]]:
        return {
            (sample.labels["method"], sample.labels["route"], sample.labels["code"])
            for metric in REGISTRY.collect()
            for sample in metric.samples
            if sample.name == "http_server_request_duration_seconds_count"
        }

    async with client_of(place) as client:
        await client.request("BREW", "/api/v1/nothing")
        before = series()
        for number in range(20):
            await client.request(f"BREW{number}", f"/api/v1/nothing/{number}")

    assert ("other", "unmatched", "404") in before
    assert series() == before
