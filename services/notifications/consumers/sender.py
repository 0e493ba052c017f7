"""Sends queued webhooks: takes lanes in which something is due, sends, writes down what came of it.

Several senders may run at the same time; leases in the database share the lanes. A sender that dies
loses nothing: its leases run out, and another one sends again with the same message id. However
many receivers hang, those that answer are sent to as before: see `Places` and `Lane`.
"""

import asyncio
import time
from collections import OrderedDict
from collections.abc import Callable, Coroutine, Sequence
from contextlib import suppress
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

import structlog
from nats.aio.msg import Msg
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncSession

from services.notifications.consumers.handshakes import Handshakes
from services.notifications.consumers.places import Places
from services.notifications.consumers.prober import Prober
from services.notifications.consumers.turns import Turn
from services.notifications.gateways.webhook_client import WebhookClient, origin_of
from services.notifications.model.destination import Destination, thin_form
from services.notifications.model.retrying import Answer, Schedule
from services.notifications.model.signing import signed_headers
from services.notifications.model.webhook_delivery import message_id
from services.notifications.model.webhook_endpoint import Patience as PatienceWithEndpoints
from services.notifications.model.webhook_lane import Pace
from services.notifications.queries.destinations import destinations
from services.notifications.settings import NotificationsSettings
from services.notifications.use_cases.claim_lanes import ClaimedLane, DueDelivery, claim_lanes
from services.notifications.use_cases.queue_webhooks import after_each_queueing
from services.notifications.use_cases.record_turns import Outcome, Release, record_turns
from shared.causation import HEADER, Cause, written_cause
from shared.clock import utc_now
from shared.database import Sessions, complain, is_outage
from shared.messaging.patience import Patience, stop_if_cancelled
from shared.sealing import Seals
from shared.serving import Workplace

log = structlog.get_logger(__name__)

LINGER_SECONDS: Final = 0.01
RECORD_BATCH: Final = 500
UNRECORDED_MAX: Final = 4 * RECORD_BATCH
LAST_RECORD_SECONDS: Final = 2
LOOK_ROUND_SECONDS: Final = 0.5
KNOWN_MAX: Final = 20_000


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
        self.known = KnownDestinations(Seals.read(settings.master_keys.get_secret_value()))
        self.schedule = Schedule(settings.webhook_schedule_seconds, settings.webhook_jitter)
        self.patience = PatienceWithEndpoints(
            timedelta(hours=settings.webhook_disable_hours),
            tuple(timedelta(hours=hours) for hours in settings.webhook_warn_hours),
        )
        self.wake = asyncio.Event()
        self.places = Places(settings.webhook_parallel)
        self.turns: set[Turn] = set()
        self.found: asyncio.Queue[Outcome | Release] = asyncio.Queue()
        self.unrecorded: list[Outcome | Release] = []

    async def run(self) -> None:
        end = after_each_queueing(self.wake.set)
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(self._record_forever())
                group.create_task(self._look_round())
                group.create_task(self._claim_forever(group.create_task))
        finally:
            end()
            with suppress(SQLAlchemyError, OSError):
                async with asyncio.timeout(LAST_RECORD_SECONDS):
                    await self._record_the_rest()

    def prober(self) -> Prober:
        """What tries endpoints that are disabled, in the way in which this sends to all others."""
        return Prober(
            self.sessions,
            learn=self.known.learn,
            send=self.send,
            clock=self.clock,
            pause_seconds=self.settings.timer_seconds,
        )

    async def _claim_forever(self, start: Callable[[Coroutine[Any, Any, None]], object]) -> None:
        patience = Patience(self.settings)
        while True:
            stop_if_cancelled()
            self.wake.clear()
            try:
                there_is_more = [await self._claim(pace, start) for pace in ("fast", "slow")]
            except Exception as error:  # whatever it is, the sender must look again
                complain(log, "sender.interrupted", error)
                await patience.pause()
                continue
            patience.worked()
            if not any(there_is_more):
                # `asyncio.wait_for` of Python 3.11 would swallow a cancellation that comes with the
                # wake.
                with suppress(TimeoutError):
                    async with asyncio.timeout(self.settings.webhook_poll_seconds):
                        await self.wake.wait()

    async def _claim(
        self, pace: Pace, start: Callable[[Coroutine[Any, Any, None]], object]
    ) -> bool:
        """Take lanes for all free places, and begin their turns.

        Returns:
            Whether there may be more to take at once.
        """
        free = self.places.free(pace) if self.found.qsize() < UNRECORDED_MAX else 0
        if not free:
            return False
        crowded = self.places.crowded()
        async with self.sessions.begin() as session:
            claimed = await self._lanes(session, pace, limit=free, crowded=crowded)
            if not claimed and crowded:  # nobody else waits
                claimed = await self._lanes(session, pace, limit=free)
            await self.known.learn(session, claimed)
        ends_at = time.monotonic() + self.settings.webhook_turn_seconds
        for lane in claimed:
            start(self._attend_to(lane, ends_at))
        return len(claimed) == free

    async def _lanes(
        self, session: AsyncSession, pace: Pace, *, limit: int, crowded: Sequence[str] = ()
    ) -> list[ClaimedLane]:
        return await claim_lanes(
            session,
            pace,
            limit=limit,
            lease_seconds=self.settings.webhook_lease_seconds,
            now=self.clock(),
            crowded=crowded,
            hold=timedelta(seconds=self.settings.webhook_hold_seconds),
        )

    async def _attend_to(self, claimed: ClaimedLane, ends_at: float) -> None:
        """Let a lane have its turn."""

        def note(delivery: DueDelivery, answer: Answer | None) -> None:
            self.found.put_nowait(Outcome(claimed, delivery, answer))

        turn = Turn(
            claimed, self.places, send=self.send, note=note, clock=self.clock, ends_at=ends_at
        )
        self.turns.add(turn)
        try:
            await turn.run()
        finally:
            self.turns.discard(turn)
            self.found.put_nowait(Release(claimed, turn.lane, turn.is_gone))

    async def send(self, claimed: ClaimedLane, delivery: DueDelivery) -> Answer:
        """Make one request, signed for the moment at which it is made."""
        now = self.clock()
        try:
            destination = self.known.of(claimed)
            if destination is None:
                return Answer(now, 0, error="secret_unreadable")
            body = delivery.body
            if destination.is_thin:
                body = thin_form(body, dataref=self._address_of(delivery))
            name = message_id(delivery.event_id)
            headers = {
                **destination.headers,
                **signed_headers(destination.keys_at(now), name, body, now=now),
                HEADER: written_cause(Cause(delivery.event_id, delivery.hops)),
            }
            return await self.client.post(destination, body, headers)
        except Exception:  # one delivery that we cannot even try must not stop the others
            log.exception("webhook.not_tried", delivery_id=str(delivery.id))
            return Answer(now, 0, error="internal")

    def _address_of(self, delivery: DueDelivery) -> str:
        return f"{self.settings.issuer}/api/v1/events/{delivery.event_id}"

    async def _look_round(self) -> None:
        """Let those make way whose receivers take long."""
        while True:
            await asyncio.sleep(LOOK_ROUND_SECONDS)
            now = time.monotonic()
            # Every turn is asked: a sum, as `any` would stop at the first.
            if sum(turn.make_way(now) for turn in self.turns):
                self.wake.set()

    async def _record_forever(self) -> None:
        while True:
            self.unrecorded.append(await self.found.get())
            await asyncio.sleep(LINGER_SECONDS)
            self._collect()
            await self._record_at_last()
            self.wake.set()

    def _collect(self) -> None:
        while len(self.unrecorded) < RECORD_BATCH and not self.found.empty():
            self.unrecorded.append(self.found.get_nowait())

    async def _record_at_last(self) -> None:
        """Write down what was found out, however long the database is away.

        What it refuses for another reason is given up, and alone: its lease runs out.
        """
        patience = Patience(self.settings)
        while self.unrecorded:
            try:
                await self._record(self.unrecorded)
            except Exception as error:
                complain(log, "sender.not_recorded", error, many=len(self.unrecorded))
                if is_outage(error):
                    await patience.pause()
                    continue
                await self._record_each()
            self.unrecorded.clear()

    async def _record_each(self) -> None:
        for each in self.unrecorded:
            try:
                await self._record([each])
            except Exception as error:
                endpoint_id = str(each.claimed.endpoint_id)
                complain(log, "sender.outcome_lost", error, endpoint_id=endpoint_id)

    async def _record(self, found: Sequence[Outcome | Release]) -> None:
        async with self.sessions.begin() as session:
            await record_turns(
                session,
                [each for each in found if isinstance(each, Outcome)],
                [each for each in found if isinstance(each, Release)],
                schedule=self.schedule,
                patience=self.patience,
                now=self.clock(),
            )

    async def _record_the_rest(self) -> None:
        self.unrecorded += [self.found.get_nowait() for _ in range(self.found.qsize())]
        if self.unrecorded:
            await self._record(self.unrecorded)


class KnownDestinations:
    """What this sender knows of endpoints, each as of one version."""

    def __init__(self, seals: Seals) -> None:
        self._seals = seals
        self._known: OrderedDict[UUID, tuple[int, Destination | None]] = OrderedDict()

    async def learn(self, session: AsyncSession, lanes: Sequence[ClaimedLane]) -> None:
        """Load what is not known of the endpoints of these lanes, or is old.

        Forgotten is what was not asked for for longest, so never what is at work.
        """
        versions = {
            lane.endpoint_id: lane.endpoint_version
            for lane in lanes
            if self._known.get(lane.endpoint_id, (0,))[0] != lane.endpoint_version
        }
        if versions:
            found = await destinations(session, versions, seals=self._seals)
            for endpoint_id, destination in found.items():
                self._known[endpoint_id] = (versions[endpoint_id], destination)
        for lane in lanes:
            if lane.endpoint_id in self._known:
                self._known.move_to_end(lane.endpoint_id)
        while len(self._known) > KNOWN_MAX:
            self._known.popitem(last=False)

    def of(self, lane: ClaimedLane) -> Destination | None:
        return self._known[lane.endpoint_id][1]


async def send_webhooks(place: Workplace) -> None:
    """The part `sender` of the worker."""
    settings = place.settings
    if not isinstance(settings, NotificationsSettings):
        raise TypeError("the sender needs the settings of the notifications service")
    async with WebhookClient(
        networks=settings.webhook_allowed_networks,
        connect_seconds=settings.webhook_connect_seconds,
        total_seconds=settings.webhook_total_seconds,
        origin=origin_of(settings.issuer),
        ca_file=settings.webhook_ca_file,
    ) as client:
        sender = Sender(place.sessions, settings, client)
        handshakes = Handshakes(place.sessions, settings, client)

        async def woken(_: Msg) -> None:
            sender.wake.set()

        await place.nats.subscribe(f"wake.{place.service}", cb=woken)
        async with asyncio.TaskGroup() as group:
            group.create_task(handshakes.run())
            group.create_task(sender.run())
            group.create_task(sender.prober().run())
