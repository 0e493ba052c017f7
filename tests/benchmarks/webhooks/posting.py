"""Requests without a database: `python -m tests.benchmarks.webhooks.posting raw|signed URL COUNT`.

`raw` is aiohttp alone; `signed` is our client with the signatures that every delivery gets.
"""

import asyncio
import sys
import time
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack

import aiohttp
import uvloop

from services.notifications.consumers.sender import signed_headers
from services.notifications.gateways.webhook_client import WebhookClient
from services.notifications.model.webhook_endpoint import new_secret
from services.notifications.use_cases.claim_deliveries import ClaimedDelivery
from shared.clock import utc_now
from shared.identifiers import new_id
from tests.benchmarks.backbone.events import rescheduled

PARALLEL = 100


async def post(way: str, url: str, count: int) -> float:
    """Make so many requests, a hundred under way.

    Returns:
        Requests a second.
    """
    async with AsyncExitStack() as stack:
        one = await (_raw if way == "raw" else _signed)(stack, url)
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


async def _raw(stack: AsyncExitStack, url: str) -> Callable[[], Awaitable[None]]:
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
        async with session.post(url, data=body, headers=headers) as response:
            await response.read()

    return one


async def _signed(stack: AsyncExitStack, url: str) -> Callable[[], Awaitable[None]]:
    client = await stack.enter_async_context(
        WebhookClient(allow_private=True, connect_seconds=5, total_seconds=15)
    )
    keys = [new_secret()]
    event = rescheduled(new_id(), 1)
    delivery = ClaimedDelivery(
        id=new_id(),
        fence=1,
        step=0,
        event_id=event.id,
        endpoint_id=new_id(),
        url=url,
        body=event.wire_form(),
        hindrance=None,
        sealed_secrets=(),
    )

    async def one() -> None:
        answer = await client.post(
            url, delivery.body, signed_headers(delivery, keys, now=utc_now())
        )
        if not answer.is_success:
            raise RuntimeError(f"the receiver failed: {answer}")

    return one


if __name__ == "__main__":
    print(uvloop.run(post(sys.argv[1], sys.argv[2], int(sys.argv[3]))))  # noqa: T201
