"""Starts the worker of the notifications service, whole or in parts."""

import sys
from dataclasses import replace
from datetime import datetime
from typing import Final

from sqlalchemy.ext.asyncio import AsyncSession

from services.notifications.consumers.copies import COPIES
from services.notifications.consumers.inboxes import INBOXES
from services.notifications.consumers.sender import send_webhooks
from services.notifications.consumers.webhooks import WEBHOOKS
from services.notifications.model.known import KnownSession
from services.notifications.model.webhook_endpoint import WebhookSecret
from services.notifications.model.webhook_verification import WebhookConsent
from services.notifications.settings import NotificationsSettings
from services.notifications.use_cases.fold_into_inboxes import place_facts
from services.notifications.use_cases.forget_deliveries import forget_deliveries
from services.notifications.use_cases.sign_digests import sign_digests
from services.notifications.use_cases.work_off_recoveries import work_off_recoveries
from shared.sealing import Seals
from shared.serving import Worker
from shared.timers import Timer, forgetting

MINUTE_SECONDS: Final = 60
HOUR_SECONDS: Final = 60 * MINUTE_SECONDS


async def place(session: AsyncSession, now: datetime) -> bool:
    return await place_facts(session, now=now)


async def recover(session: AsyncSession, now: datetime) -> bool:
    return await work_off_recoveries(session, now=now)


WORKER: Final = Worker(
    "notifications",
    subscriptions=[*COPIES, *INBOXES, *WEBHOOKS],
    timers=[
        Timer("place-facts", place),
        Timer("work-off-recoveries", recover),
        Timer("forget-sessions", forgetting(KnownSession.good_until), every_seconds=HOUR_SECONDS),
        Timer("forget-webhook-keys", forgetting(WebhookSecret.expires_at)),
        Timer(
            "forget-webhook-consents",
            forgetting(WebhookConsent.expires_at),
            every_seconds=HOUR_SECONDS,
        ),
    ],
    parts={"sender": send_webhooks},
)


def forgetting_deliveries(settings: NotificationsSettings) -> Timer:
    async def forget(session: AsyncSession, now: datetime) -> bool:
        return await forget_deliveries(
            session,
            kept_days=settings.webhook_retention_days,
            feed_kept_days=settings.feed_retention_days,
            now=now,
        )

    return Timer("forget-deliveries", forget, every_seconds=HOUR_SECONDS)


def signing_digests(settings: NotificationsSettings) -> Timer:
    seals = Seals.read(settings.master_keys.get_secret_value())

    async def sign(session: AsyncSession, now: datetime) -> bool:
        return await sign_digests(session, issuer=settings.issuer, seals=seals, now=now)

    return Timer("sign-digests", sign, every_seconds=MINUTE_SECONDS)


def main() -> None:
    settings = NotificationsSettings()
    timers = [*WORKER.timers, forgetting_deliveries(settings), signing_digests(settings)]
    replace(WORKER, timers=timers).run(settings, sys.argv[1:])


if __name__ == "__main__":
    main()
