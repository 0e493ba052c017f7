"""Waiting for what other tasks do."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from contextlib import asynccontextmanager
from typing import Any

from sqlalchemy import text

from shared.database import Sessions

DEADLINE_SECONDS = 10.0


async def eventually(
    true: Callable[[], Awaitable[bool]], *, within: float = DEADLINE_SECONDS
) -> None:
    """Wait until something is true; fail if it does not come true in time."""
    deadline = time.monotonic() + within
    while not await true():
        assert time.monotonic() < deadline, f"not within {within} s"
        await asyncio.sleep(0.01)


async def becomes(
    ask: Callable[[], Awaitable[Any]], expected: Any, *, within: float = DEADLINE_SECONDS
) -> None:
    """Wait until the answer is the expected one; fail with the last answer."""
    deadline = time.monotonic() + within
    while (found := await ask()) != expected:
        assert time.monotonic() < deadline, f"still {found!r}, not {expected!r}"
        await asyncio.sleep(0.01)


@asynccontextmanager
async def running(*work: Coroutine[Any, Any, Any]) -> AsyncIterator[list[asyncio.Task[Any]]]:
    """Let things that run for ever do so for a while; what one of them raises is raised here."""
    tasks = [asyncio.create_task(each) for each in work]
    try:
        yield tasks
    finally:
        for task in tasks:
            task.cancel()
        results = await asyncio.gather(*tasks, return_exceptions=True)
    for result in results:
        if isinstance(result, Exception):
            raise result


async def somebody_waits_for_a_lock(sessions: Sessions) -> bool:
    """Tell whether a transaction waits for another one to end."""
    async with sessions() as session:
        found = await session.scalar(
            text(
                "SELECT count(*) FROM pg_stat_activity"
                " WHERE datname = current_database() AND wait_event_type = 'Lock'"
            )
        )
    return bool(found)
