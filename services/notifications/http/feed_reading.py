"""How a feed is read over HTTP: at once, when something comes, or as a stream.

Whoever reads is asked about their rights with every part that they get. While they wait they hold
neither a connection to the database nor a turn among the requests at work.
"""

import asyncio
import random
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any, Final

from fastapi import Request
from starlette.types import Receive

from services.notifications.http.feed_watch import FeedWatch
from services.notifications.model.event_types import readable_entities
from services.notifications.queries.event_feed import Part, Told, Wanted, cursor_of, part_of
from services.notifications.queries.members import ensure_active, ensure_may_speak
from services.notifications.settings import NotificationsSettings
from shared.actor import Actor
from shared.database import Sessions
from shared.http.streaming import Patience, patience_of
from shared.refusals import Refusal

RETRY_MILLISECONDS: Final = 2000
OVER: Final = b": over\n\n"


class FeedReader:
    """Reads the feed of the member for which one request speaks."""

    def __init__(self, request: Request, actor: Actor, wanted: Callable[[Actor], Wanted]) -> None:
        """Prepare it; nothing is read yet.

        Args:
            request: at work.
            actor: whose access token it has.
            wanted: says what may be read, with the rights of now; refuses what may not.
        """
        self._sessions: Sessions = request.app.state.reading_sessions
        self._watch: FeedWatch = request.app.state.feed_watch
        self._settings: NotificationsSettings = request.app.state.settings
        self._patience: Patience = patience_of(request)
        self._receive: Receive = request.receive
        self._actor = actor
        self._wanted = wanted

    async def part(self, after: int | None, *, cursor: str | None = None) -> Part:
        """Read what follows `after`, or the place of a cursor.

        Raises:
            ClientRevoked, SessionOver, OfficialMayNotAct: the actor may not act any more.
            MissingScope: it may not read feeds, or not what is wanted.
            MemberNotActive: its member does not take part at present.
            CursorNotFound: the member has no such cursor.
            FeedNotThatFar: there is no such sequence yet.
            FeedForgotten: something that followed it is kept no longer.
        """
        async with self._sessions() as session:
            actor = await ensure_may_speak(session, self._actor)
            actor.ensure_may("notifications:read")
            wanted = self._wanted(actor)
            await ensure_active(session, actor.member)
            if cursor is not None:
                after = (await cursor_of(session, cursor, actor=actor)).sequence

        async def ask() -> Part:
            async with self._sessions() as session:
                return await part_of(session, wanted, after=after)

        return await self._watch.once((wanted, after), ask)

    async def awaited(self, part: Part, seconds: float) -> Part:
        """Wait until there is something after a part that has nothing.

        Returns:
            What has come; nothing if nothing has.

        Raises:
            TooManyWait: nobody else can wait here.
            TooManyOfMemberWait: nobody else of the member.
            ClientRevoked, SessionOver, OfficialMayNotAct, MissingScope, MemberNotActive: the actor
                may read no longer.
        """
        ends = asyncio.get_running_loop().time() + seconds
        with self._watch.place(self._actor.member):
            whole = seconds + self._settings.request_seconds
            await self._patience.rest(pause_seconds=whole, whole_seconds=whole)
            async with unless_gone(self._receive) as stays:
                while not part.items:
                    left = ends - asyncio.get_running_loop().time()
                    if left <= 0 or not await stays(self._has_news(part, left)):
                        break
                    async with self._patience.at_work():
                        part = await self.part(part.next)
        return part

    async def _has_news(self, part: Part, seconds: float) -> bool:
        # A filter may have left more to look at than one part does.
        return not part.is_last or await self._watch.news(
            self._actor, known=part.end, seconds=seconds
        )

    async def stream(self, part: Part) -> AsyncGenerator[bytes, None]:
        """Write one part after the other as Server-Sent Events, and what comes.

        It ends after some time, and at once when the actor may read no longer.
        """
        settings, clock = self._settings, asyncio.get_running_loop().time
        beat = settings.feed_heartbeat_seconds
        await self._patience.rest(
            pause_seconds=2 * beat + settings.request_seconds,
            whole_seconds=settings.feed_stream_seconds + settings.request_seconds,
        )
        ends = clock() + settings.feed_stream_seconds * random.uniform(0.8, 1)  # noqa: S311 -- spreads
        yield b"retry: %d\n\n" % RETRY_MILLISECONDS
        try:
            while True:
                if piece := as_stream(part):
                    yield piece
                left = ends - clock()
                if left <= 0:
                    break
                if part.is_last:
                    pause = min(left, beat * random.uniform(0.8, 1.2))  # noqa: S311 -- spreads
                    if not await self._watch.news(self._actor, known=part.end, seconds=pause):
                        if self._watch.is_over:
                            break
                        yield b": \n\n"
                        part = Part([], part.next, part.end)
                        continue
                async with self._patience.at_work():
                    part = await self.part(part.next)
        except Refusal:
            pass  # the next request hears why
        yield OVER


@asynccontextmanager
async def unless_gone(
    receive: Receive,
) -> AsyncIterator[Callable[[Awaitable[bool]], Awaitable[bool]]]:
    """Wait for something, but not for a client that has gone away."""

    async def gone() -> None:
        while (await receive())["type"] != "http.disconnect":
            pass

    going = asyncio.create_task(gone())

    async def stays(waiting: Awaitable[bool]) -> bool:
        found = asyncio.ensure_future(waiting)
        try:
            await asyncio.wait((found, going), return_when=asyncio.FIRST_COMPLETED)
            return found.done() and found.result()
        finally:
            found.cancel()

    try:
        yield stays
    finally:
        going.cancel()


def as_json(part: Part) -> bytes:
    """Write a part as one document. What is told stands there byte for byte as it came."""
    items = b",".join(map(_item, part.items))
    return b'{"items":[%s],"next":%d,"end":%d}' % (items, part.next, part.end)


def _item(told: Told) -> bytes:
    rest = (
        b'"event":null,"withheld":"%s"' % (told.withheld or "").encode()
        if told.body is None
        else b'"event":' + told.body
    )
    return b'{"sequence":%d,"recorded_at":"%s","event_id":"%s",%s}' % (
        told.sequence,
        written(told.recorded_at).encode(),
        str(told.event_id).encode(),
        rest,
    )


def as_stream(part: Part) -> bytes:
    """Write a part as Server-Sent Events. Source: HTML Living Standard, section 9.2."""
    pieces = [_event(told) for told in part.items]
    if not part.items or part.items[-1].sequence < part.next:
        # Whoever comes again need not be shown once more what was passed over; nobody is told.
        pieces.append(b"id: %d\n\n" % part.next)
    return b"".join(pieces)


def _event(told: Told) -> bytes:
    if told.body is None:
        return b'id: %d\nevent: withheld\ndata: {"event_id":"%s","withheld":"%s"}\n\n' % (
            told.sequence,
            str(told.event_id).encode(),
            (told.withheld or "").encode(),
        )
    # A line break can stand only between two parts of the JSON, where it says nothing.
    lines = told.body.replace(b"\r\n", b"\n").replace(b"\r", b"\n").replace(b"\n", b"\ndata: ")
    return b"id: %d\nevent: %s\ndata: %s\n\n" % (told.sequence, told.event_type.encode(), lines)


def written(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat().replace("+00:00", "Z")


def wanted_by(
    actor: Actor, *, limit: int, chosen: tuple[tuple[str, ...], tuple[str, ...]] | None, **also: Any
) -> Wanted:
    """What of the feed of their member an actor may, and wants to, read."""
    types, kinds = chosen or (None, ())
    return Wanted(
        actor.member, readable_entities(actor.scopes), limit, types=types, kinds=kinds, **also
    )
