"""Measures the backbone, part by part."""

from collections.abc import AsyncIterator
from pathlib import Path

from tests.benchmarks.backbone import consuming, reaching, relaying, writing
from tests.benchmarks.backbone.place import backbone
from tests.benchmarks.findings import Finding
from tests.benchmarks.rounds import Run


async def measure(state: Path, run: Run) -> AsyncIterator[Finding]:
    async with backbone(state) as place:
        for part in (relaying, writing, consuming, reaching):
            for finding in await part.measure(place, run):
                yield finding
