"""Access tokens from the first to the last: issued, checked, and refused."""

from collections.abc import AsyncIterator
from pathlib import Path

from tests.benchmarks.findings import Finding
from tests.benchmarks.login import checking, ending, issuing
from tests.benchmarks.rounds import Run
from tests.benchmarks.servers import durable_servers


async def measure(state: Path, run: Run) -> AsyncIterator[Finding]:
    for finding in await checking.measure(run):
        yield finding
    async with durable_servers(state, ("members", "projects")) as servers:
        for finding in await checking.measure_share(servers, run):
            yield finding
        for finding in await issuing.measure(servers, run):
            yield finding
    for finding in await ending.measure(state / "town", run):
        yield finding
