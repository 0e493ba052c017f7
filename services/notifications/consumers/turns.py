"""One turn of a lane: its due deliveries are sent, as many at once as its receiver bears."""

import asyncio
import random
import time
from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import Final
from uuid import UUID

from services.notifications.consumers.places import Places
from services.notifications.model.retrying import Answer
from services.notifications.model.webhook_lane import SLOW_MS, Lane
from services.notifications.use_cases.claim_lanes import ClaimedLane, DueDelivery

Send = Callable[[ClaimedLane, DueDelivery], Awaitable[Answer]]
Note = Callable[[DueDelivery, Answer | None], None]

SLOW_SECONDS: Final = SLOW_MS / 1000


class Turn:
    """Sends the deliveries of a lane that this sender holds.

    It holds a place from its beginning to its end, and takes more for what it sends beside. Once a
    request takes long, its places are counted among those of the slow, so that the fast ones are
    free for others.
    """

    def __init__(
        self,
        claimed: ClaimedLane,
        places: Places,
        *,
        send: Send,
        note: Note,
        clock: Callable[[], datetime],
        ends_at: float,
    ) -> None:
        """Prepare a turn, which takes a place at once.

        Args:
            claimed: the lane with its deliveries.
            places: of this sender.
            send: makes one request; whatever goes wrong is in the answer.
            note: takes what came of a delivery; no answer if it was not sent.
            clock: tells the time.
            ends_at: by the clock of the event loop; nothing is begun from then on.
        """
        self.claimed = claimed
        self.lane = claimed.lane
        self.is_gone = False
        """Whether the receiver has said that it is gone: nothing is sent after that."""
        self._places = places
        self._send = send
        self._note = note
        self._clock = clock
        self._ends_at = ends_at
        self._waiting = list(claimed.deliveries)
        self._at_work: dict[UUID, float] = {}
        """When what is under way was begun."""
        self._closed: set[str] = set()
        """Entities of which one fact is under way, or failed: those that follow wait for it."""
        self._pace = claimed.lane.pace
        self._held = 0
        self._take_place()

    async def run(self) -> Lane:
        """Send until nothing is left to begin.

        Returns:
            What is known of the lane by now.
        """
        try:
            if len(self._waiting) == 1 or self.claimed.bounds.parallel == 1:
                await self._walk()
            else:
                async with asyncio.TaskGroup() as walkers:
                    await self._walk(walkers)
        finally:
            while self._held:
                self._give_place()
        return self.lane

    def make_way(self, now: float) -> bool:
        """Count the places among the slow ones if a request has taken too long by now.

        Returns:
            Whether fast places are free by that.
        """
        if self._pace == "slow" or not any(
            now - begun > SLOW_SECONDS for begun in self._at_work.values()
        ):
            return False
        self._places.move(self._held)
        self._pace = "slow"
        return True

    async def _walk(self, walkers: asyncio.TaskGroup | None = None) -> None:
        """Send one delivery after the other, and let others walk beside if there is room."""
        while (delivery := self._next()) is not None:
            if delivery.hindrance is not None:
                self._closed.discard(delivery.entity or "")
                self._note(delivery, None)
                continue
            self._at_work[delivery.id] = time.monotonic()
            self.lane = self.lane.sending(self.claimed.bounds, now=self._clock())
            if walkers is not None:
                self._widen(walkers)
            answer = await self._send(self.claimed, delivery)
            del self._at_work[delivery.id]
            self._learn(delivery, answer)

    def _widen(self, walkers: asyncio.TaskGroup) -> None:
        while (
            self._waiting and self._held < self.lane.parallel and self._places.are_free(self._pace)
        ):
            self._take_place()
            walkers.create_task(self._walk_beside(walkers))

    async def _walk_beside(self, walkers: asyncio.TaskGroup) -> None:
        await self._walk(walkers)
        self._give_place()

    def _next(self) -> DueDelivery | None:
        """Take the next delivery that may be begun now."""
        over = self.lane.is_held(self._clock()) or time.monotonic() >= self._ends_at
        if over or self.is_gone or len(self._at_work) >= self.lane.parallel:
            return None
        for place, delivery in enumerate(self._waiting):
            if delivery.entity not in self._closed:
                del self._waiting[place]
                if delivery.entity is not None:
                    self._closed.add(delivery.entity)
                return delivery
        return None

    def _learn(self, delivery: DueDelivery, answer: Answer) -> None:
        self.lane = self.lane.after(
            answer,
            self.claimed.bounds,
            now=self._clock(),
            chance=random.random(),  # noqa: S311 -- spreads attempts, protects nothing
        )
        self.is_gone |= answer.is_gone
        if answer.is_success and delivery.entity is not None:
            self._closed.remove(delivery.entity)
        self._note(delivery, answer)

    def _take_place(self) -> None:
        self._places.take(self._pace, self.claimed.member)
        self._held += 1

    def _give_place(self) -> None:
        self._places.give(self._pace, self.claimed.member)
        self._held -= 1
