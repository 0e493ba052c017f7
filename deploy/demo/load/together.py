"""Many deeds at once."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from typing import TypeVar

from deploy.demo.progress import Display

T = TypeVar("T")


async def for_each(
    display: Display, phase: str, items: Iterable[T], work: Callable[[T], Awaitable[None]]
) -> None:
    """Do something for all items at the same time, and show how far it is.

    Raises:
        ExceptionGroup: it failed for some; what had not begun is left out.
    """
    items = list(items)
    with display.phase(phase, len(items)) as advance:

        async def one(item: T) -> None:
            await work(item)
            advance()

        async with asyncio.TaskGroup() as group:
            for item in items:
                group.create_task(one(item))
