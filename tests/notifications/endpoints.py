"""Endpoints of cities, and what became of what was sent to them."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

from sqlalchemy import select

from services.notifications.consumers.sender import Sender
from services.notifications.gateways.webhook_client import WebhookClient
from services.notifications.model.webhook_delivery import WebhookAttempt, WebhookDelivery
from services.notifications.model.webhook_endpoint import (
    WebhookEndpoint,
    WebhookSecret,
    new_secret,
    secret_place,
    written_secret,
)
from services.notifications.settings import NotificationsSettings
from shared.database import Sessions
from shared.identifiers import new_id
from shared.sealing import Seals
from tests.notifications.hearing import at
from tests.web import MASTER_KEYS


@dataclass(frozen=True)
class Made:
    """An endpoint with the secret that its owner was shown."""

    id: UUID
    secret: str


async def make_endpoint(
    sessions: Sessions,
    url: str = "https://hooks.seoul.example/",
    *,
    member: str = "seoul",
    event_types: tuple[str, ...] = ("*",),
    status: str = "active",
    made_at_minute: int = -60,
) -> Made:
    secret, secret_id = new_secret(), new_id()
    moment = at(made_at_minute)
    async with sessions.begin() as session:
        endpoint = WebhookEndpoint(
            member=member,
            url=url,
            description=None,
            event_types=event_types,
            created_at=moment,
            updated_at=moment,
        )
        endpoint.status = status
        session.add(endpoint)
        await session.flush()
        session.add(
            WebhookSecret(
                id=secret_id,
                endpoint_id=endpoint.id,
                sealed=Seals.read(MASTER_KEYS).seal(secret, place=secret_place(secret_id)),
                created_at=moment,
            )
        )
    return Made(endpoint.id, written_secret(secret))


async def deliveries(sessions: Sessions) -> list[WebhookDelivery]:
    async with sessions() as session:
        return list(await session.scalars(select(WebhookDelivery).order_by(WebhookDelivery.id)))


async def attempts(sessions: Sessions) -> list[WebhookAttempt]:
    async with sessions() as session:
        return list(
            await session.scalars(
                select(WebhookAttempt).order_by(WebhookAttempt.started_at, WebhookAttempt.id)
            )
        )


async def until_settled(sessions: Sessions, *, attempts_made: int = 1) -> list[WebhookDelivery]:
    """Wait until every delivery has ended, or has had so many attempts."""
    async with asyncio.timeout(10):
        while True:
            found = await deliveries(sessions)
            if found and all(
                one.state != "pending" or one.attempts >= attempts_made for one in found
            ):
                return found
            await asyncio.sleep(0.02)


@asynccontextmanager
async def sending(
    sessions: Sessions, settings: NotificationsSettings, *, ahead: timedelta = timedelta()
) -> AsyncIterator[Sender]:
    """Run a sender; its clock may be ahead, as if that time had passed."""
    async with WebhookClient(
        allow_private=settings.webhook_allow_private,
        connect_seconds=settings.webhook_connect_seconds,
        total_seconds=settings.webhook_total_seconds,
    ) as client:
        sender = Sender(sessions, settings, client)
        if ahead:
            own = sender.clock
            sender.clock = lambda: own() + ahead
        running = asyncio.create_task(sender.run())
        try:
            yield sender
        finally:
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)
