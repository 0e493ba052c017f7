"""Whoever locks several rows locks them in one order, so that nobody waits in a circle.

The order: who takes part, the end of a feed, endpoints, recoveries, consents, lanes by their ids,
and last deliveries. Each test holds what one transaction has locked first, lets another one run
into it, and goes on to what that one must not have locked yet.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from services.notifications.use_cases.wake_lane import hold_lane
from shared.database import Sessions
from shared.identifiers import new_id
from tests.conftest import Database
from tests.notifications.endpoints import deliveries, make_endpoint
from tests.notifications.hearing import Ears, project

WAITING = """
SELECT count(*) FROM pg_stat_activity
WHERE datname = current_database() AND wait_event_type = 'Lock'
"""


@pytest.fixture
def sessions(database: Database) -> Sessions:
    return database.sessions


async def until_somebody_waits(sessions: Sessions) -> None:
    async with asyncio.timeout(10):
        while True:
            async with sessions() as session:
                if await session.scalar(text(WAITING)):
                    return
            await asyncio.sleep(0.02)


@asynccontextmanager
async def impatient(sessions: Sessions) -> AsyncIterator[AsyncSession]:
    """A transaction that fails where it would have to wait."""
    async with sessions.begin() as session:
        await session.execute(text("SET LOCAL lock_timeout = '300ms'"))
        yield session


async def test_facts_are_queued_beside_a_sender_that_writes_down_turns(
    ears: Ears, sessions: Sessions
) -> None:
    first = await make_endpoint(sessions)
    second = await make_endpoint(sessions, ordering="entity")
    await ears.hear(project(new_id()), only="webhooks")
    assert first.id < second.id

    async with impatient(sessions) as session:
        await hold_lane(session, first.id)
        hearing = asyncio.create_task(ears.hear(project(new_id()), only="webhooks"))
        await until_somebody_waits(sessions)
        await hold_lane(session, second.id)
    await hearing

    assert len(await deliveries(sessions)) == 4
