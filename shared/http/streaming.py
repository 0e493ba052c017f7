"""Answers that are sent while they are made, so that their size costs no memory.

Up to the first piece nothing has been sent: a refusal or a fault until then is answered as a
problem like any other. What fails later can only cut the answer off, which HTTP shows to the
client. Such an answer may take longer than others as long as it moves, but not for ever, and only
a few of them are made at once in a process. They read with connections of their own, each for a
moment: `Route` has given back the request's before the first piece.
"""

import asyncio
from collections.abc import AsyncGenerator, Iterator, Mapping
from contextlib import aclosing, contextmanager
from typing import Final

from fastapi import Request
from starlette.requests import ClientDisconnect
from starlette.responses import StreamingResponse
from starlette.types import Receive, Scope, Send

from shared.refusals import Unavailable

STATE: Final = "patience"


class TooManyAtOnce(Unavailable):
    code = "too-many-at-once"
    title = "As many large answers as can be made at once are being made"


class Patience:
    """How long the request at work may still take."""

    def __init__(
        self, timeout: asyncio.Timeout, *, pause_seconds: float, whole_seconds: float
    ) -> None:
        self._timeout = timeout
        self._pause_seconds = pause_seconds
        self._ends = asyncio.get_running_loop().time() + whole_seconds

    def moved(self) -> None:
        """Note that a large answer has come a step further; the next step has its time again."""
        now = asyncio.get_running_loop().time()
        self._timeout.reschedule(min(now + self._pause_seconds, self._ends))


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
        turns: Turns,
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
