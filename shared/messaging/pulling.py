"""Taking messages from a durable consumer, each as soon as the broker has it.

One request at a time asks for a batch and stays open until it is served or runs out; whatever has
arrived is handed over at once. The client's own `fetch` does not promise that: of 1 690 messages
published at random moments 15 lay in it for 0.2 to 3.8 seconds (decision 0013).
"""

import asyncio
import json
from collections import deque
from contextlib import suppress
from typing import Final, Self

from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.errors import Error as NatsError
from nats.js.api import Header, StatusCode
from nats.js.errors import APIError

EXPIRES_SECONDS: Final = 5
"""How long the broker keeps a request open."""

HEARTBEAT_SECONDS: Final = 1
"""How often it says that it still does, when there is nothing else to say."""

SILENT_SECONDS: Final = 2.5 * HEARTBEAT_SECONDS
"""After this silence it has forgotten the request, as after a lost connection."""

NANOSECONDS: Final = 1_000_000_000


class Pull:
    """What one durable consumer delivers to this process, within `async with`."""

    def __init__(self, nats: Client, stream: str, durable: str, *, batch: int) -> None:
        """Describe it.

        Args:
            nats: a connection.
            stream: where the consumer is.
            durable: its name; it must exist.
            batch: how many messages to ask for at once.
        """
        self._nats = nats
        self._subject = f"$JS.API.CONSUMER.MSG.NEXT.{stream}.{durable}"
        self._batch = batch
        self._inbox = nats.new_inbox()
        self._asked = 0
        self._open = 0
        """How many messages the broker may still send without being asked again."""
        self._heard_at = 0.0
        self._arrived: deque[Msg] = deque()
        self._refusal: Msg | None = None
        self._news = asyncio.Event()

    async def __aenter__(self) -> Self:
        self._subscription = await self._nats.subscribe(f"{self._inbox}.*", cb=self._take)
        return self

    async def __aexit__(self, *_: object) -> None:
        with suppress(NatsError):
            await self._subscription.unsubscribe()
            # Others need not wait until the broker misses an answer.
            while self._arrived:
                await self._arrived.popleft().nak()

    async def next(self) -> list[Msg]:
        """Wait for messages.

        Returns:
            What has arrived, oldest first, at most `batch`; nothing if none came in
            `EXPIRES_SECONDS` or the broker fell silent.

        Raises:
            APIError: the consumer is gone, or moves; see that it is there and pull anew.
        """
        if not self._arrived and self._open <= 0 and self._refusal is None:
            await self._ask()
        while not self._arrived and self._open > 0:
            self._news.clear()
            try:
                async with asyncio.timeout_at(self._heard_at + SILENT_SECONDS):
                    await self._news.wait()
            except TimeoutError:
                self._open = 0
        if not self._arrived and self._refusal is not None:
            APIError.from_msg(self._refusal)
        return [self._arrived.popleft() for _ in range(min(len(self._arrived), self._batch))]

    async def _ask(self) -> None:
        self._asked += 1
        self._open = self._batch
        self._heard_at = asyncio.get_running_loop().time()
        question = {
            "batch": self._batch,
            "expires": int(EXPIRES_SECONDS * NANOSECONDS),
            "idle_heartbeat": int(HEARTBEAT_SECONDS * NANOSECONDS),
        }
        reply = f"{self._inbox}.{self._asked}"
        await self._nats.publish(self._subject, json.dumps(question).encode(), reply)

    async def _take(self, message: Msg) -> None:
        """Keep a message, or hear what becomes of the request."""
        self._heard_at = asyncio.get_running_loop().time()
        status = message.headers.get(Header.STATUS) if message.headers else None
        if status is None:
            self._arrived.append(message)
            self._open -= 1
        elif message.subject != f"{self._inbox}.{self._asked}":
            return  # about a request that is given up
        elif status != StatusCode.CONTROL_MESSAGE:
            self._open = 0
            if status not in (StatusCode.REQUEST_TIMEOUT, StatusCode.NO_MESSAGES):
                self._refusal = message
        self._news.set()
