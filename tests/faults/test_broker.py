"""The broker is away, or comes back with nothing."""

import asyncio
import json
import os
import shutil
import time
from typing import Final

import pytest

from tests.faults.city import Attempt, connection
from tests.faults.invariants import ensure_true
from tests.faults.load import side_by_side
from tests.faults.network import Network
from tests.faults.striking import WEBS, without

pytestmark = pytest.mark.faults

AWAY_SECONDS: Final = float(os.environ.get("RENKEI_FAULT_SECONDS", "20"))


async def test_writes_go_on_while_the_broker_is_away(network: Network) -> None:
    before = len(network.journal.writes)

    async with without(network, "nats"):
        await side_by_side([network.load().run(seconds=AWAY_SECONDS), asyncio.sleep(AWAY_SECONDS)])
        readiness = [await readiness_of(network, name) for name in WEBS]
        waiting = await network.fetch("projects", "SELECT count(*) FROM outbox")
    back_at = time.monotonic()

    await ensure_true(network)
    took_seconds = time.monotonic() - back_at
    attempts = [each for write in network.journal.writes[before:] for each in write.attempts]
    assert len(attempts) > 2 * AWAY_SECONDS
    assert [each for each in attempts if is_failure(each)] == []
    assert readiness == [(200, "degraded", {"nats": "degraded", "database": "ok"})] * 3
    assert waiting[0][0] > AWAY_SECONDS
    assert took_seconds < 30


async def test_a_broker_that_lost_its_disk_is_filled_again(network: Network) -> None:
    created_at = [await stream_created_at(network, name) for name in ("members", "projects")]

    async def lose_everything() -> None:
        await asyncio.sleep(1)
        async with without(network, "nats"):
            shutil.rmtree(network.platform.state.nats / "store")
            await asyncio.sleep(1)

    await side_by_side([network.load().run(seconds=6), lose_everything()])

    await ensure_true(network)
    assert [
        await stream_created_at(network, name) for name in ("members", "projects")
    ] != created_at


def is_failure(attempt: Attempt) -> bool:
    return attempt.status == 0 or attempt.status >= 500


async def readiness_of(network: Network, name: str) -> tuple[int, str, dict[str, str]]:
    async with connection(f"http://{network.platform.address(name)}") as http:
        answer = await http.get("/readyz")
    said = answer.json()
    return answer.status_code, said["status"], said["parts"]


async def stream_created_at(network: Network, service: str) -> str:
    answer = await network.nats.request(f"$JS.API.STREAM.INFO.EVT_{service.upper()}", timeout=5)
    return str(json.loads(answer.data)["created"])
