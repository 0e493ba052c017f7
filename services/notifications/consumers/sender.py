"""Sends queued webhooks: takes what is due, makes the requests, writes down what came of them.

Several senders may run at the same time; leases in the database share the work. A sender that dies
loses nothing: its leases run out, and another one sends again with the same message id. Each
endpoint has only so many requests at work, so that one that hangs does not occupy the others'
places.
"""

import asyncio
from collections.abc import Callable, Coroutine, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any, Final

import structlog
from nats.aio.msg import Msg
from sqlalchemy.exc import SQLAlchemyError
from standardwebhooks import Webhook

from services.notifications.gateways.webhook_client import WebhookClient
from services.notifications.model.retrying import Answer, Schedule
from services.notifications.model.webhook_delivery import message_id
from services.notifications.model.webhook_endpoint import secret_place
from services.notifications.settings import NotificationsSettings
from services.notifications.use_cases.claim_deliveries import ClaimedDelivery, claim_deliveries
from services.notifications.use_cases.queue_webhooks import after_each_queueing
from services.notifications.use_cases.record_outcomes import Outcome, record_outcomes
from shared.clock import utc_now
from shared.database import Sessions, is_outage
from shared.messaging.patience import Patience, stop_if_cancelled
from shared.sealing import CannotOpen, Seals
from shared.serving import Workplace

log = structlog.get_logger(__name__)

LINGER_SECONDS: Final = 0.01
RECORD_BATCH: Final = 500
LAST_RECORD_SECONDS: Final = 2


class Sender:
    """The sending part of one process. `run` returns only when it is cancelled."""

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
        self.schedule = Schedule(settings.webhook_schedule_seconds, settings.webhook_jitter)
        self.wake = asyncio.Event()
        self.in_flight = 0
        self.outcomes: asyncio.Queue[Outcome] = asyncio.Queue()
        self.unrecorded: list[Outcome] = []

    async def run(self) -> None:
        end = after_each_queueing(self.wake.set)
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(self._record_forever())
                group.create_task(self._claim_forever(group.create_task))
        finally:
            end()
            with suppress(SQLAlchemyError, OSError):
                async with asyncio.timeout(LAST_RECORD_SECONDS):
                    await self._record_the_rest()

    async def _claim_forever(self, start: Callable[[Coroutine[Any, Any, None]], object]) -> None:
        patience = Patience(self.settings)
        while True:
            stop_if_cancelled()
            self.wake.clear()
            free = self.settings.webhook_parallel - self.in_flight
            try:
                claimed = await self._claim(free) if free > 0 else []
            except Exception as error:  # whatever it is, the sender must look again
                self._complain("sender.interrupted", error)
                await patience.pause()
                continue
            patience.worked()
            for delivery in claimed:
                self.in_flight += 1
                start(self._attend_to(delivery))
            if len(claimed) < free or free <= 0:
                # `asyncio.wait_for` of Python 3.11 would swallow a cancellation that comes with the
                # wake.
                with suppress(TimeoutError):
                    async with asyncio.timeout(self.settings.webhook_poll_seconds):
                        await self.wake.wait()

    @staticmethod
    def _complain(what: str, error: Exception, **details: Any) -> None:
        if is_outage(error):
            log.warning(what, error=repr(error)[:300], **details)
        else:
            log.error(what, exc_info=error, **details)

    async def _claim(self, limit: int) -> list[ClaimedDelivery]:
        async with self.sessions.begin() as session:
            return await claim_deliveries(
                session,
                limit=limit,
                per_endpoint=self.settings.webhook_parallel_per_endpoint,
                lease_seconds=self.settings.webhook_lease_seconds,
                now=self.clock(),
            )

    async def _attend_to(self, delivery: ClaimedDelivery) -> None:
        try:
            answer = None if delivery.hindrance is not None else await self._send(delivery)
        except Exception:  # one delivery that we cannot even try must not stop the others
            log.exception("webhook.not_tried", delivery_id=str(delivery.id))
            answer = Answer(self.clock(), 0, error="internal")
        self.outcomes.put_nowait(Outcome(delivery, answer))

    async def _send(self, delivery: ClaimedDelivery) -> Answer:
        """Make one request, signed for the moment at which it is made."""
        now = self.clock()
        try:
            keys = [
                self.seals.open(sealed, place=secret_place(key_id))
                for key_id, sealed in delivery.sealed_secrets
            ]
        except CannotOpen:
            log.exception("webhook.secret_unreadable", endpoint_id=str(delivery.endpoint_id))
            return Answer(now, 0, error="secret_unreadable")
        return await self.client.post(
            delivery.url, delivery.body, signed_headers(delivery, keys, now=now)
        )

    async def _record_forever(self) -> None:
        while True:
            self.unrecorded.append(await self.outcomes.get())
            await asyncio.sleep(LINGER_SECONDS)
            self._collect()
            count = len(self.unrecorded)
            await self._record_at_last()
            self.in_flight -= count
            self.wake.set()

    def _collect(self) -> None:
        while len(self.unrecorded) < RECORD_BATCH and not self.outcomes.empty():
            self.unrecorded.append(self.outcomes.get_nowait())

    async def _record_at_last(self) -> None:
        """Write down what was found out, however long the database is away.

        What it refuses for another reason is given up, and alone: its lease runs out.
        """
        patience = Patience(self.settings)
        while self.unrecorded:
            try:
                await self._record(self.unrecorded)
            except Exception as error:
                self._complain("sender.not_recorded", error, outcomes=len(self.unrecorded))
                if is_outage(error):
                    await patience.pause()
                    continue
                await self._record_each()
            self.unrecorded.clear()

    async def _record_each(self) -> None:
        for outcome in self.unrecorded:
            try:
                await self._record([outcome])
            except Exception as error:
                self._complain("sender.outcome_lost", error, delivery_id=str(outcome.delivery.id))

    async def _record(self, outcomes: Sequence[Outcome]) -> None:
        async with self.sessions.begin() as session:
            await record_outcomes(session, outcomes, schedule=self.schedule, now=self.clock())

    async def _record_the_rest(self) -> None:
        self._collect()
        if self.unrecorded:
            await self._record(self.unrecorded)


def signed_headers(
    delivery: ClaimedDelivery, keys: list[bytes], *, now: datetime
) -> dict[str, str]:
    """Headers that let the receiver check who sent this, and when. Source: Standard Webhooks."""
    name = message_id(delivery.event_id)
    moment = now.astimezone(UTC)
    body = delivery.body.decode()
    return {
        "webhook-id": name,
        "webhook-timestamp": str(int(moment.timestamp())),
        "webhook-signature": " ".join(Webhook(key).sign(name, moment, body) for key in keys),
    }


async def send_webhooks(place: Workplace) -> None:
    """The part `sender` of the worker."""
    settings = place.settings
    if not isinstance(settings, NotificationsSettings):
        raise TypeError("the sender needs the settings of the notifications service")
    async with WebhookClient(
        allow_private=settings.webhook_allow_private,
        connect_seconds=settings.webhook_connect_seconds,
        total_seconds=settings.webhook_total_seconds,
    ) as client:
        sender = Sender(place.sessions, settings, client)

        async def woken(_: Msg) -> None:
            sender.wake.set()

        await place.nats.subscribe(f"wake.{place.service}", cb=woken)
        await sender.run()
