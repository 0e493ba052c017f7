"""How webhook endpoints do, over HTTP."""

from datetime import datetime, timedelta
from typing import Annotated, Final, Literal
from uuid import UUID

from fastapi import APIRouter, Query

from services.notifications.http.speaking import CurrentSpeaker, Speaking
from services.notifications.model.webhook_endpoint import WebhookEndpoint, WebhookEndpointNotFound
from services.notifications.model.webhook_lane import Bounds, Held, Lane, Pace
from services.notifications.queries.webhook_endpoints import visible_endpoint
from services.notifications.queries.webhook_statistics import (
    Attempts,
    Statistics,
    known_lane,
    statistics_of,
)
from shared.actor import MissingScope
from shared.fields import Instant, Output
from shared.http.problems import refusals
from shared.http.transaction import Now, Route, Transaction
from shared.refusals import Invalid

router = APIRouter(
    prefix="/api/v1/webhook-endpoints/{endpoint_id}/statistics",
    tags=["webhook endpoints"],
    route_class=Route,
    dependencies=[Speaking],
)

PERIOD_USUAL: Final = timedelta(days=1)
PERIOD_MAX: Final = timedelta(days=31)


class StatisticsPeriodInvalid(Invalid):
    code = "statistics-period-invalid"
    title = "There are no statistics of such a period"


class DeliveriesByStateOut(Output):
    """What became of the deliveries that were made in the period."""

    pending: int = 0
    delivered: int = 0
    failed: int = 0
    cancelled: int = 0


class DeliveriesWaitingOut(Output):
    """What is still to be sent, whenever it was made."""

    count: int
    oldest_due_at: datetime | None


class DurationsOut(Output):
    """Time from the request to the end of its answer; nobody took longer in so many percent."""

    p50_ms: int | None
    p95_ms: int | None
    p99_ms: int | None


class OutcomeOut(Output):
    """Requests that ended in one way: a class of status such as `5xx`, or of error."""

    outcome: str
    count: int
    durations: DurationsOut


class HourOut(Output):
    """Requests of one hour (UTC), by its beginning."""

    hour: datetime
    count: int
    succeeded: int
    durations: DurationsOut


class AttemptsOut(Output):
    """Requests of the period; hours without any are left out."""

    count: int
    succeeded: int
    durations: DurationsOut
    by_outcome: list[OutcomeOut]
    by_hour: list[HourOut]


class LaneOut(Output):
    """How the endpoint is sent to at present.

    Nothing is sent before `held_until`, because it fails (`failing`), asked for patience
    (`retry_after`) or gets no more a minute (`rate`); or at all, while it is not active.
    """

    pace: Pace
    requests_at_once: int
    rate_per_minute: int | None
    mean_duration_ms: int
    held_until: datetime | None
    held_because: Held | Literal["paused", "disabled", "not_verified"] | None
    failing_since: datetime | None
    failures_in_a_row: int
    last_success_at: datetime | None


class WebhookStatisticsOut(Output):
    """How an endpoint has done, and how it is sent to."""

    since: datetime
    until: datetime
    deliveries: DeliveriesByStateOut
    waiting: DeliveriesWaitingOut
    attempts: AttemptsOut
    lane: LaneOut


@router.get("", responses=refusals(WebhookEndpointNotFound, MissingScope, StatisticsPeriodInvalid))
async def get_webhook_statistics(
    endpoint_id: UUID,
    session: Transaction,
    actor: CurrentSpeaker,
    now: Now,
    since: Annotated[
        Instant | None, Query(description="A day before the end, if nothing is said.")
    ] = None,
    until: Annotated[Instant | None, Query(description="Now, if nothing is said.")] = None,
) -> WebhookStatisticsOut:
    """Read how an endpoint has done in up to 31 days, and how it is sent to at present."""
    endpoint = await visible_endpoint(session, endpoint_id, actor=actor)
    actor.ensure_may("notifications:read")
    until = now if until is None else until
    since = until - PERIOD_USUAL if since is None else since
    if not timedelta() < until - since <= PERIOD_MAX:
        raise StatisticsPeriodInvalid(f"It may have up to {PERIOD_MAX.days} days, and not none.")
    found = await statistics_of(session, endpoint, since=since, until=until)
    lane = await known_lane(session, endpoint)
    return WebhookStatisticsOut(
        since=since,
        until=until,
        deliveries=DeliveriesByStateOut(**found.by_state),
        waiting=DeliveriesWaitingOut(count=found.waiting, oldest_due_at=found.oldest_due_at),
        attempts=shown_attempts(found),
        lane=shown_lane(endpoint, lane, now=now),
    )


def shown_attempts(found: Statistics) -> AttemptsOut:
    return AttemptsOut(
        count=found.attempts.count,
        succeeded=found.attempts.succeeded,
        durations=shown_durations(found.attempts),
        by_outcome=[
            OutcomeOut(
                outcome=each.outcome or "", count=each.count, durations=shown_durations(each)
            )
            for each in found.by_outcome
        ],
        by_hour=[
            HourOut(
                hour=each.hour,
                count=each.count,
                succeeded=each.succeeded,
                durations=shown_durations(each),
            )
            for each in found.by_hour
            if each.hour is not None
        ],
    )


def shown_durations(attempts: Attempts) -> DurationsOut:
    p50, p95, p99 = attempts.durations_ms
    return DurationsOut(p50_ms=p50, p95_ms=p95, p99_ms=p99)


def shown_lane(endpoint: WebhookEndpoint, lane: Lane, *, now: datetime) -> LaneOut:
    rates = [rate for rate in (endpoint.rate_per_minute, endpoint.allowed_rate) if rate is not None]
    bounds = Bounds(endpoint.parallel, min(rates, default=None))
    held = lane.held_because(now)
    because: Held | Literal["paused", "disabled", "not_verified"] | None = held
    if endpoint.status == "paused":
        because = "paused"
    elif endpoint.status == "disabled":
        because = "disabled"
    elif endpoint.verified_at is None:
        because = "not_verified"
    return LaneOut(
        pace=lane.pace,
        requests_at_once=min(lane.parallel, bounds.parallel),
        rate_per_minute=bounds.rate_per_minute,
        mean_duration_ms=round(lane.mean_ms),
        held_until=lane.held_until if held is not None else None,
        held_because=because,
        failing_since=lane.failing_since,
        failures_in_a_row=lane.failures,
        last_success_at=lane.succeeded_at,
    )
