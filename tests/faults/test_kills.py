"""Processes are killed without warning, at random moments, while cities work."""

from collections.abc import Sequence
from random import Random

import pytest

from tests.faults.invariants import ensure_true
from tests.faults.load import side_by_side
from tests.faults.network import Network
from tests.faults.striking import WEBS, WORKERS, kill_at_random

pytestmark = pytest.mark.faults


@pytest.mark.parametrize(
    ("names", "times", "seconds"),
    [
        pytest.param(WORKERS, 2, 12, id="relays-consumers-timers-and-sender"),
        pytest.param(WEBS, 2, 6, id="web-processes"),
        pytest.param(["nats"], 3, 6, id="nats"),
        pytest.param(["postgres"], 2, 6, id="postgresql"),
    ],
)
async def test_kills_lose_nothing_and_double_nothing(
    network: Network, names: Sequence[str], times: int, seconds: float
) -> None:
    accepted = len(network.journal.of("accepted"))

    await side_by_side(
        [
            network.load().run(seconds=seconds + 1),
            kill_at_random(network, names, times=times, seconds=seconds, random=Random(1)),
        ]
    )

    await ensure_true(network)
    assert len(network.journal.of("accepted")) > accepted + 20
