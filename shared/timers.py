"""Facts that time makes: done once, by one of several replicas, and announced like any other."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import datetime

import structlog
from sqlalchemy import delete, text
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import InstrumentedAttribute

from shared.clock import utc_now
from shared.database import Sessions
from shared.settings import Settings

log = structlog.get_logger(__name__)

Run = Callable[[AsyncSession, datetime], Awaitable[bool]]


@dataclass(frozen=True, slots=True)
class Timer:
    """Something to look after again and again.

    `run` works in one transaction, which the edge commits, and answers whether more is due at once.
    """

    name: str
    run: Run
    every_seconds: float | None = None


def forgetting(
    until: InstrumentedAttribute[datetime] | InstrumentedAttribute[datetime | None],
) -> Run:
    """Make what a timer runs to delete the rows of a table that are good no longer.

    Args:
        until: its column that says how long a row is good; one without an end stays.
    """

    async def forget(session: AsyncSession, now: datetime) -> bool:
        await session.execute(delete(until.class_).where(until < now))
        return False

    return forget


async def run_timers(timers: Sequence[Timer], sessions: Sessions, settings: Settings) -> None:
    """Run all timers until cancelled."""
    async with asyncio.TaskGroup() as group:
        for timer in timers:
            group.create_task(_repeat(timer, sessions, settings))


async def _repeat(timer: Timer, sessions: Sessions, settings: Settings) -> None:
    pause = timer.every_seconds or settings.timer_seconds
    while True:
        try:
            more = await tick(timer, sessions)
        except Exception:  # a timer that fails once must look again, and soon
            log.exception("timer.failed", timer=timer.name)
            await asyncio.sleep(min(pause, settings.timer_seconds))
        else:
            if not more:
                await asyncio.sleep(pause)


async def tick(timer: Timer, sessions: Sessions) -> bool:
    """Run a timer once, unless another replica is at it.

    Returns:
        Whether more is due at once.
    """
    async with sessions.begin() as session:
        mine = await session.scalar(
            text("SELECT pg_try_advisory_xact_lock(hashtextextended(:name, 1))"),
            {"name": timer.name},
        )
        return bool(mine) and await timer.run(session, utc_now())
