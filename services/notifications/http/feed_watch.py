"""Waiting for something new in feeds: many wait, and one looks for all of them.

Whoever waits holds neither a connection nor a turn. One question to the database, whenever another
process says that something was committed, and each second in case that was not heard, finds for all
of them at once what may be new, and who may read no longer. The looking begins with the first who
waits and ends with the last.
"""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import dataclass, field
from typing import Any, Final, TypeVar

import structlog

from services.notifications.queries.feed_news import news_for
from services.notifications.settings import NotificationsSettings
from shared.actor import Actor
from shared.database import Sessions
from shared.refusals import TooManyRequests, Unavailable

log = structlog.get_logger(__name__)

T = TypeVar("T")

LINGER_SECONDS: Final = 0.005
"""Hints that follow each other faster are looked into once."""


class TooManyWait(Unavailable):
    code = "too-many-wait"
    title = "As many wait for news as can"


class TooManyOfMemberWait(TooManyRequests):
    code = "too-many-of-member-wait"
    title = "As many systems of the member wait for news as can"


@dataclass(eq=False, slots=True)
class Waiter:
    """One who knows a feed up to a sequence, and waits for more."""

    actor: Actor
    known: int
    news: asyncio.Event = field(default_factory=asyncio.Event)


class FeedWatch:
    """All who wait in this process."""

    def __init__(
        self,
        settings: NotificationsSettings,
        *,
        sessions: Callable[[], Sessions],
        is_stopping: Callable[[], bool] = lambda: False,
    ) -> None:
        """Wait for the first.

        Args:
            settings: how many may wait, and how often to look.
            sessions: gives what to read with.
            is_stopping: tells whether the process ends, so that nobody may wait any more.
        """
        self._settings = settings
        self._sessions = sessions
        self._is_stopping = is_stopping
        self._present: Counter[str] = Counter()
        self._waiters: set[Waiter] = set()
        self._hint = asyncio.Event()
        self._looking: asyncio.Task[None] | None = None
        self._asked: dict[Any, asyncio.Task[Any]] = {}

    def wake(self) -> None:
        """Look at once: somebody has committed something."""
        self._hint.set()

    @contextmanager
    def place(self, member: str) -> Iterator[None]:
        """Have a place among those who wait.

        Raises:
            TooManyWait: there is none in this process.
            TooManyOfMemberWait: others of the member have all that it may have.
        """
        if self._present[member] >= self._settings.feed_waiting_of_member:
            raise TooManyOfMemberWait(
                f"{self._present[member]} wait; ask without `wait`.", members={"retry_after": 5}
            )
        if self._present.total() >= self._settings.feed_waiting:
            raise TooManyWait("Ask without `wait`, or try again in a few seconds.")
        self._present[member] += 1
        try:
            yield
        finally:
            self._present[member] -= 1
            if not self._present[member]:
                del self._present[member]

    def of(self, member: str) -> "PlaceOf":
        """Give a member's readers their places."""
        return PlaceOf(self, member)

    @property
    def is_over(self) -> bool:
        """Tell whether nobody may wait any more, as the process ends."""
        return self._is_stopping()

    async def news(self, actor: Actor, *, known: int, seconds: float) -> bool:
        """Wait until a feed may have more than is known, or its reader no right to it.

        Args:
            actor: who reads the feed of their member.
            known: the last sequence that there was.
            seconds: how long to wait.

        Returns:
            Whether to look; else the time is over.
        """
        if self._is_stopping():
            return False
        waiter = Waiter(actor, known)
        self._waiters.add(waiter)
        # What was committed since the reader looked, nobody may have told.
        self._hint.set()
        if self._looking is None or self._looking.done():
            self._looking = asyncio.create_task(self._look())
        try:
            with suppress(TimeoutError):
                async with asyncio.timeout(seconds):
                    await waiter.news.wait()
        finally:
            self._waiters.discard(waiter)
        return waiter.news.is_set() and not self._is_stopping()

    async def once(self, question: Any, ask: Callable[[], Awaitable[T]]) -> T:
        """Ask a question once for all who ask the same in the same moment."""
        asking = self._asked.get(question)
        if asking is None:
            asking = asyncio.ensure_future(ask())
            self._asked[question] = asking
            asking.add_done_callback(lambda _: self._asked.pop(question, None))
        found: T = await asyncio.shield(asking)
        return found

    async def _look(self) -> None:
        """Look for all who wait, until nobody does."""
        while self._waiters:
            with suppress(TimeoutError):
                async with asyncio.timeout(self._settings.feed_poll_seconds):
                    await self._hint.wait()
            await asyncio.sleep(LINGER_SECONDS)
            self._hint.clear()
            waiters = [*self._waiters]
            if self._is_stopping():
                for waiter in waiters:
                    waiter.news.set()
                return
            try:
                async with self._sessions()() as session:
                    news = await news_for(session, [waiter.actor for waiter in waiters])
            except Exception as error:  # they wait on, and are looked for again
                log.warning("feed.not_looked", error=repr(error)[:300])
                await asyncio.sleep(self._settings.feed_poll_seconds)
                continue
            for waiter in waiters:
                if news.may_concern(waiter.actor, known=waiter.known):
                    waiter.news.set()


@dataclass(frozen=True, slots=True)
class PlaceOf:
    """A place for a reader of this member."""

    watch: FeedWatch
    member: str

    def one(self) -> AbstractContextManager[None]:
        return self.watch.place(self.member)
