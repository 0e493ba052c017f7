"""How long a fact takes from its commit to the commit of a read model in another database.

Writer, relay and consumer are processes of their own, as on a platform.
"""

import asyncio
import json
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from statistics import median
from typing import Any
from uuid import UUID

import asyncpg

from shared.database import asyncpg_dsn
from shared.messaging.waking import WAKE_SECONDS
from tests.benchmarks.backbone.events import wire_forms
from tests.benchmarks.backbone.place import PUBLISHER, READER, Place
from tests.benchmarks.backbone.writing import MANY, RECORD, due_on
from tests.benchmarks.findings import Finding, at_most, percentile
from tests.benchmarks.rounds import Run
from tests.benchmarks.servers import cpu_seconds

SUBJECT = "Commit to read model"
_ARRIVAL_SECONDS = 60.0
INSERT = (
    "INSERT INTO milestone (id, project_id, title, due_on, time_zone, accountable, status,"
    " version, created_at, updated_at)"
    " VALUES ($1, $1, '{}', $2, 'Asia/Tokyo', 'tokyo', 'planned', 1, now(), now())"
)


@dataclass(frozen=True)
class Journeys:
    """What one writing came to.

    Attributes:
        milliseconds: from just before each commit to the commit of the read model.
        backlog_seconds: from the last commit to the last commit of the read model.
    """

    milliseconds: list[float]
    rate: float
    backlog_seconds: float


async def measure(place: Place, run: Run) -> list[Finding]:
    found: list[Finding] = []
    for per_second, count, p50, p99 in (
        (50, run.count(400, 100), 10, 40),
        (500, run.count(3_000, 1_000), 20, 60),
    ):
        steady = [
            await _measured(place, run, f"{per_second} a second", paced(place, per_second, count))
            for _ in range(run.count(2, 1))
        ]
        what = f"at {per_second} events/s"
        found += _latencies(what, steady, p50=p50, p99=p99)
    full = [
        await _measured(place, run, "saturation", saturating(place, run.count(20_000, 5_000)))
        for _ in range(run.count(2, 1))
    ]
    what = f"as fast as {MANY} connections write"
    found.append(
        Finding(
            subject=SUBJECT,
            what=f"{what}: written",
            unit="tx/s",
            ours=median(each.rate for each in full),
        )
    )
    found += _latencies(what, full, p50=None, p99=1_000)
    found.append(
        Finding(
            subject=SUBJECT,
            what=f"{what}: all arrived after the last commit",
            unit="s",
            ours=median(each.backlog_seconds for each in full),
            target=at_most(1),
        )
    )
    found.append(await _idle(place, run))
    return found


def _latencies(
    what: str, rounds: list[Journeys], *, p50: float | None, p99: float
) -> list[Finding]:
    return [
        Finding(
            subject=SUBJECT,
            what=f"{what}, p{percent}",
            unit="ms",
            ours=median(percentile(each.milliseconds, percent) for each in rounds),
            target=target,
        )
        for percent, target in (
            (50, None if p50 is None else at_most(p50)),
            (99, at_most(p99)),
        )
    ]


Writing = Callable[[], Awaitable[dict[str, float]]]
"""Writes, and returns by entity when its commit began."""


async def _measured(place: Place, run: Run, name: str, write: Writing) -> Journeys:
    run.begin(f"Commit to read model: {name}", 1)
    await place.empty()
    seen_file = place.state / "seen.json"
    async with place.relay(), place.consumer(seen_file):
        # Both have just started: what they do for the first time is not what we ask about.
        await _arrived(place, len(await paced(place, 50, 25)()))
        began = time.perf_counter()
        written = await write()
        rate = len(written) / (time.perf_counter() - began)
        await _arrived(place, 25 + len(written))
    seen: dict[str, float] = {}
    for key, at in json.loads(seen_file.read_text()):
        seen.setdefault(key, at)
    run.step("")
    return Journeys(
        [(seen[key] - at) * 1000 for key, at in written.items()],
        rate,
        max(seen.values()) - max(written.values()),
    )


async def _arrived(place: Place, count: int) -> None:
    connection = await place.connect(READER)
    async with asyncio.timeout(_ARRIVAL_SECONDS):
        while await connection.fetchval("SELECT count(*) FROM known_milestone") < count:  # noqa: ASYNC110
            await asyncio.sleep(0.1)
    await connection.close()


def paced(place: Place, per_second: int, count: int) -> Writing:
    """Write evenly."""

    async def write() -> dict[str, float]:
        committed: dict[str, float] = {}
        async with writers(place) as (pool, wake):
            began = time.perf_counter()
            async with asyncio.TaskGroup() as group:
                for number, event in enumerate(wire_forms(count, 1)):
                    await asyncio.sleep(began + number / per_second - time.perf_counter())
                    group.create_task(_write(pool, wake, event, committed))
        return committed

    return write


def saturating(place: Place, count: int) -> Writing:
    """Write as fast as the database takes it."""

    async def write() -> dict[str, float]:
        committed: dict[str, float] = {}
        events = iter(list(wire_forms(count, 1)))
        async with writers(place) as (pool, wake):

            async def keep_writing() -> None:
                for event in events:
                    await _write(pool, wake, event, committed)

            await asyncio.gather(*(keep_writing() for _ in range(MANY)))
        return committed

    return write


@asynccontextmanager
async def writers(place: Place) -> AsyncIterator[tuple[Any, asyncio.Event]]:
    """Plain connections, so that our own code is not in the way, and what wakes the relay."""
    pool = await asyncpg.create_pool(
        asyncpg_dsn(place.settings(PUBLISHER)), min_size=MANY, max_size=MANY
    )
    async with waking(place) as wake:
        yield pool, wake
    await pool.close()


async def _write(
    pool: Any,
    wake: asyncio.Event,
    event: tuple[UUID, str, bytes],
    committed: dict[str, float],
) -> None:
    event_id, subject, body = event
    key = subject.split(".")[3]
    async with pool.acquire() as connection:
        transaction = connection.transaction()
        await transaction.start()
        await connection.execute(INSERT, UUID(key), due_on(0))
        await connection.execute(RECORD, event_id, subject, body)
        committed[key] = time.time()
        await transaction.commit()
        wake.set()


@asynccontextmanager
async def waking(place: Place) -> AsyncIterator[asyncio.Event]:
    """Wake the relay as a web process does, whenever the event is set."""
    announced = asyncio.Event()

    async def keep_waking() -> None:
        while True:
            await announced.wait()
            announced.clear()
            await place.client.publish(f"wake.{PUBLISHER}")
            await asyncio.sleep(WAKE_SECONDS)

    task = asyncio.create_task(keep_waking())
    try:
        yield announced
    finally:
        await asyncio.sleep(2 * WAKE_SECONDS)
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


async def _idle(place: Place, run: Run) -> Finding:
    seconds = 4.0 if run.quick else 10.0
    run.begin("Relay: doing nothing", 1)
    await place.empty()
    async with place.relay() as pid:
        await asyncio.sleep(2)
        began = cpu_seconds(pid)
        await asyncio.sleep(seconds)
        used = cpu_seconds(pid) - began
    run.step("")
    return Finding(
        subject="Relay",
        what="processor time with nothing to do",
        unit="% of a core",
        ours=used / seconds * 100,
        target=at_most(1),
    )
