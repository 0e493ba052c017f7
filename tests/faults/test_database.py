"""PostgreSQL is away."""

import asyncio
import time
from functools import partial
from typing import Any, Final

import pytest
from httpx2 import Response

from tests.faults.city import City
from tests.faults.invariants import ensure_true
from tests.faults.load import side_by_side
from tests.faults.network import Network, status_of
from tests.faults.striking import WEBS, WORKERS, until, without

pytestmark = pytest.mark.faults

LONGEST_SECONDS: Final = 5
PROJECT: Final = {"reference": "never", "title": {"en": "Never"}, "summary": {"en": "Begun."}}
ASKED: Final = (
    ("GET", "/api/v1/members", None),
    ("GET", "/api/v1/projects", None),
    ("GET", "/api/v1/webhook-endpoints", None),
    ("POST", "/api/v1/projects", PROJECT),
)


async def test_the_api_says_at_once_that_the_database_is_away(network: Network) -> None:
    city = network.cities[1]
    headers = {"Authorization": f"Bearer {await city.bearer()}"}
    restarts = {name: network.platform.restarts(name) for name in (*WEBS, *WORKERS)}

    async with without(network, "postgres"):
        answers = [
            await timed(city, method, path, body, headers) for method, path, body in ASKED * 2
        ]
        alive = [await status_of(network.platform, name, "/livez") for name in WEBS]
        for name in WEBS:
            # What was seen a second ago is not looked at again.
            await until(partial(is_not_ready, network, name), what=f"{name} is not ready")

    for response, seconds in answers:
        assert response.status_code == 503
        assert response.headers["Content-Type"] == "application/problem+json"
        assert int(response.headers["Retry-After"]) >= 1
        assert response.json()["status"] == 503
        assert seconds < LONGEST_SECONDS
    assert alive == [200, 200, 200]
    await city.read("/api/v1/projects")
    assert {name: network.platform.restarts(name) for name in restarts} == restarts
    await ensure_true(network)


async def is_not_ready(network: Network, name: str) -> bool:
    return await status_of(network.platform, name, "/readyz") == 503


async def test_work_goes_on_where_the_database_comes_back(network: Network) -> None:
    before = len(network.journal.writes)

    async def take_it_away() -> None:
        await asyncio.sleep(1)
        async with without(network, "postgres"):
            await asyncio.sleep(3)

    await side_by_side([network.load().run(seconds=8), take_it_away()])

    await ensure_true(network)
    attempts = [each for write in network.journal.writes[before:] for each in write.attempts]
    assert {each.status for each in attempts if each.status >= 500} == {503}
    assert max(each.seconds for each in attempts) < LONGEST_SECONDS * 2


async def timed(
    city: City, method: str, path: str, body: Any, headers: dict[str, str]
) -> tuple[Response, float]:
    began = time.monotonic()
    response = await city.http.request(method, path, json=body, headers=headers)
    return response, time.monotonic() - began
