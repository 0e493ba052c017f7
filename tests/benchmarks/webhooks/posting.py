"""Requests without a database.

`python -m tests.benchmarks.webhooks.posting raw|signed URL COUNT AUTHORITY`; the last is a file.

`raw` is aiohttp alone; `signed` is our client with the signatures that every delivery gets.
"""

import asyncio
import ssl
import sys
import time
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from pathlib import Path

import aiohttp
import uvloop

from services.notifications.gateways.webhook_client import WebhookClient
from services.notifications.model.destination import Destination, Key
from services.notifications.model.signing import new_secret, signed_headers, signing_key
from shared.clock import utc_now
from shared.identifiers import new_id
from tests.benchmarks.backbone.events import rescheduled
from tests.notifications.receiver import LOOPBACK

PARALLEL = 100


async def post(way: str, url: str, count: int, authority: str) -> float:
    """Make so many requests, a hundred under way.

    Returns:
        Requests a second.
    """
    async with AsyncExitStack() as stack:
        one = await (_raw if way == "raw" else _signed)(stack, f"{url}/posted", Path(authority))
        await _side_by_side(one, PARALLEL * 3)  # opens the connections
        began = time.perf_counter()
        await _side_by_side(one, count)
        return count / (time.perf_counter() - began)


async def _side_by_side(one: Callable[[], Awaitable[None]], count: int) -> None:
    left = iter(range(count))

    async def keep_going() -> None:
        for _ in left:
            await one()

    await asyncio.gather(*(keep_going() for _ in range(PARALLEL)))


async def _raw(stack: AsyncExitStack, url: str, authority: Path) -> Callable[[], Awaitable[None]]:
    tls = ssl.create_default_context(cafile=authority)
    connector = aiohttp.TCPConnector(limit=0)
    session = await stack.enter_async_context(aiohttp.ClientSession(connector=connector))
    body = rescheduled(new_id(), 1).wire_form()
    headers = {
        "Content-Type": "application/json",
        "webhook-id": f"msg_{new_id()}",
        "webhook-timestamp": "1767225600",
        "webhook-signature": f"v1,{'x' * 44}",
    }

    async def one() -> None:
        async with session.post(url, data=body, headers=headers, ssl=tls) as response:
            await response.read()

    return one


async def _signed(
    stack: AsyncExitStack, url: str, authority: Path
) -> Callable[[], Awaitable[None]]:
    client = await stack.enter_async_context(
        WebhookClient(
            networks=LOOPBACK,
            ca_file=authority,
            connect_seconds=5,
            total_seconds=15,
            origin="renkei.example",
        )
    )
    destination = Destination(
        url, [Key(signing_key("v1", new_secret())), Key(signing_key("v1a", new_secret()))]
    )
    body = rescheduled(new_id(), 1).wire_form()

    async def one() -> None:
        now = utc_now()
        headers = signed_headers(destination.keys_at(now), f"msg_{new_id()}", body, now=now)
        answer = await client.post(destination, body, headers)
        if not answer.is_success:
            raise RuntimeError(f"the receiver failed: {answer}")

    return one


if __name__ == "__main__":
    print(uvloop.run(post(sys.argv[1], sys.argv[2], int(sys.argv[3]), sys.argv[4])))  # noqa: T201
