"""How long it takes to work out what everything in a large project hangs on."""

import random
import time
from collections.abc import AsyncIterator, Callable
from datetime import date, timedelta
from functools import partial
from pathlib import Path
from typing import Final
from uuid import UUID

from services.projects.model.plan import MOVED_MAX, Dependency, Plan, Step
from tests.benchmarks.findings import Finding, at_most, compared
from tests.benchmarks.rounds import Run

SUBJECT: Final = "Plan of 1,000 milestones"
MILESTONES: Final = 1_000
ZONES: Final = ("Asia/Tokyo", "America/Sao_Paulo", "Europe/Paris", "Asia/Seoul")
FIRST: Final = date(2026, 1, 1)


async def measure(state: Path, run: Run) -> AsyncIterator[Finding]:
    del state
    steps = large_project()

    async def timed(work: Callable[[], object]) -> float:
        began = time.perf_counter()
        work()
        return (time.perf_counter() - began) * 1000

    found = await run.by_turns(
        "Plan",
        run.count(20, 5),
        {
            "outlook": partial(timed, lambda: Plan(steps).outlook()),
            "move": partial(timed, lambda: move(steps)),
            "walk": partial(timed, lambda: walk(steps)),
        },
    )
    for name, what in (
        ("outlook", "earliest and latest days, and the critical path"),
        ("move", "moving as many as may move with one"),
    ):
        yield compared(
            SUBJECT,
            what,
            "ms",
            found[name],
            found["walk"],
            "walking its dependencies once",
            at_most(50),
            on_ratio=False,
        )


def large_project() -> list[Step]:
    """Milestones in four time zones, each of which waits for up to three before it."""
    chance = random.Random(1)
    return [
        Step(
            UUID(int=number),
            due_on=FIRST + timedelta(days=number),
            time_zone=chance.choice(ZONES),
            status="planned",
            accountable="tokyo",
            depends_on=[
                Dependency(UUID(int=needed), chance.randint(0, 5))
                for needed in chance.sample(range(max(0, number - 30), number), min(number, 3))
            ],
        )
        for number in range(MILESTONES)
    ]


def move(steps: list[Step]) -> dict[UUID, date]:
    """Move the deadline from which on `MOVED_MAX` others wait as far as the last of them."""
    first = steps[-MOVED_MAX - 1]
    moved = Plan(steps).moved(first.id, steps[-1].due_on, first.time_zone)
    if not moved:
        raise RuntimeError("nothing waits for the milestone")
    return moved


def walk(steps: list[Step]) -> int:
    """What no plan can do without: look at each dependency."""
    known = {step.id: step for step in steps}
    return sum(known[needed.milestone_id].is_open for step in steps for needed in step.depends_on)
