"""How fast the relay empties a full outbox, and what it costs."""

import time
from collections.abc import Sequence
from statistics import median

from shared.clock import utc_now
from shared.messaging.relay import Relay
from tests.benchmarks.backbone.events import wire_forms
from tests.benchmarks.backbone.limits import Wire, publish_atomically, publish_each
from tests.benchmarks.backbone.place import PUBLISHER, Place
from tests.benchmarks.findings import Finding, at_least, at_most, compared
from tests.benchmarks.rounds import Run

SUBJECT = "Relay"


async def measure(place: Place, run: Run) -> list[Finding]:
    count = run.count(20_000, 5_000)
    few = run.count(4_000, 1_000)
    cpu: list[float] = []

    def events(number: int) -> list[Wire]:
        return list(wire_forms(number // 10, 10))

    async def drain() -> float:
        await place.empty()
        await fill_outbox(place, events(count))
        relay = Relay(PUBLISHER, place.settings(PUBLISHER), place.client)
        connection = await place.connect(PUBLISHER)
        await relay.ensure_filled_stream(connection)
        began, used = time.perf_counter(), time.process_time()
        while await relay.send_waiting(connection):
            pass
        seconds = time.perf_counter() - began
        cpu.append((time.process_time() - used) / count * 1e6)
        await connection.close()
        return count / seconds

    async def atomic() -> float:
        await place.empty_stream()
        waiting = events(count)
        began = time.perf_counter()
        await publish_atomically(place.client, waiting)
        return count / (time.perf_counter() - began)

    async def each() -> float:
        await place.empty_stream()
        waiting = events(few)
        began = time.perf_counter()
        await publish_each(place.client, waiting)
        return few / (time.perf_counter() - began)

    found = await run.by_turns(
        "Relay: emptying the outbox",
        run.count(5, 2),
        {"relay": drain, "atomic batches": atomic, "publish_async": each},
    )
    what = f"emptying an outbox of {count:,} events"
    return [
        compared(
            SUBJECT,
            what,
            "events/s",
            found["relay"],
            found["atomic batches"],
            "raw atomic batches of 1000",
            at_least(0.6),
        ),
        compared(
            SUBJECT,
            what,
            "events/s",
            found["relay"],
            found["publish_async"],
            "raw publish_async",
            at_least(5),
        ),
        Finding(
            subject=SUBJECT,
            what="processor time",
            unit="µs/event",
            ours=median(cpu[1:]),
            target=at_most(15),
        ),
    ]


async def fill_outbox(place: Place, events: Sequence[Wire]) -> None:
    connection = await place.connect(PUBLISHER)
    now = utc_now()
    await connection.copy_records_to_table(
        "outbox",
        records=[(event_id, subject, body, now) for event_id, subject, body in events],
        columns=("event_id", "subject", "body", "recorded_at"),
    )
    await connection.execute("ANALYZE outbox")
    await connection.close()
