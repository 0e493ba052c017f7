"""Processes start, say what they can do, and stop when they are told to."""

import asyncio
import gc
import os
import signal

import pytest
from fastapi import FastAPI
from httpx2 import AsyncClient, ConnectError
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from shared.messaging.outbox import announce
from shared.serving import Worker, Workplace, _serve
from shared.settings import Settings
from shared.timers import Timer
from tests.shared.outages import OwnNats
from tests.shared.served import free_port, send
from tests.shared.things import Place, Thing
from tests.shared.things_api import things_application
from tests.shared.waiting import becomes, eventually
from tests.web import token


@pytest.fixture
def port() -> int:
    return free_port()


@pytest.fixture
def working(place: Place, port: int) -> Settings:
    return place.settings.model_copy(update={"listen_port": port, "timer_seconds": 0.05})


async def readiness(port: int) -> tuple[int, dict[str, str]]:
    async with AsyncClient(trust_env=False) as client:
        try:
            response = await client.get(f"http://127.0.0.1:{port}/readyz")
        except ConnectError:
            return 0, {}
    return response.status_code, response.json()["parts"]


def terminate() -> None:
    os.kill(os.getpid(), signal.SIGTERM)


READY = (200, {"database": "ok", "nats": "ok"})


async def test_a_worker_does_all_its_parts_and_stops_when_told(
    place: Place, working: Settings, port: int
) -> None:
    async def make(session: AsyncSession, now: object) -> bool:
        del now
        if (await session.scalar(select(Thing).limit(1))) is None:
            session.add(Thing(title="by a timer"))
            announce(session, place.event("by a timer"))
        return False

    worker = Worker(place.publisher, subscriptions=[place.reaction()], timers=[Timer("make", make)])
    run = asyncio.create_task(worker._run(working, worker._all_parts(), "things-worker"))
    await becomes(lambda: readiness(port), READY)
    await becomes(lambda: count(place), 1)

    terminate()
    async with asyncio.timeout(5):
        await run

    assert await readiness(port) == (0, {})
    assert await place.streamed_titles() == ["by a timer"]


async def count(place: Place) -> int:
    return sum((await place.tally()).values())


async def test_a_worker_is_not_ready_before_it_has_reached_the_broker(
    place: Place, working: Settings, port: int, own_nats: OwnNats
) -> None:
    await own_nats.pause()
    settings = working.model_copy(update={"nats_url": own_nats.url})
    worker = Worker(place.publisher)
    run = asyncio.create_task(worker._run(settings, worker._all_parts(), "things-worker"))
    await becomes(lambda: readiness(port), (503, {"database": "ok", "nats": "down"}))
    own_nats.resume()
    await becomes(lambda: readiness(port), READY)

    terminate()
    async with asyncio.timeout(5):
        await run


async def test_a_worker_that_cannot_reach_the_broker_stops_when_told(
    place: Place, working: Settings, port: int, own_nats: OwnNats
) -> None:
    await own_nats.pause()
    settings = working.model_copy(update={"nats_url": own_nats.url})
    worker = Worker(place.publisher)
    run = asyncio.create_task(worker._run(settings, worker._all_parts(), "things-worker"))
    await becomes(lambda: readiness(port), (503, {"database": "ok", "nats": "down"}))

    terminate()
    async with asyncio.timeout(5):
        await run


async def test_a_part_that_breaks_ends_the_process_with_its_fault(
    place: Place, working: Settings
) -> None:
    async def breaks(workplace: Workplace) -> None:
        assert workplace.service == place.publisher
        raise ValueError("cannot go on")

    worker = Worker(place.publisher, parts={"breaking": breaks})

    with pytest.raises(ExceptionGroup) as caught:
        await worker._run(working, worker._all_parts(), "things-worker")

    assert [repr(error) for error in caught.value.exceptions] == ["ValueError('cannot go on')"]


async def test_an_unknown_part_stops_the_start(settings: Settings) -> None:
    with pytest.raises(SystemExit, match="has no part 'realy'; it has relay, consumers, timers"):
        Worker("things").run(settings, ["realy"])


async def test_a_web_process_finishes_what_it_has_begun(place: Place, port: int) -> None:
    app = things_application(place.with_settings(listen_port=port))
    tokens, thresholds = app.state.access_tokens, gc.get_threshold()
    serving = asyncio.create_task(_serve(app, app.state.settings, app.state.health))
    await becomes(lambda: readiness(port), READY)
    app.state.access_tokens = tokens
    body = b'{"title": "a"}'
    request = (
        f"POST /api/v1/things/waits HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {token('seoul')}"
        f"\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    ).encode()
    answering = asyncio.create_task(send(port, request, body))
    await becomes(lambda: begun(app), 1)

    terminate()
    await eventually(lambda: is_stopping(app))
    app.state.go_on.set()
    answer = await answering
    async with asyncio.timeout(5):
        await serving
    gc.unfreeze()
    gc.set_threshold(*thresholds)

    assert answer.status == 200
    async with place.sessions() as session:
        assert (await session.scalars(select(Thing.title))).all() == ["a"]


async def begun(app: FastAPI) -> int:
    return int(app.state.begun)


async def is_stopping(app: FastAPI) -> bool:
    return bool(app.state.health.stopping)
