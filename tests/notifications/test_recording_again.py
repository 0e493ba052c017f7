"""What was written down though nobody heard of it is written down again, and counts once."""

import asyncio
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any

from sqlalchemy import update
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncSession

from services.notifications.consumers.sender import Sender
from services.notifications.model.retrying import Answer
from services.notifications.model.webhook_delivery import WebhookDelivery
from services.notifications.settings import NotificationsSettings
from shared.clock import utc_now
from shared.database import Sessions
from shared.identifiers import new_id
from tests.notifications.endpoints import (
    attempts,
    claim,
    client_of,
    deliveries,
    make_endpoint,
    record,
)
from tests.notifications.hearing import Ears, project
from tests.notifications.receiver import answering, receiving


class Unheard:
    """Sessions whose first commit that follows succeeds, and nobody hears of it."""

    def __init__(self, sessions: Sessions) -> None:
        self.sessions = sessions
        self.left = 1

    @asynccontextmanager
    async def begin(self) -> AsyncIterator[AsyncSession]:
        async with self.sessions.begin() as session:
            yield session
        if self.left:
            self.left -= 1
            lost = ConnectionResetError("the connection was lost")
            raise DBAPIError("COMMIT", {}, lost, connection_invalidated=True)


async def test_an_attempt_counts_once(
    ears: Ears, sessions: Sessions, settings: NotificationsSettings
) -> None:
    patient = settings.model_copy(
        update={"webhook_schedule_seconds": (0, 3600, 3600), "retry_seconds": 0.05}
    )
    async with receiving(answering(204), answering(500)) as receiver, client_of(patient) as client:
        await make_endpoint(sessions, receiver.url)
        await ears.hear(project(new_id()), project(new_id()), only="webhooks")
        sender = Sender(sessions, patient, client)
        turns: list[Coroutine[Any, Any, None]] = []
        await sender._claim("fast", turns.append)
        await asyncio.gather(*turns)
        sender._collect()
        unheard = Unheard(sessions)
        sender.sessions = unheard  # type: ignore[assignment]
        await sender._record_at_last()

    assert unheard.left == 0
    failed, delivered = sorted(await deliveries(sessions), key=lambda one: one.state != "pending")
    assert (delivered.state, delivered.attempts) == ("delivered", 1)
    assert (failed.state, failed.attempts, failed.step) == ("pending", 1, 1)
    assert len(await attempts(sessions)) == 2
    assert failed.due_at - failed.created_at > timedelta(minutes=50)


async def test_what_arrived_while_it_was_cancelled_has_arrived(
    ears: Ears, sessions: Sessions
) -> None:
    await make_endpoint(sessions)
    await ears.hear(project(new_id()), project(new_id()), only="webhooks")
    now = utc_now()
    async with sessions.begin() as session:
        [lane] = await claim(session, now=now)
        await session.execute(
            update(WebhookDelivery).values(
                state="cancelled", state_reason="recovery_cancelled", finished_at=now
            )
        )
    arrived, refused = lane.deliveries

    async with sessions.begin() as session:
        await record(
            session,
            (lane, arrived, Answer(now, 20, status=204)),
            (lane, refused, Answer(now, 20, status=500)),
            now=now,
        )

    found = {one.id: (one.state, one.state_reason) for one in await deliveries(sessions)}
    assert found == {
        arrived.id: ("delivered", None),
        refused.id: ("cancelled", "recovery_cancelled"),
    }
