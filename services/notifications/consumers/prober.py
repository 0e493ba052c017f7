"""Tries endpoints that were disabled for failing, through the sender that sends them everything.

Several may run at the same time: whoever takes a probe puts the next one off before it is made.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime
from typing import Final

import structlog
from sqlalchemy.ext.asyncio import AsyncSession

from services.notifications.consumers.turns import Send
from services.notifications.model.webhook_lane import Bounds, Lane
from services.notifications.use_cases.claim_lanes import ClaimedLane, DueDelivery
from services.notifications.use_cases.probe_endpoint import Probe, claim_probe, record_probe
from shared.database import Sessions

log = structlog.get_logger(__name__)

AT_ONCE: Final = 4
"""What is disabled mostly hangs; one after the other would take too long."""

Learn = Callable[[AsyncSession, Sequence[ClaimedLane]], Awaitable[None]]


class Prober:
    """The probing part of one process. `run` returns only when it is cancelled."""

    def __init__(
        self,
        sessions: Sessions,
        *,
        learn: Learn,
        send: Send,
        clock: Callable[[], datetime],
        pause_seconds: float,
    ) -> None:
        """Prepare it.

        Args:
            sessions: of the service.
            learn: loads what must be known of endpoints.
            send: makes one request; whatever goes wrong is in the answer.
            clock: tells the time.
            pause_seconds: between two looks for what is due.
        """
        self._sessions = sessions
        self._learn = learn
        self._send = send
        self._clock = clock
        self._pause_seconds = pause_seconds

    async def run(self) -> None:
        async with asyncio.TaskGroup() as group:
            for _ in range(AT_ONCE):
                group.create_task(self._probe_forever())

    async def _probe_forever(self) -> None:
        while True:
            try:
                while await self.probe_next():
                    pass
            except Exception:  # whatever it is, the prober must look again
                log.exception("prober.interrupted")
            await asyncio.sleep(self._pause_seconds)

    async def probe_next(self) -> bool:
        """Make one probe that is due.

        Returns:
            Whether there was one.
        """
        async with self._sessions.begin() as session:
            probe = await claim_probe(session, now=self._clock())
            if probe is None:
                return False
            claimed = _as_lane(probe)
            await self._learn(session, [claimed])
        answer = await self._send(claimed, claimed.deliveries[0])
        async with self._sessions.begin() as session:
            await record_probe(session, probe, answer, now=self._clock())
        log.info(
            "webhook.probed",
            endpoint_id=str(claimed.endpoint_id),
            status=answer.status,
            error=answer.error,
        )
        return True


def _as_lane(probe: Probe) -> ClaimedLane:
    """What the sender must know to make a request, beside any lane."""
    delivery = DueDelivery(
        id=probe.delivery.id,
        step=0,
        event_id=probe.message.event_id,
        entity=None,
        body=probe.message.body,
        hops=0,
        hindrance=None,
    )
    return ClaimedLane(
        endpoint_id=probe.endpoint.id,
        endpoint_version=probe.endpoint.version,
        member=probe.endpoint.member,
        fence=0,
        lane=Lane(),
        bounds=Bounds(1, None),
        keeps_order=False,
        warnings=0,
        deliveries=[delivery],
    )
