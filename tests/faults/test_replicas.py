"""Two of everything: relays, consumers, timers, senders and web processes share the work."""

import re
from pathlib import Path
from random import Random
from typing import Final

import pytest

from deploy.embedded.layout import SERVICES
from tests.faults.city import connection
from tests.faults.invariants import ensure_true
from tests.faults.load import side_by_side
from tests.faults.network import Network, running_network
from tests.faults.striking import kill_at_random

pytestmark = pytest.mark.faults

NUMBERS: Final = (1, 2)


async def active_relays(network: Network, service: str) -> int:
    """How many processes hold the relay's lock, as their metrics tell."""
    active = 0
    for number in NUMBERS:
        address = network.platform.address(f"{service}-worker-{number}")
        async with connection(f"http://{address}") as http:
            metrics = (await http.get("/metrics")).text
        found = re.search(r"^relay_active (\S+)$", metrics, re.MULTILINE)
        assert found is not None
        active += int(float(found[1]))
    return active


async def test_two_of_everything_do_everything_once_though_they_are_killed(
    tmp_path: Path,
) -> None:
    async with running_network(tmp_path, replicas=2) as network:
        workers = [f"{service}-worker-{number}" for service in SERVICES for number in NUMBERS]
        webs = [f"{service}-web-{number}" for service in SERVICES for number in NUMBERS]
        before = [await active_relays(network, service) for service in SERVICES]
        accepted = len(network.journal.of("accepted"))

        await side_by_side(
            [
                network.load().run(seconds=10),
                kill_at_random(network, [*workers, *webs], times=1, seconds=9, random=Random(2)),
            ]
        )

        await ensure_true(network)
        assert before == [1, 1, 1]
        assert [await active_relays(network, service) for service in SERVICES] == [1, 1, 1]
        assert len(network.journal.of("accepted")) > accepted + 20
