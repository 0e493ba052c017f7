"""Workers as processes of their own: `python -m tests.benchmarks.backbone.processes PART ...`."""

import asyncio
import json
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from nats.aio.msg import Msg

from shared.contracts.projects import MilestoneEvent
from shared.messaging.consumer import Consumer, Copy
from shared.serving import Part, Worker, Workplace
from shared.settings import Settings
from tests.benchmarks.backbone.events import KnownMilestone
from tests.benchmarks.backbone.place import PUBLISHER, READER

COPY = Copy("notifications-known-milestones", MilestoneEvent, table=KnownMilestone)


@dataclass(slots=True)
class WatchedConsumer(Consumer):
    """Notes when each event's effect was committed; `enough` is set when `awaited` have been."""

    awaited: int = 0
    enough: asyncio.Event = field(default_factory=asyncio.Event)
    seen: list[tuple[str, float]] = field(default_factory=list)

    async def receive(self, messages: Sequence[Msg]) -> None:
        # The rebuilt class of a dataclass with slots is not the one that `super()` would mean.
        await Consumer.receive(self, messages)
        now = time.time()
        self.seen.extend((message.subject.split(".")[3], now) for message in messages)
        if len(self.seen) >= self.awaited:
            self.enough.set()


def watched(seen: Path) -> Part:
    """A consumer that leaves behind when it has committed what."""

    async def consume(place: Workplace) -> None:
        consumer = WatchedConsumer(COPY, place.sessions, place.settings, place.nats)
        try:
            await consumer.run()
        finally:
            seen.write_text(json.dumps(consumer.seen))  # noqa: ASYNC240 -- the last thing it does

    return consume


def main(part: str, *arguments: str) -> None:
    settings = Settings()
    if part == "relay":
        Worker(PUBLISHER).run(settings, ["relay"])
    else:
        Worker(READER, parts={"consumers": watched(Path(arguments[0]))}).run(
            settings, ["consumers"]
        )


if __name__ == "__main__":
    main(*sys.argv[1:])
