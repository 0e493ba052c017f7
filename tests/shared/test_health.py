"""Operators see what a process lives on, and what it does without for a while."""

import gc
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from httpx2 import AsyncClient
from nats.aio.msg import Msg
from pydantic import SecretStr

from shared.health import Health
from tests.servers import Servers
from tests.shared.outages import Gate, OwnNats
from tests.shared.things import Place
from tests.shared.things_api import things_application
from tests.shared.waiting import becomes, eventually
from tests.web import api


@asynccontextmanager
async def process(place: Place) -> AsyncIterator[AsyncClient]:
    """The web process as it really starts, but for the keys of access tokens."""
    app = things_application(place)
    tokens = app.state.access_tokens
    thresholds = gc.get_threshold()
    async with app.router.lifespan_context(app), api(app, "seoul") as client:
        app.state.access_tokens = tokens
        yield client
    gc.unfreeze()
    gc.set_threshold(*thresholds)


@pytest.fixture
def uncached(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shared.health.CACHE_SECONDS", 0)


pytestmark = pytest.mark.usefixtures("uncached")


async def test_a_process_with_everything_is_ready(place: Place) -> None:
    async with process(place) as client:
        await becomes(lambda: readiness(client), (200, "ok", {"database": "ok", "nats": "ok"}))
        alive = await client.get("/livez")

    assert (alive.status_code, alive.json()["status"]) == (200, "ok")


async def readiness(client: AsyncClient) -> tuple[int, str, dict[str, str]]:
    response = await client.get("/readyz")
    return response.status_code, response.json()["status"], response.json()["parts"]


async def test_without_the_database_a_process_lives_but_cannot_work(
    place: Place, servers: Servers
) -> None:
    gate = Gate(servers.postgres_port)
    await gate.open()
    url = place.database.url.replace(f":{servers.postgres_port}/", f":{gate.port}/")
    async with process(place.with_settings(database_url=SecretStr(url))) as client:
        await becomes(lambda: readiness(client), (200, "ok", {"database": "ok", "nats": "ok"}))
        await gate.shut()
        assert await readiness(client) == (503, "down", {"database": "down", "nats": "ok"})
        assert (await client.get("/livez")).status_code == 200
        refused = await client.post("/api/v1/things", json={"title": "Pier"})
        await gate.open()
        await becomes(lambda: readiness(client), (200, "ok", {"database": "ok", "nats": "ok"}))
    await gate.shut()

    assert (refused.status_code, refused.headers["retry-after"]) == (503, "2")
    assert await place.waiting_titles() == []


async def test_without_the_broker_a_process_goes_on_and_says_so(
    place: Place, own_nats: OwnNats
) -> None:
    degraded = (200, "degraded", {"database": "ok", "nats": "degraded"})
    await own_nats.pause()
    async with process(place.with_settings(nats_url=own_nats.url)) as client:
        assert await readiness(client) == degraded
        written = await client.post("/api/v1/things", json={"title": "Pier"})
        own_nats.resume()
        await becomes(lambda: readiness(client), (200, "ok", {"database": "ok", "nats": "ok"}))
        await own_nats.pause()
        await becomes(lambda: readiness(client), degraded)

    assert written.status_code == 201
    assert await place.waiting_titles() == ["Pier"]


async def test_each_commit_with_a_fact_wakes_the_relay(place: Place) -> None:
    woken: list[Msg] = []

    async def hear(message: Msg) -> None:
        woken.append(message)

    await place.nats.subscribe(f"wake.{place.publisher}", cb=hear)
    await place.nats.flush()
    async with process(place) as client:
        await becomes(lambda: readiness(client), (200, "ok", {"database": "ok", "nats": "ok"}))
        for number in range(1, 4):
            await client.post("/api/v1/things", json={"title": "Pier"})
            await eventually(lambda expected=number: are(woken, expected))  # type: ignore[misc]


async def are(found: list[Msg], number: int) -> bool:
    return len(found) == number


async def test_metrics_are_given_in_the_form_of_prometheus(place: Place) -> None:
    async with process(place) as client:
        response = await client.get("/metrics")

    assert response.status_code == 200
    assert response.headers["content-type"].startswith("text/plain")
    assert "http_server_request_duration_seconds" in response.text
    assert "outbox_pending_events" in response.text


async def test_parts_are_not_asked_more_often_than_once_a_second(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("shared.health.CACHE_SECONDS", 60)
    asked = 0

    async def answers() -> bool:
        nonlocal asked
        asked += 1
        return True

    health = Health("things-web")
    health.needs("database", answers)
    for _ in range(5):
        assert await health.check() == ({"database": "ok"}, True)

    assert asked == 1
    health.stopping = True
    assert await health.check() == ({"database": "ok"}, False)


async def test_a_part_that_does_not_answer_in_time_is_down(
    monkeypatch: pytest.MonkeyPatch, place: Place
) -> None:
    monkeypatch.setattr("shared.health.CHECK_SECONDS", 0.02)

    async def hangs() -> bool:
        await place.nats.request("nobody.answers", timeout=60)
        return True

    await place.nats.subscribe("nobody.answers")
    health = Health("things-web")
    health.needs("database", hangs)

    assert await health.check() == ({"database": "down"}, False)
