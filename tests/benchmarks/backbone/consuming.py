"""How fast a read model follows, and how fast it is built from nothing."""

import asyncio
import time
from uuid import uuid4

from shared.contracts.projects import MilestoneEvent
from shared.database import connect, sessions_of
from shared.messaging.broker import connected, stream_of
from shared.messaging.consumer import Copy
from tests.benchmarks.backbone.events import KnownMilestone, wire_forms
from tests.benchmarks.backbone.limits import fetch_and_acknowledge, publish_atomically
from tests.benchmarks.backbone.place import PUBLISHER, READER, Place
from tests.benchmarks.backbone.processes import WatchedConsumer
from tests.benchmarks.findings import Finding, at_least, at_most, compared
from tests.benchmarks.rounds import Run

SUBJECT = "Read model"
ENTITIES = 1_000


async def measure(place: Place, run: Run) -> list[Finding]:
    count = run.count(20_000, 5_000)
    few = run.count(1_000, 300)
    rounds = run.count(5, 2)
    await place.empty()
    # Declared before the events come, so that they get every one and not only the newest.
    waiting = [await _declared(place) for _ in range(rounds + 1)]
    await publish_atomically(place.client, list(wire_forms(ENTITIES, count // ENTITIES)))
    found = await run.by_turns(
        "Read model: following",
        rounds,
        {
            "ours": lambda: copy(place, waiting.pop(), count),
            "raw": lambda: fetch_and_acknowledge(place, count),
            "one by one": lambda: copy_one_by_one(place, few),
        },
    )
    return [
        compared(
            SUBJECT,
            "following",
            "events/s",
            found["ours"],
            found["raw"],
            "raw fetch(100), validate, ack",
            at_least(0.4),
        ),
        compared(
            SUBJECT,
            "following",
            "events/s",
            found["ours"],
            found["one by one"],
            "ORM session per event",
            at_least(15),
        ),
        *await _bootstrap(place, run),
    ]


async def _bootstrap(place: Place, run: Run) -> list[Finding]:
    entities, versions = run.count(50_000, 5_000), 2
    await place.empty()
    events = list(wire_forms(entities, versions))
    await publish_atomically(place.client, events)

    async def ours() -> float:
        return entities / await copy(place, _copy(), entities)

    async def raw() -> float:
        return entities / await fetch_and_acknowledge(
            place, entities, last_per_subject=True, read=False
        )

    found = await run.by_turns(
        "Read model: from nothing", run.count(2, 1), {"ours": ours, "reading": raw}
    )
    return [
        compared(
            SUBJECT,
            f"{entities:,} entities from nothing, {versions} facts about each",
            "s",
            found["ours"],
            found["reading"],
            "reading the newest facts only",
            at_most(5),
        ),
    ]


async def _empty_read_model(place: Place) -> None:
    """Forget what was followed before: it would make every event an old one."""
    connection = await place.connect(READER)
    await connection.execute("TRUNCATE known_milestone")
    await connection.close()


def _copy() -> Copy[MilestoneEvent]:
    return Copy(f"notifications-{uuid4().hex}", MilestoneEvent, table=KnownMilestone)


async def _declared(place: Place) -> Copy[MilestoneEvent]:
    declared = _copy()
    config = declared.consumer_config(place.settings(READER))
    await place.jetstream.add_consumer(declared.stream, config)
    return declared


async def copy(place: Place, subscription: Copy[MilestoneEvent], count: int) -> float:
    """Run our consumer until it has followed `count` events.

    Returns:
        Events a second.
    """
    settings = place.settings(READER)
    await _empty_read_model(place)
    engine = connect(settings, application="benchmark", pool_size=2)
    async with connected(settings, name="benchmark") as client:
        consumer = WatchedConsumer(
            subscription,
            sessions_of(engine),
            settings,
            client,
            awaited=count,
        )
        began = time.perf_counter()
        running = asyncio.create_task(consumer.run())
        async with asyncio.timeout(120):
            await consumer.enough.wait()
        seconds = time.perf_counter() - began
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
    await engine.dispose()
    await place.jetstream.delete_consumer(subscription.stream, subscription.durable)
    return count / seconds


async def copy_one_by_one(place: Place, count: int) -> float:
    """Do the same the obvious way: a session, a look, a change and a commit for each event.

    Returns:
        Events a second.
    """
    settings = place.settings(READER)
    await _empty_read_model(place)
    durable = f"limit-{uuid4().hex}"
    engine = connect(settings, application="benchmark", pool_size=2)
    sessions = sessions_of(engine)
    pull = await place.jetstream.pull_subscribe(
        MilestoneEvent.nats_filter(), durable=durable, stream=stream_of(PUBLISHER)
    )
    columns = [column.name for column in KnownMilestone.__table__.columns]
    left = count
    began = time.perf_counter()
    while left > 0:
        for message in await pull.fetch(min(100, left), timeout=30):
            state = MilestoneEvent.model_validate_json(message.data).data.state
            async with sessions.begin() as session:
                known = await session.get(KnownMilestone, state.id)
                if known is None:
                    known = KnownMilestone(**{name: getattr(state, name) for name in columns})
                    session.add(known)
                elif known.version < state.version:
                    for name in columns:
                        setattr(known, name, getattr(state, name))
            await message.ack()
            left -= 1
    seconds = time.perf_counter() - began
    await pull.unsubscribe()
    await engine.dispose()
    await place.jetstream.delete_consumer(stream_of(PUBLISHER), durable)
    return count / seconds
