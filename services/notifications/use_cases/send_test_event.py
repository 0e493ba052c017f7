"""Use case: a member tries an endpoint with an example of what it would be sent."""

from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from pydantic_core import from_json, to_json
from sqlalchemy.ext.asyncio import AsyncSession

from services.notifications.model.event_types import ensure_known
from services.notifications.model.webhook_delivery import Trigger, WebhookDelivery, WebhookMessage
from services.notifications.model.webhook_endpoint import WebhookEndpoint
from services.notifications.queries.members import ensure_active
from services.notifications.queries.webhook_deliveries import tries_within
from services.notifications.queries.webhook_endpoints import visible_endpoint
from services.notifications.use_cases.wake_lane import hurry_lane
from shared.actor import Actor
from shared.contracts.describing import sample_of
from shared.contracts.event import CATALOGUE
from shared.identifiers import new_id
from shared.refusals import TooManyRequests

TESTS_MAX: Final = 30
TESTS_PERIOD: Final = timedelta(hours=1)


class TooManyTestEvents(TooManyRequests):
    code = "too-many-test-events"
    title = "The webhook endpoint was tried too often"


async def send_test_event(
    session: AsyncSession, endpoint_id: UUID, event_type: str, *, actor: Actor, now: datetime
) -> WebhookDelivery:
    """Queue an example of an event for an endpoint, which is sent like a fact but is none.

    It says so by the CloudEvents extension `test`, and stands in no feed.

    Raises:
        WebhookEndpointNotFound: there is none, or it is another member's.
        MissingScope: the actor may not do this.
        MemberNotActive: the actor's member does not take part at present.
        EventTypeUnknown: there are no events of this type.
        WebhookEndpointNotActive: nothing is sent to the endpoint.
        TooManyTestEvents: it was tried too often lately.
    """
    endpoint = await visible_endpoint(session, endpoint_id, actor=actor, for_change=True)
    actor.ensure_may("notifications:write")
    await ensure_active(session, actor.member)
    ensure_known((event_type,))
    endpoint.ensure_sent_to()
    made, first = await tries_within(session, endpoint, TESTS_PERIOD, now=now)
    if first is not None and made >= TESTS_MAX:
        wait = (first + TESTS_PERIOD - now).total_seconds()
        raise TooManyTestEvents(
            f"At most {TESTS_MAX} test events an hour.", members={"retry_after": int(wait) + 1}
        )
    message, delivery = make_test(endpoint, event_type, trigger="test", now=now)
    session.add_all([message, delivery])
    await session.flush()
    await hurry_lane(session, endpoint, now=now)
    return delivery


def make_test(
    endpoint: WebhookEndpoint, event_type: str, *, trigger: Trigger, now: datetime
) -> tuple[WebhookMessage, WebhookDelivery]:
    """Make an example of an event, on its way to an endpoint."""
    event_id = new_id()
    message = WebhookMessage(
        event_id=event_id,
        event_type=event_type,
        body=example_body(event_type, event_id, member=endpoint.member, now=now),
        queued_at=now,
        occurred_at=now,
        entity=None,
        project_id=None,
        about_member=None,
        is_for_all=False,
        acting_member=None,
        hops=0,
    )
    delivery = WebhookDelivery(
        endpoint_id=endpoint.id,
        event_id=event_id,
        event_type=event_type,
        occurred_at=now,
        due_at=now,
        trigger=trigger,
        is_test=True,
        created_at=now,
    )
    return message, delivery


def example_body(event_type: str, event_id: UUID, *, member: str, now: datetime) -> bytes:
    """Write an example of an event as it is on the wire, marked as a test."""
    event = sample_of(CATALOGUE[event_type]).model_copy(
        update={
            "id": event_id,
            "time": now,
            "timestamp": now,
            "audience": (member,),
            "traceparent": None,
        }
    )
    return to_json(from_json(event.wire_form()) | {"test": True})
