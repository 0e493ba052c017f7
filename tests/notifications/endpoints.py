"""Endpoints of cities, and what became of what was sent to them."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from aiohttp.abc import AbstractResolver
from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from services.notifications.consumers.handshakes import Handshakes
from services.notifications.consumers.sender import Sender
from services.notifications.gateways.webhook_client import WebhookClient
from services.notifications.model.known import KnownMember
from services.notifications.model.retrying import Answer, Schedule
from services.notifications.model.signing import SignatureKind, new_secret, written_secret
from services.notifications.model.webhook_delivery import (
    WebhookAttempt,
    WebhookDelivery,
    WebhookMessage,
)
from services.notifications.model.webhook_endpoint import Patience, WebhookEndpoint
from services.notifications.model.webhook_lane import Pace, WebhookLane
from services.notifications.settings import NotificationsSettings
from services.notifications.use_cases.claim_lanes import ClaimedLane, DueDelivery, claim_lanes
from services.notifications.use_cases.create_webhook_endpoint import sealed_keys
from services.notifications.use_cases.record_turns import Outcome, Release, record_turns
from shared.clock import utc_now
from shared.database import Sessions
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
    is_verified: bool = True,
    **chosen: Any,
) -> Made:
    """Make an endpoint; `chosen` are other fields of it, such as `ordering`."""
    secret = new_secret()
    keys: dict[SignatureKind, bytes] = {"v1": secret, "v1a": new_secret()}
    moment = at(made_at_minute)
    async with sessions.begin() as session:
        await session.execute(
            insert(KnownMember)
            .values(slug=member, version=0, name={}, status="active", time_zone="Asia/Seoul")
            .on_conflict_do_nothing()
        )
        endpoint = WebhookEndpoint(
            member=member,
            url=url,
            description=None,
            event_types=event_types,
            created_at=moment,
            updated_at=moment,
            **chosen,
        )
        endpoint.status = status
        endpoint.verified_at = moment if is_verified else None
        session.add(endpoint)
        await session.flush()
        session.add_all(sealed_keys(endpoint.id, keys, seals=Seals.read(MASTER_KEYS), now=moment))
    return Made(endpoint.id, written_secret(secret))


async def led_to(sessions: Sessions, event_id: UUID, *members: str) -> None:
    """Let facts of these members have led to one that was heard, one after the other."""
    async with sessions.begin() as session:
        message = await session.get_one(WebhookMessage, event_id)
        message.chain, message.hops = members, len(members)


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


def client_of(
    settings: NotificationsSettings, resolver: AbstractResolver | None = None
) -> WebhookClient:
    return WebhookClient(
        networks=settings.webhook_allowed_networks,
        connect_seconds=settings.webhook_connect_seconds,
        total_seconds=settings.webhook_total_seconds,
        origin="renkei.example",
        ca_file=settings.webhook_ca_file,
        resolver=resolver,
    )


async def shake_hands(
    sessions: Sessions,
    settings: NotificationsSettings,
    *,
    ahead: timedelta = timedelta(),
    resolver: AbstractResolver | None = None,
) -> None:
    """Ask every receiver whose turn it is, or will be by then, and wait for what comes of it."""
    async with client_of(settings, resolver) as client:
        handshakes = Handshakes(sessions, settings, client, clock=lambda: utc_now() + ahead)
        await handshakes.begin_due()
        await asyncio.gather(*handshakes.at_work)


@asynccontextmanager
async def sending(
    sessions: Sessions, settings: NotificationsSettings, *, ahead: timedelta = timedelta()
) -> AsyncIterator[Sender]:
    """Run a sender; its clock may be ahead, as if that time had passed."""
    async with client_of(settings) as client:
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


async def claim(
    session: AsyncSession, *, pace: Pace = "fast", limit: int = 100, now: datetime | None = None
) -> list[ClaimedLane]:
    return await claim_lanes(session, pace, limit=limit, lease_seconds=60, now=now or utc_now())


async def record(
    session: AsyncSession,
    *outcomes: tuple[ClaimedLane, DueDelivery, Answer],
    now: datetime,
) -> None:
    """Record what came of deliveries, and give their lanes back as they were."""
    lanes = {claimed.endpoint_id: claimed for claimed, _, _ in outcomes}
    await record_turns(
        session,
        [Outcome(*outcome) for outcome in outcomes],
        [Release(claimed, claimed.lane) for claimed in lanes.values()],
        schedule=Schedule((0, 5), 0),
        patience=Patience(timedelta(days=5), ()),
        now=now,
    )


async def lane_of(sessions: Sessions, endpoint: Made) -> WebhookLane:
    async with sessions() as session:
        return await session.get_one(WebhookLane, endpoint.id)
