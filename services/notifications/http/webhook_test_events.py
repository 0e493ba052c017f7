"""Trying a webhook endpoint, over HTTP."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Response
from pydantic import StringConstraints

from services.notifications.http.speaking import CurrentSpeaker, Speaking
from services.notifications.http.webhook_deliveries import WebhookDeliveryOut, shown_delivery
from services.notifications.model.event_types import EventTypeUnknown
from services.notifications.model.known import MemberNotActive
from services.notifications.model.webhook_endpoint import (
    WebhookEndpointNotActive,
    WebhookEndpointNotFound,
)
from services.notifications.queries.webhook_endpoints import visible_endpoint
from services.notifications.use_cases.send_test_event import TooManyTestEvents, send_test_event
from shared.actor import MissingScope
from shared.fields import Input
from shared.http.idempotency import Idempotent, KeyInUse, KeyReused
from shared.http.problems import refusals
from shared.http.transaction import Now, Route, Transaction

router = APIRouter(
    prefix="/api/v1/webhook-endpoints/{endpoint_id}/test-events",
    tags=["webhook endpoints"],
    route_class=Route,
    dependencies=[Speaking],
)


class WebhookTestEventIn(Input):
    """What to send an example of, such as `renkei.milestone.completed.v1`."""

    event_type: Annotated[
        str,
        StringConstraints(max_length=100, pattern=r"^renkei\.[a-z_]+\.[a-z_]+\.v[1-9][0-9]?$"),
    ]


@router.post(
    "",
    status_code=201,
    dependencies=[Idempotent],
    responses=refusals(
        WebhookEndpointNotFound,
        MissingScope,
        MemberNotActive,
        EventTypeUnknown,
        WebhookEndpointNotActive,
        TooManyTestEvents,
        KeyInUse,
        KeyReused,
    ),
)
async def post_webhook_test_event(
    endpoint_id: UUID,
    body: WebhookTestEventIn,
    response: Response,
    session: Transaction,
    actor: CurrentSpeaker,
    now: Now,
) -> WebhookDeliveryOut:
    """Send an example of an event to the endpoint, marked as a `test`.

    It goes the way of every fact: signed, repeated if it fails, and listed among the deliveries.
    """
    delivery = await send_test_event(session, endpoint_id, body.event_type, actor=actor, now=now)
    endpoint = await visible_endpoint(session, endpoint_id, actor=actor)
    response.headers["Location"] = (
        f"/api/v1/webhook-endpoints/{endpoint_id}/deliveries/{delivery.id}"
    )
    return shown_delivery(delivery, endpoint, may_write=True)
