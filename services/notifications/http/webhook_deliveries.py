"""What was sent to webhook endpoints, over HTTP."""

from datetime import datetime
from typing import Annotated, Literal
from uuid import UUID

from fastapi import APIRouter, Query, Request, Response
from pydantic import Field
from sqlalchemy.ext.asyncio import AsyncSession

from services.notifications.http.settings import CurrentSettings
from services.notifications.http.speaking import CurrentSpeaker, Speaking
from services.notifications.model.destination import thin_form
from services.notifications.model.event_types import EventTypePattern, scopes_to_read
from services.notifications.model.known import MemberNotActive
from services.notifications.model.webhook_delivery import (
    FactWithheld,
    Trigger,
    WebhookDelivery,
    WebhookDeliveryNotFound,
)
from services.notifications.model.webhook_endpoint import (
    WebhookEndpoint,
    WebhookEndpointNotActive,
    WebhookEndpointNotFound,
)
from services.notifications.queries.members import is_active
from services.notifications.queries.webhook_deliveries import (
    DeliveryFilter,
    attempts_of,
    deliveries_of,
    delivery_of,
    said_in,
)
from services.notifications.queries.webhook_endpoints import visible_endpoint
from services.notifications.use_cases.resend_delivery import resend_delivery
from shared.actor import Actor, MissingScope
from shared.fields import Instant, Output
from shared.http.idempotency import Idempotent, KeyInUse, KeyReused
from shared.http.paging import CurrentPaging, CursorUnknown, Page, page
from shared.http.problems import refusals
from shared.http.transaction import Now, Route, Transaction

router = APIRouter(
    prefix="/api/v1/webhook-endpoints/{endpoint_id}/deliveries",
    tags=["webhook endpoints"],
    route_class=Route,
    dependencies=[Speaking],
)

DeliveryState = Literal["pending", "delivered", "failed", "cancelled"]


class WebhookDeliveryOut(Output):
    """One fact on its way to the endpoint."""

    id: UUID
    endpoint_id: UUID
    event_id: UUID
    message_id: str
    event_type: str
    occurred_at: datetime
    state: DeliveryState
    state_reason: str | None
    attempts: int
    next_attempt_at: datetime | None
    created_at: datetime
    finished_at: datetime | None
    trigger: Trigger = Field(description="What began the present round of attempts.")
    is_test: bool
    recovery_id: UUID | None
    allowed_actions: list[str]


class WebhookDeliveryDetailOut(WebhookDeliveryOut):
    """One fact on its way to the endpoint, with what is said there.

    The text is signed as it stands here. It is withheld from a member that may not be told it any
    more (`left_project`, `member_suspended`, ...), and from a token that does not cover reading it
    (`missing_scope`).
    """

    body: str | None
    body_withheld: str | None


class WebhookAttemptOut(Output):
    """One request that was made, and what came back: a status, or a class of error.

    The excerpt may repeat what was sent, so a token sees it that covers reading that.
    """

    id: UUID
    started_at: datetime
    duration_ms: int
    status: int | None
    error: str | None
    excerpt: str | None
    trigger: Trigger


@router.get("", responses=refusals(WebhookEndpointNotFound, MissingScope, CursorUnknown))
async def get_webhook_deliveries(
    endpoint_id: UUID,
    request: Request,
    response: Response,
    session: Transaction,
    actor: CurrentSpeaker,
    paging: CurrentPaging,
    state: DeliveryState | None = None,
    event_type: Annotated[
        EventTypePattern | None, Query(description="A type, `renkei.milestone.*`, or `*`.")
    ] = None,
    project_id: UUID | None = None,
    is_test: Annotated[bool | None, Query(description="Only tests, or only facts.")] = None,
    recovery_id: UUID | None = None,
    occurred_since: Instant | None = None,
    occurred_until: Instant | None = None,
    created_since: Instant | None = None,
    created_until: Instant | None = None,
    sort: Literal["created", "-created"] = "created",
) -> Page[WebhookDeliveryOut]:
    """List what was, or will be, sent to an endpoint of your member."""
    endpoint = await visible_endpoint(session, endpoint_id, actor=actor)
    actor.ensure_may("notifications:read")
    wanted = DeliveryFilter(
        state=state,
        event_type=event_type,
        project_id=project_id,
        is_test=is_test,
        recovery_id=recovery_id,
        occurred_since=occurred_since,
        occurred_until=occurred_until,
        created_since=created_since,
        created_until=created_until,
    )
    found, cursor = await deliveries_of(session, endpoint, wanted, paging=paging, sort=sort)
    may_write = "notifications:write" in actor.scopes and await is_active(session, actor.member)
    items = [shown_delivery(delivery, endpoint, may_write=may_write) for delivery in found]
    return page(request, response, items, cursor)


@router.get(
    "/{delivery_id}",
    responses=refusals(WebhookEndpointNotFound, WebhookDeliveryNotFound, MissingScope),
)
async def get_webhook_delivery(
    endpoint_id: UUID,
    delivery_id: UUID,
    session: Transaction,
    actor: CurrentSpeaker,
    settings: CurrentSettings,
) -> WebhookDeliveryDetailOut:
    """Read one delivery, with its body as it was, or will be, sent."""
    endpoint = await visible_endpoint(session, endpoint_id, actor=actor)
    delivery = await delivery_of(session, endpoint, delivery_id)
    actor.ensure_may("notifications:read")
    may_write = "notifications:write" in actor.scopes and await is_active(session, actor.member)
    shown = shown_delivery(delivery, endpoint, may_write=may_write)
    body, withheld = await shown_body(
        session, endpoint, delivery, actor=actor, issuer=settings.issuer
    )
    return WebhookDeliveryDetailOut(**dict(shown), body=body, body_withheld=withheld)


@router.get(
    "/{delivery_id}/attempts",
    responses=refusals(
        WebhookEndpointNotFound, WebhookDeliveryNotFound, MissingScope, CursorUnknown
    ),
)
async def get_webhook_attempts(
    endpoint_id: UUID,
    delivery_id: UUID,
    request: Request,
    response: Response,
    session: Transaction,
    actor: CurrentSpeaker,
    paging: CurrentPaging,
) -> Page[WebhookAttemptOut]:
    """List the attempts of a delivery, oldest first."""
    endpoint = await visible_endpoint(session, endpoint_id, actor=actor)
    delivery = await delivery_of(session, endpoint, delivery_id)
    actor.ensure_may("notifications:read")
    found, cursor = await attempts_of(session, delivery, paging=paging)
    items = [WebhookAttemptOut.model_validate(attempt) for attempt in found]
    if not may_read(delivery, actor):
        items = [item.model_copy(update={"excerpt": None}) for item in items]
    return page(request, response, items, cursor)


@router.post(
    "/{delivery_id}/resend",
    dependencies=[Idempotent],
    responses=refusals(
        WebhookEndpointNotFound,
        WebhookDeliveryNotFound,
        MissingScope,
        MemberNotActive,
        WebhookEndpointNotActive,
        FactWithheld,
        KeyInUse,
        KeyReused,
    ),
)
async def post_webhook_delivery_resend(
    endpoint_id: UUID,
    delivery_id: UUID,
    session: Transaction,
    actor: CurrentSpeaker,
    now: Now,
) -> WebhookDeliveryOut:
    """Send a fact to the endpoint once more, with the same message id, as soon as possible."""
    delivery = await resend_delivery(session, endpoint_id, delivery_id, actor=actor, now=now)
    endpoint = await visible_endpoint(session, endpoint_id, actor=actor)
    return shown_delivery(delivery, endpoint, may_write=True)


def shown_delivery(
    delivery: WebhookDelivery, endpoint: WebhookEndpoint, *, may_write: bool
) -> WebhookDeliveryOut:
    columns = {
        name: getattr(delivery, name)
        for name in WebhookDeliveryOut.model_fields
        if hasattr(delivery, name)
    }
    actions = ["resend"] if may_write and endpoint.status == "active" else []
    return WebhookDeliveryOut.model_validate({**columns, "allowed_actions": actions})


def may_read(delivery: WebhookDelivery, actor: Actor) -> bool:
    """Tell whether a token covers reading what a delivery says."""
    return actor.scopes.issuperset(scopes_to_read((delivery.event_type,)))


async def shown_body(
    session: AsyncSession,
    endpoint: WebhookEndpoint,
    delivery: WebhookDelivery,
    *,
    actor: Actor,
    issuer: str,
) -> tuple[str | None, str | None]:
    """What a delivery says, or why that is not shown."""
    if not may_read(delivery, actor):
        return None, "missing_scope"
    body, withheld = await said_in(session, endpoint, delivery)
    if body is None:
        return None, withheld
    if endpoint.payload == "thin":
        body = thin_form(body, dataref=f"{issuer}/api/v1/events/{delivery.event_id}")
    return body.decode(), None
