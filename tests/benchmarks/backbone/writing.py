"""What the outbox costs those who write: an update of an entity with and without its event."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AsyncExitStack
from datetime import date, timedelta
from uuid import UUID

from sqlalchemy import select

from shared.clock import utc_now
from shared.contracts.projects import MilestoneRescheduled
from shared.database import PlainConnection, Sessions, connect, sessions_of
from shared.health import Health
from shared.http.application import wake_relay
from shared.identifiers import new_id
from shared.messaging.outbox import announce
from tests.benchmarks.backbone.events import ACTOR, AUDIENCE, Milestone, rescheduled
from tests.benchmarks.backbone.place import PUBLISHER, Place
from tests.benchmarks.findings import Finding, at_least, compared
from tests.benchmarks.rounds import Run

SUBJECT = "Write"
ENTITIES = 1_000
MANY = 16

Write = Callable[[int], Awaitable[None]]

UPDATE = "UPDATE milestone SET due_on = $2, version = version + 1, updated_at = $3 WHERE id = $1"
RECORD = "INSERT INTO outbox (event_id, subject, body) VALUES ($1, $2, $3)"


async def measure(place: Place, run: Run) -> list[Finding]:
    await place.empty()
    settings = place.settings(PUBLISHER)
    engine = connect(settings, application="benchmark", pool_size=MANY)
    ids = await create_entities(place)
    writers = Writers(ids, sessions_of(engine))
    seconds = 0.7 if run.quick else 2.0

    async with AsyncExitStack() as stack:
        connections = [await place.connect(PUBLISHER) for _ in range(MANY)]
        stack.push_async_callback(engine.dispose)
        for connection in connections:
            stack.push_async_callback(connection.close)

        def raw(number: int, *, record: bool) -> Callable[[], Awaitable[float]]:
            ways = [writers.raw(each, record=record) for each in connections[:number]]
            return lambda: rate(ways, seconds)

        def ours(number: int, *, record: bool) -> Callable[[], Awaitable[float]]:
            return lambda: rate([writers.ours(record=record)] * number, seconds)

        found = await run.by_turns(
            "Write: with and without an event",
            run.count(4, 1),
            {
                f"{name} {number} {'with' if record else 'without'}": way(number, record=record)
                for name, way in (("raw", raw), ("ours", ours))
                for number in (1, MANY)
                for record in (True, False)
            },
        )
        awake = await _with_and_without_wake(place, run, writers, seconds)

    def with_event(way: str, name: str, number: int, target: float) -> Finding:
        return compared(
            SUBJECT,
            f"{name}, {number} connection{'s' if number > 1 else ''}, with its event",
            "tx/s",
            found[f"{way} {number} with"],
            found[f"{way} {number} without"],
            "the same without event",
            at_least(target),
        )

    return [
        with_event("raw", "raw asyncpg", 1, 0.7),
        with_event("raw", "raw asyncpg", MANY, 0.55),
        with_event("ours", "ours (ORM)", 1, 0.7),
        with_event("ours", "ours (ORM)", MANY, 0.55),
        compared(
            SUBJECT,
            "ours (ORM), 1 connection, with its event",
            "tx/s",
            found["ours 1 with"],
            found["raw 1 with"],
            "raw asyncpg",
            at_least(0.25),
        ),
        compared(
            SUBJECT,
            f"ours, {MANY} connections, waking the relay",
            "tx/s",
            awake["waking"],
            awake["polling"],
            "without waking it",
            at_least(0.9),
        ),
    ]


async def create_entities(place: Place) -> list[UUID]:
    """Milestones to write to, directly in the publisher's database."""
    engine = connect(place.settings(PUBLISHER), application="benchmark", pool_size=1)
    made = [
        Milestone(project_id=new_id(), title={"en": f"Milestone {n}"}, due_on=date(2026, 3, 31))
        for n in range(ENTITIES)
    ]
    async with sessions_of(engine).begin() as session:
        session.add_all(made)
    await engine.dispose()
    return [milestone.id for milestone in made]


class Writers:
    """The same change made in two ways. Each write takes the next entity."""

    def __init__(self, ids: Sequence[UUID], sessions: Sessions) -> None:
        self.ids = ids
        self.sessions = sessions
        self.number = 0
        event = rescheduled(new_id(), 1)
        self.subject, self.body = event.nats_subject, event.wire_form()

    def next_id(self) -> UUID:
        self.number += 1
        return self.ids[self.number % len(self.ids)]

    def raw(self, connection: PlainConnection, *, record: bool) -> Write:
        async def write(turn: int) -> None:
            async with connection.transaction():
                await connection.execute(UPDATE, self.next_id(), due_on(turn), utc_now())
                if record:
                    await connection.execute(RECORD, new_id(), self.subject, self.body)

        return write

    def ours(self, *, record: bool) -> Write:
        """The way of a use case: lock, change, announce, commit."""

        async def write(turn: int) -> None:
            now = utc_now()
            async with self.sessions.begin() as session:
                milestone = await session.scalar(
                    select(Milestone).where(Milestone.id == self.next_id()).with_for_update()
                )
                if milestone is None:
                    raise LookupError("the benchmark's entities are gone")
                before = milestone.state()
                milestone.reschedule(due_on(turn), now=now)
                if record:
                    announce(
                        session,
                        MilestoneRescheduled.about(
                            milestone.state(), before=before, by=ACTOR, at=now, audience=AUDIENCE
                        ),
                    )

        return write


def due_on(turn: int) -> date:
    return date(2026, 3, 31) + timedelta(days=turn % 300)


async def rate(writers: Sequence[Write], seconds: float) -> float:
    """Let the writers write, each one after another, for so long.

    Returns:
        Writes a second.
    """
    done = 0
    began = time.perf_counter()
    end = began + seconds

    async def keep_writing(write: Write) -> None:
        nonlocal done
        while time.perf_counter() < end:
            await write(done)
            done += 1

    await asyncio.gather(*(keep_writing(write) for write in writers))
    return done / (time.perf_counter() - began)


async def _with_and_without_wake(
    place: Place, run: Run, writers: Writers, seconds: float
) -> dict[str, list[float]]:
    settings = place.settings(PUBLISHER)

    async def polling() -> float:
        return await rate([writers.ours(record=True)] * MANY, seconds)

    async def waking() -> float:
        wake = asyncio.create_task(wake_relay(PUBLISHER, settings, Health("benchmark")))
        try:
            return await polling()
        finally:
            wake.cancel()
            await asyncio.gather(wake, return_exceptions=True)

    async with place.relay():
        return await run.by_turns(
            "Write: waking the relay", run.count(4, 1), {"waking": waking, "polling": polling}
        )
