"""How long a whole platform takes to start again, and how much memory it needs."""

import asyncio
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Final

import psutil

from deploy.embedded.platform import Platform
from tests.benchmarks.findings import Finding, at_most
from tests.benchmarks.rounds import Run

SUBJECT: Final = "Whole platform with the demo"
_SETTLING_SECONDS: Final = 5.0


async def measure(state: Path, run: Run) -> AsyncIterator[Finding]:
    run.begin("Whole platform: starting", 3)
    platform = Platform(state / "platform", demo=True)
    began = time.perf_counter()
    async with platform:
        first = time.perf_counter() - began
        run.step("again")
    began = time.perf_counter()
    async with platform:
        second = time.perf_counter() - began
        run.step("memory")
        await asyncio.sleep(_SETTLING_SECONDS)
        memory = proportional_bytes(platform.supervisor_pid)
        run.step("")
    run.end()
    yield Finding(subject=SUBJECT, what="first start, with loading the demo", unit="s", ours=first)
    yield Finding(subject=SUBJECT, what="start again", unit="s", ours=second, target=at_most(10))
    yield Finding(
        subject=SUBJECT,
        what="memory of all processes (PSS)",
        unit="GiB",
        ours=memory / 2**30,
        target=at_most(1.2),
    )


def proportional_bytes(pid: int) -> int:
    """Memory of a process and all below it; what they share counts once."""
    root = psutil.Process(pid)
    return sum(each.memory_full_info().pss for each in (root, *root.children(recursive=True)))
