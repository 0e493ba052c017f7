"""Asks receivers whether they want webhooks, before they are sent the first.

Several workers may do so at the same time: each takes receivers for itself and for a while. One
that hangs holds up nobody but itself.
Source: CloudEvents HTTP 1.1 Web Hooks for Event Delivery, section 4.
"""

import asyncio
from collections.abc import Callable
from datetime import datetime
from typing import Final

import structlog

from services.notifications.gateways.webhook_client import WebhookClient, origin_of
from services.notifications.model.destination import Destination
from services.notifications.model.webhook_verification import Agreement, agreement_of
from services.notifications.queries.destinations import destinations
from services.notifications.settings import NotificationsSettings
from services.notifications.use_cases.claim_handshakes import ClaimedHandshake, claim_handshakes
from services.notifications.use_cases.record_handshake import record_handshake
from shared.clock import utc_now
from shared.database import Sessions, complain
from shared.messaging.patience import Patience, stop_if_cancelled
from shared.sealing import Seals

log = structlog.get_logger(__name__)

AT_ONCE: Final = 20


class Handshakes:
    """The asking part of one process. `run` returns only when it is cancelled."""

    def __init__(
        self,
        sessions: Sessions,
        settings: NotificationsSettings,
        client: WebhookClient,
        *,
        clock: Callable[[], datetime] = utc_now,
    ) -> None:
        self.sessions = sessions
        self.settings = settings
        self.client = client
        self.clock = clock
        self.seals = Seals.read(settings.master_keys.get_secret_value())
        self.origin = origin_of(settings.issuer)
        self.at_work: set[asyncio.Task[None]] = set()

    async def run(self) -> None:
        patience = Patience(self.settings)
        try:
            while True:
                stop_if_cancelled()
                try:
                    await self.begin_due()
                except Exception as error:  # whatever it is, it must look again
                    complain(log, "handshakes.interrupted", error)
                    await patience.pause()
                    continue
                patience.worked()
                await asyncio.sleep(self.settings.webhook_poll_seconds)
        finally:
            for task in self.at_work:
                task.cancel()
            await asyncio.gather(*self.at_work, return_exceptions=True)

    async def begin_due(self) -> None:
        """Take as many receivers as there is room for, and begin to ask each."""
        free = AT_ONCE - len(self.at_work)
        if not free:
            return
        async with self.sessions.begin() as session:
            claimed = await claim_handshakes(
                session,
                limit=free,
                lease_seconds=self.settings.webhook_lease_seconds,
                now=self.clock(),
            )
            known = (
                await destinations(session, [one.endpoint_id for one in claimed], seals=self.seals)
                if claimed
                else {}
            )
        for one in claimed:
            task = asyncio.create_task(self._ask(one, known.get(one.endpoint_id)))
            self.at_work.add(task)
            task.add_done_callback(self.at_work.discard)

    async def _ask(self, claimed: ClaimedHandshake, destination: Destination | None) -> None:
        try:
            found: Agreement | str = "secret_unreadable"
            if destination is not None:
                consent = await self.client.ask(destination, self._headers(claimed))
                found = consent.error or agreement_of(
                    consent.allowed_origin, consent.allowed_rate, origin=self.origin
                )
            async with self.sessions.begin() as session:
                await record_handshake(session, claimed, found, now=self.clock())
        except Exception as error:  # the lease ends, and it is asked again
            complain(log, "handshake.lost", error, endpoint_id=str(claimed.endpoint_id))

    def _headers(self, claimed: ClaimedHandshake) -> dict[str, str]:
        at = f"{self.settings.issuer}/api/v1/webhook-endpoints/{claimed.endpoint_id}"
        headers = {
            "WebHook-Request-Origin": self.origin,
            "WebHook-Request-Callback": f"{at}/consents/{claimed.token}",
        }
        if claimed.rate_per_minute is not None:
            headers["WebHook-Request-Rate"] = str(claimed.rate_per_minute)
        return headers
