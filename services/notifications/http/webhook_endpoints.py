"""Webhook endpoints over HTTP."""

from typing import Annotated, Literal
from uuid import UUID

from fastapi import APIRouter, Request, Response
from pydantic import AfterValidator, Field, StringConstraints
from sqlalchemy.ext.asyncio import AsyncSession

from services.notifications.http.settings import CurrentSeals, CurrentSettings
from services.notifications.http.speaking import CurrentSpeaker, Speaking
from services.notifications.model.event_types import EventTypePattern, EventTypeUnknown
from services.notifications.model.known import MemberNotActive
from services.notifications.model.webhook_address import WebhookAddressNotAllowed
from services.notifications.model.webhook_endpoint import (
    TooManyWebhookEndpoints,
    WebhookEndpoint,
    WebhookEndpointNotFound,
)
from services.notifications.queries.members import is_active
from services.notifications.queries.webhook_endpoints import visible_endpoint, webhook_endpoints
from services.notifications.use_cases.change_webhook_endpoint import change_webhook_endpoint
from services.notifications.use_cases.create_webhook_endpoint import create_webhook_endpoint
from services.notifications.use_cases.delete_webhook_endpoint import delete_webhook_endpoint
from shared.actor import Actor, InsufficientUserAuthentication, MissingScope
from shared.addresses import LENGTH_MAX
from shared.contracts.notifications import WebhookEndpointState
from shared.fields import OMITTED, Input, Instant, Line
from shared.http.idempotency import IdempotentSecret, KeyInUse, KeyReused
from shared.http.paging import CurrentPaging, CursorUnknown, Page, page
from shared.http.preconditions import (
    ExpectedVersion,
    VersionRequired,
    VersionStale,
    show_version,
)
from shared.http.problems import refusals
from shared.http.recent_login import RecentLogin
from shared.http.transaction import Now, Route, Transaction

router = APIRouter(
    prefix="/api/v1/webhook-endpoints",
    tags=["webhook endpoints"],
    route_class=Route,
    dependencies=[Speaking],
)

Sort = Literal["created", "-created", "updated", "-updated"]
Address = Annotated[
    str, StringConstraints(min_length=1, max_length=LENGTH_MAX, pattern=r"^[!-~¡-\U0010ffff]+$")
]


def _once_each(values: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(values))


EventTypes = Annotated[
    tuple[EventTypePattern, ...], Field(min_length=1, max_length=100), AfterValidator(_once_each)
]


class WebhookEndpointIn(Input):
    """Where to send, and what."""

    url: Address
    description: Line | None = None
    event_types: EventTypes = Field(
        description="Types such as `renkei.milestone.completed.v1`, `renkei.milestone.*`, or `*`."
    )


class WebhookEndpointChangeIn(Input):
    """What should be different; what is left out stays."""

    url: Address = OMITTED
    description: Line | None = OMITTED
    event_types: EventTypes = OMITTED
    status: Literal["active", "paused"] = OMITTED


class WebhookEndpointOut(WebhookEndpointState):
    """A webhook endpoint as its owner sees it."""

    allowed_actions: list[str]


class NewWebhookEndpointOut(WebhookEndpointOut):
    """A new endpoint with its secret, which is shown only in this answer."""

    secret: str = Field(description="Key of the signatures; Standard Webhooks, `whsec_…`.")


@router.post(
    "",
    status_code=201,
    dependencies=[IdempotentSecret],
    responses=refusals(
        MissingScope,
        MemberNotActive,
        WebhookAddressNotAllowed,
        EventTypeUnknown,
        TooManyWebhookEndpoints,
        InsufficientUserAuthentication,
        KeyInUse,
        KeyReused,
    ),
)
async def post_webhook_endpoint(
    body: WebhookEndpointIn,
    response: Response,
    session: Transaction,
    actor: CurrentSpeaker,
    login: RecentLogin,
    now: Now,
    settings: CurrentSettings,
    seals: CurrentSeals,
) -> NewWebhookEndpointOut:
    """Let a system of your member hear of facts that the caller may read itself.

    The answer shows the secret, once.
    """
    endpoint, secret = await create_webhook_endpoint(
        session,
        url=body.url,
        description=body.description,
        event_types=body.event_types,
        allow_private=settings.webhook_allow_private,
        seals=seals,
        actor=actor,
        login=login,
        now=now,
    )
    response.headers["Location"] = f"{router.prefix}/{endpoint.id}"
    show_version(response, endpoint.version)
    shown = await shown_endpoint(session, endpoint, actor=actor)
    return NewWebhookEndpointOut(**dict(shown), secret=secret)


@router.get("", responses=refusals(MissingScope, CursorUnknown))
async def get_webhook_endpoints(
    request: Request,
    response: Response,
    session: Transaction,
    actor: CurrentSpeaker,
    paging: CurrentPaging,
    status: Literal["active", "paused", "disabled"] | None = None,
    updated_since: Instant | None = None,
    sort: Sort = "created",
) -> Page[WebhookEndpointOut]:
    """List the endpoints of your member."""
    actor.ensure_may("notifications:read")
    found, cursor = await webhook_endpoints(
        session,
        actor=actor,
        status=status,
        updated_since=updated_since,
        paging=paging,
        sort=sort,
    )
    items = [await shown_endpoint(session, endpoint, actor=actor) for endpoint in found]
    return page(request, response, items, cursor)


@router.get("/{endpoint_id}", responses=refusals(WebhookEndpointNotFound, MissingScope))
async def get_webhook_endpoint(
    endpoint_id: UUID, response: Response, session: Transaction, actor: CurrentSpeaker
) -> WebhookEndpointOut:
    """Read one endpoint."""
    endpoint = await visible_endpoint(session, endpoint_id, actor=actor)
    actor.ensure_may("notifications:read")
    show_version(response, endpoint.version)
    return await shown_endpoint(session, endpoint, actor=actor)


@router.patch(
    "/{endpoint_id}",
    responses=refusals(
        WebhookEndpointNotFound,
        MissingScope,
        MemberNotActive,
        WebhookAddressNotAllowed,
        EventTypeUnknown,
        VersionRequired,
        VersionStale,
        InsufficientUserAuthentication,
    ),
)
async def patch_webhook_endpoint(
    endpoint_id: UUID,
    body: WebhookEndpointChangeIn,
    actor: CurrentSpeaker,  # first: a stranger is told nothing else
    expected: ExpectedVersion,
    response: Response,
    session: Transaction,
    login: RecentLogin,
    now: Now,
    settings: CurrentSettings,
) -> WebhookEndpointOut:
    """Change an endpoint, pause it, or activate it again."""
    endpoint = await change_webhook_endpoint(
        session,
        endpoint_id,
        body.model_dump(exclude_unset=True),
        allow_private=settings.webhook_allow_private,
        expected=expected,
        actor=actor,
        login=login,
        now=now,
    )
    show_version(response, endpoint.version)
    return await shown_endpoint(session, endpoint, actor=actor)


@router.delete(
    "/{endpoint_id}",
    status_code=204,
    responses=refusals(
        WebhookEndpointNotFound, MissingScope, MemberNotActive, VersionRequired, VersionStale
    ),
)
async def delete_webhook_endpoint_by_id(
    endpoint_id: UUID,
    actor: CurrentSpeaker,  # first: a stranger is told nothing else
    expected: ExpectedVersion,
    session: Transaction,
    now: Now,
) -> None:
    """Delete an endpoint. What still waits for it is not sent."""
    await delete_webhook_endpoint(session, endpoint_id, expected=expected, actor=actor, now=now)


async def shown_endpoint(
    session: AsyncSession, endpoint: WebhookEndpoint, *, actor: Actor
) -> WebhookEndpointOut:
    may_change = "notifications:write" in actor.scopes and await is_active(session, actor.member)
    turn = "pause" if endpoint.status == "active" else "activate"
    return WebhookEndpointOut(
        **dict(endpoint.state()), allowed_actions=["change", turn, "delete"] if may_change else []
    )
