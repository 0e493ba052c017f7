"""Answers that are sent while they are made, so that their size costs no memory.

Up to the first piece nothing has been sent: a refusal or a fault until then is answered as a
problem like any other. What fails later can only cut the answer off, which HTTP shows to the
client. Such an answer may take longer than others as long as it moves, but not for ever, and only
a few of them are made at once in a process. They read with connections of their own, each for a
moment: `Route` has given back the request's before the first piece.
"""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Iterator, Mapping
from contextlib import (
    AbstractContextManager,
    ExitStack,
    aclosing,
    asynccontextmanager,
    contextmanager,
)
from typing import Final, Protocol

from fastapi import Request
from starlette.requests import ClientDisconnect
from starlette.responses import StreamingResponse
from starlette.types import Receive, Scope, Send

from shared.refusals import Unavailable

STATE: Final = "patience"


class TooManyAtOnce(Unavailable):
    code = "too-many-at-once"
    title = "As many large answers as can be made at once are being made"


class Room:
    """Room for the requests of a process: so many are at work, others wait for their turn.

    `present` counts both. A request that rests is neither.
    """

    def __init__(self, limit: int) -> None:
        self.turns = asyncio.Semaphore(limit)
        self.present = 0


class Turn:
    """The turn of a request to be at work."""

    def __init__(self, room: Room) -> None:
        self._room = room
        self._is_held = False

    async def __aenter__(self) -> None:
        await self._room.turns.acquire()
        self._is_held = True

    async def __aexit__(self, *_: object) -> None:
        if self._is_held:
            self._is_held = False
            self._room.turns.release()

    @contextmanager
    def resting(self) -> Iterator[None]:
        """Be counted no more among those who are present."""
        self._room.present -= 1
        try:
            yield
        finally:
            self._room.present += 1


class Patience:
    """How long the request at work may still take, and whether it is at work at all."""

    def __init__(
        self,
        timeout: asyncio.Timeout,
        *,
        pause_seconds: float,
        whole_seconds: float,
        turn: Turn | None = None,
    ) -> None:
        self._timeout = timeout
        self._pause_seconds = pause_seconds
        self._ends = asyncio.get_running_loop().time() + whole_seconds
        self._turn = turn
        self._rests = ExitStack()

    def moved(self) -> None:
        """Note that a large answer has come a step further; the next step has its time again."""
        now = asyncio.get_running_loop().time()
        self._timeout.reschedule(min(now + self._pause_seconds, self._ends))

    async def rest(self, *, pause_seconds: float, whole_seconds: float) -> None:
        """Give the turn back: from now on the request mostly waits, and others need not.

        Args:
            pause_seconds: longest time of a step.
            whole_seconds: of all of them.
        """
        self._pause_seconds = pause_seconds
        self._ends = asyncio.get_running_loop().time() + whole_seconds
        self.moved()
        if self._turn is not None:
            await self._turn.__aexit__()
            self._rests.enter_context(self._turn.resting())

    def wakes(self) -> None:
        """Count the request among those who are present again, as it ends."""
        self._rests.close()

    @asynccontextmanager
    async def at_work(self) -> AsyncIterator[None]:
        """Have a turn for a while, within a request that rests."""
        if self._turn is None:
            yield
            return
        async with self._turn:
            yield


def patience_of(request: Request) -> Patience:
    """The patience with this request."""
    found: Patience = request.scope["state"][STATE]
    return found


class Turns:
    """So many at once in a process."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._taken = 0

    @contextmanager
    def one(self) -> Iterator[None]:
        """Hold a turn.

        Raises:
            TooManyAtOnce: none is left.
        """
        if self._taken >= self._limit:
            raise TooManyAtOnce("Try again in a few seconds.")
        self._taken += 1
        try:
            yield
        finally:
            self._taken -= 1


class Admits(Protocol):
    """Whoever decides how many such answers are made at once."""

    def one(self) -> AbstractContextManager[None]:
        """Hold a turn, or refuse it."""


class Streamed(StreamingResponse):
    """An answer in pieces.

    Args:
        pieces: make the answer; they are closed also when the client goes away.
        turns: how many such answers are made at once.
        patience: with the request.
    """

    def __init__(
        self,
        pieces: AsyncGenerator[bytes, None],
        *,
        turns: Admits,
        patience: Patience,
        media_type: str,
        headers: Mapping[str, str],
    ) -> None:
        super().__init__(pieces, media_type=media_type, headers=headers)
        self.pieces = pieces
        self.turns = turns
        self.patience = patience

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await super().__call__(scope, receive, send)
        except ClientDisconnect:
            return

    async def stream_response(self, send: Send) -> None:
        with self.turns.one():
            async with aclosing(self.pieces) as pieces:
                begun = False
                async for piece in pieces:
                    if not begun:
                        await self._begin(send)
                        begun = True
                    await self._send(send, piece, more=True)
                if not begun:
                    await self._begin(send)
        await self._send(send, b"", more=False)

    async def _begin(self, send: Send) -> None:
        await send(
            {
                "type": "http.response.start",
                "status": self.status_code,
                "headers": self.raw_headers,
            }
        )

    async def _send(self, send: Send, piece: bytes, *, more: bool) -> None:
        await send({"type": "http.response.body", "body": piece, "more_body": more})
        self.patience.moved()
