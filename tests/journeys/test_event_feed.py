"""A city's system pulls what its webhooks would be sent, through the edge, as it happens."""

import asyncio
import json
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from tests.faults.city import City
from tests.faults.network import Network

pytestmark = pytest.mark.faults

EVENTS = "/api/v1/events"


async def draft(city: City, reference: str) -> Any:
    body = {
        "reference": reference,
        "title": {"en": "Pulled by a city"},
        "summary": {"en": "For those who pull."},
        "objectives": ["common-issues"],
        "visibility": "network",
    }
    return await city.write("POST", "/api/v1/projects", body, key=reference)


@asynccontextmanager
async def stream(network: Network, city: City, after: int) -> AsyncIterator[AsyncIterator[str]]:
    headers = {
        "Authorization": f"Bearer {await city.bearer()}",
        "Accept": "text/event-stream",
    }
    async with network.http.stream(
        "GET", EVENTS, params={"after": after}, headers=headers, timeout=30
    ) as response:
        assert response.status_code == 200
        yield response.aiter_lines()


async def test_what_a_city_is_told_reaches_those_who_pull_at_once_and_without_a_gap(
    network: Network,
) -> None:
    await network.until_quiet()
    city = network.cities[1]
    end = (await city.read(EVENTS, limit=1))["end"]

    waiting = asyncio.create_task(city.read(EVENTS, after=end, wait=20))
    async with stream(network, city, end) as lines:
        assert await anext(lines) == "retry: 2000"
        began = time.monotonic()
        project = await draft(city, "pulled-1")
        answer = await waiting
        waited = time.monotonic() - began
        async with asyncio.timeout(10):
            async for line in lines:
                if line.startswith("data: "):
                    streamed = json.loads(line.removeprefix("data: "))
                    if streamed["subject"] == project["id"]:
                        break

    assert answer["items"][0]["sequence"] == end + 1
    assert waited < 10
    assert streamed["type"] == "renkei.project.drafted.v1"
    assert streamed == await city.read(f"{EVENTS}/{streamed['id']}")
    seen: list[int] = []
    after, end = 0, 1
    while after < end:
        part = await city.read(EVENTS, after=after, limit=200)
        seen += [item["sequence"] for item in part["items"]]
        after, end = part["next"], part["end"]
    assert seen == list(range(1, end + 1))


async def test_everybody_reads_the_types_of_events_and_the_keys_of_digests(
    network: Network,
) -> None:
    types = await network.http.get("/api/v1/event-types")
    keys = await network.http.get(f"{EVENTS}/jwks")

    assert types.status_code == 200
    assert "renkei.project.drafted.v1" in {each["type"] for each in types.json()["items"]}
    assert (keys.status_code, list(keys.json())) == (200, ["keys"])
    assert (await network.http.get(EVENTS)).status_code == 401
