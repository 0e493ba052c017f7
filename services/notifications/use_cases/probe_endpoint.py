"""Use case: an endpoint that was disabled for failing is tried now and then, until it is well."""

from dataclasses import dataclass
from datetime import datetime
from typing import Final

from sqlalchemy import select, text
from sqlalchemy.ext.asyncio import AsyncSession

from services.notifications.model.event_types import patterns_that_match
from services.notifications.model.retrying import Answer
from services.notifications.model.webhook_delivery import (
    WebhookAttempt,
    WebhookDelivery,
    WebhookMessage,
)
from services.notifications.model.webhook_endpoint import WebhookEndpoint
from services.notifications.model.webhook_recovery import WebhookProbe, WebhookRecovery
from services.notifications.queries.members import is_kept_out
from services.notifications.queries.webhook_endpoints import endpoint_for_change
from services.notifications.queries.webhook_recoveries import cut_off_since, recovery_at_work
from services.notifications.use_cases.send_test_event import make_test
from services.notifications.use_cases.start_recovery import begin_recovery
from services.notifications.use_cases.wake_lane import wake_lane
from shared.actor import Actor
from shared.contracts.event import CATALOGUE
from shared.contracts.notifications import WebhookEndpointDisabled, WebhookEndpointRecovered
from shared.messaging.outbox import announce

ITS_OWN: Final = WebhookEndpointDisabled.type_name()


@dataclass(frozen=True, slots=True)
class Probe:
    """A test event for an endpoint that is disabled; nothing of it is stored yet."""

    endpoint: WebhookEndpoint
    message: WebhookMessage
    delivery: WebhookDelivery


async def claim_probe(session: AsyncSession, *, now: datetime) -> Probe | None:
    """Take the probe that has been due for longest, so that nobody else makes it.

    An endpoint that its owner has activated, changed to be gone, or deleted is not tried any more.
    """
    while True:
        due = await session.scalar(
            select(WebhookProbe)
            .where(WebhookProbe.due_at <= now)
            .order_by(WebhookProbe.due_at)
            .limit(1)
            .with_for_update(skip_locked=True)
        )
        if due is None:
            return None
        endpoint = await session.get_one(WebhookEndpoint, due.endpoint_id)
        if not endpoint.is_tried:
            await session.delete(due)
            await session.flush()
            continue
        due.put_off(at=now)
        await session.flush()
        if await is_kept_out(session, endpoint.member):
            continue
        message, delivery = make_test(endpoint, _wanted_type(endpoint), trigger="probe", now=now)
        return Probe(endpoint, message, delivery)


def _wanted_type(endpoint: WebhookEndpoint) -> str:
    wanted = set(endpoint.event_types)
    fitting = (name for name in sorted(CATALOGUE) if wanted.intersection(patterns_that_match(name)))
    return next(fitting, ITS_OWN)


async def record_probe(
    session: AsyncSession, probe: Probe, answer: Answer, *, now: datetime
) -> None:
    """Write down what came of a probe; if the endpoint is well, send there again.

    Then all that it did not get since it failed is made up for.
    """
    endpoint = await endpoint_for_change(session, probe.endpoint.id)
    await _note(session, probe, answer, now)
    if endpoint.is_tried and answer.is_success:
        await _reactivate(session, endpoint, now=now)
    if answer.is_gone or not endpoint.is_tried:
        await session.execute(FORGET, {"endpoint": endpoint.id})


FORGET: Final = text("DELETE FROM webhook_probe WHERE endpoint_id = :endpoint")


async def _note(session: AsyncSession, probe: Probe, answer: Answer, now: datetime) -> None:
    delivery = probe.delivery
    delivery.state = "delivered" if answer.is_success else "failed"
    delivery.state_reason = None if answer.is_success else "probe"
    delivery.attempts, delivery.step, delivery.finished_at = 1, 1, now
    session.add_all([probe.message, delivery])
    await session.flush()
    session.add(
        WebhookAttempt(
            delivery_id=delivery.id,
            endpoint_id=delivery.endpoint_id,
            started_at=answer.started_at,
            duration_ms=answer.duration_ms,
            status=answer.status,
            error=answer.error,
            excerpt=answer.excerpt,
            trigger="probe",
        )
    )


async def _reactivate(session: AsyncSession, endpoint: WebhookEndpoint, *, now: datetime) -> None:
    before = endpoint.state()
    # The lane first: a sender may be cancelling what waits there.
    await wake_lane(session, endpoint, now=now)
    since = await cut_off_since(session, endpoint)
    endpoint.recover(at=now)
    announce(
        session,
        WebhookEndpointRecovered.about(
            endpoint.state(), before=before, by=Actor.CLOCK, at=now, audience=(endpoint.member,)
        ),
    )
    running = await recovery_at_work(session, endpoint)
    if running is not None:
        running.cancel("superseded", at=now)
        since = min(since, running.since)
        await session.flush()
    recovery = WebhookRecovery(
        endpoint_id=endpoint.id,
        kind="all",
        since=since,
        until=now,
        requested_by=None,
        expected=0,
        created_at=now,
        updated_at=now,
    )
    await begin_recovery(session, endpoint, recovery)
