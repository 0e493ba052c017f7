"""Making up for what webhook endpoints did not get, over HTTP."""

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Literal
from uuid import UUID

from fastapi import APIRouter, Query, Request, Response
from pydantic import Field

from services.notifications.http.speaking import CurrentSpeaker, Speaking
from services.notifications.model.event_types import EventTypePattern, EventTypeUnknown
from services.notifications.model.known import MemberNotActive
from services.notifications.model.webhook_endpoint import (
    WebhookEndpointNotActive,
    WebhookEndpointNotFound,
)
from services.notifications.model.webhook_recovery import (
    RecoveryKind,
    RecoveryPeriodInvalid,
    RecoveryState,
    WebhookRecovery,
    WebhookRecoveryNotFound,
    WebhookRecoveryOver,
    WebhookRecoveryRunning,
)
from services.notifications.queries.members import is_active
from services.notifications.queries.webhook_endpoints import visible_endpoint
from services.notifications.queries.webhook_recoveries import (
    FoundOfType,
    progress_of,
    recoveries_of,
    recovery_of,
)
from services.notifications.use_cases.cancel_recovery import cancel_recovery
from services.notifications.use_cases.start_recovery import start_recovery
from shared.actor import MissingScope
from shared.fields import Input, Instant, Output
from shared.http.idempotency import Idempotent, KeyInUse, KeyReused
from shared.http.paging import CurrentPaging, CursorUnknown, Page, page
from shared.http.problems import refusals
from shared.http.transaction import Now, Route, Transaction

router = APIRouter(
    prefix="/api/v1/webhook-endpoints/{endpoint_id}/recoveries",
    tags=["webhook endpoints"],
    route_class=Route,
    dependencies=[Speaking],
)


class WebhookRecoveryIn(Input):
    """What to make up for: what happened from `since` on, and before `until` if that is said."""

    kind: RecoveryKind = Field(
        description="`failed` was given up or cancelled, `missed` was never queued; `all` is both."
    )
    since: Instant
    until: Instant | None = None
    event_types: Annotated[tuple[EventTypePattern, ...], Field(max_length=100)] = Field(
        default=(), description="Only these; all that the endpoint wants, if empty."
    )


class RecoveryOfTypeOut(Output):
    """How much of one type there is to make up for, and when it happened."""

    event_type: str
    count: int
    first_at: datetime
    last_at: datetime


class WebhookRecoveryPreviewOut(Output):
    """What a recovery would send now."""

    expected: int
    first_at: datetime | None
    last_at: datetime | None
    by_type: list[RecoveryOfTypeOut]


class WebhookRecoveryOut(Output):
    """A recovery, and how far it is.

    `expected` is what there was to send when it began, `queued` what was queued by now; of that the
    last four say what became of it.
    """

    id: UUID
    endpoint_id: UUID
    kind: RecoveryKind
    since: datetime
    until: datetime
    event_types: list[str]
    requested_by: str | None
    state: RecoveryState
    state_reason: str | None
    expected: int
    queued: int
    pending: int
    delivered: int
    failed: int
    cancelled: int
    created_at: datetime
    updated_at: datetime
    finished_at: datetime | None
    allowed_actions: list[str]


@router.post(
    "",
    status_code=201,
    dependencies=[Idempotent],
    responses={
        200: {"model": WebhookRecoveryPreviewOut, "description": "What would be sent."},
        **refusals(
            WebhookEndpointNotFound,
            MissingScope,
            MemberNotActive,
            EventTypeUnknown,
            RecoveryPeriodInvalid,
            WebhookEndpointNotActive,
            WebhookRecoveryRunning,
            KeyInUse,
            KeyReused,
        ),
    },
)
async def post_webhook_recovery(
    endpoint_id: UUID,
    body: WebhookRecoveryIn,
    response: Response,
    session: Transaction,
    actor: CurrentSpeaker,
    now: Now,
    dry_run: Annotated[bool, Query(description="Only say what would be sent.")] = False,
) -> WebhookRecoveryOut | WebhookRecoveryPreviewOut:
    """Send the endpoint what it did not get, behind what is new; or say what that would be."""
    recovery, found = await start_recovery(
        session,
        endpoint_id,
        kind=body.kind,
        since=body.since,
        until=body.until,
        event_types=body.event_types,
        is_dry_run=dry_run,
        actor=actor,
        now=now,
    )
    if dry_run:
        response.status_code = 200
        return shown_preview(found)
    response.headers["Location"] = (
        f"/api/v1/webhook-endpoints/{endpoint_id}/recoveries/{recovery.id}"
    )
    return shown_recovery(recovery, {}, may_write=True)


@router.get("", responses=refusals(WebhookEndpointNotFound, MissingScope, CursorUnknown))
async def get_webhook_recoveries(
    endpoint_id: UUID,
    request: Request,
    response: Response,
    session: Transaction,
    actor: CurrentSpeaker,
    paging: CurrentPaging,
    sort: Literal["created", "-created"] = "created",
) -> Page[WebhookRecoveryOut]:
    """List the recoveries of an endpoint of your member."""
    endpoint = await visible_endpoint(session, endpoint_id, actor=actor)
    actor.ensure_may("notifications:read")
    found, cursor = await recoveries_of(session, endpoint, paging=paging, sort=sort)
    progress = await progress_of(session, [recovery.id for recovery in found])
    may_write = "notifications:write" in actor.scopes and await is_active(session, actor.member)
    items = [
        shown_recovery(recovery, progress[recovery.id], may_write=may_write) for recovery in found
    ]
    return page(request, response, items, cursor)


@router.get(
    "/{recovery_id}",
    responses=refusals(WebhookEndpointNotFound, WebhookRecoveryNotFound, MissingScope),
)
async def get_webhook_recovery(
    endpoint_id: UUID, recovery_id: UUID, session: Transaction, actor: CurrentSpeaker
) -> WebhookRecoveryOut:
    """Read one recovery, and how far it is."""
    endpoint = await visible_endpoint(session, endpoint_id, actor=actor)
    recovery = await recovery_of(session, endpoint, recovery_id)
    actor.ensure_may("notifications:read")
    progress = await progress_of(session, [recovery.id])
    may_write = "notifications:write" in actor.scopes and await is_active(session, actor.member)
    return shown_recovery(recovery, progress[recovery.id], may_write=may_write)


@router.post(
    "/{recovery_id}/cancellation",
    dependencies=[Idempotent],
    responses=refusals(
        WebhookEndpointNotFound,
        WebhookRecoveryNotFound,
        MissingScope,
        MemberNotActive,
        WebhookRecoveryOver,
        KeyInUse,
        KeyReused,
    ),
)
async def post_webhook_recovery_cancellation(
    endpoint_id: UUID,
    recovery_id: UUID,
    session: Transaction,
    actor: CurrentSpeaker,
    now: Now,
) -> WebhookRecoveryOut:
    """Stop a recovery; what it queued and was not delivered yet is not sent."""
    recovery = await cancel_recovery(session, endpoint_id, recovery_id, actor=actor, now=now)
    progress = await progress_of(session, [recovery.id])
    return shown_recovery(recovery, progress[recovery.id], may_write=True)


def shown_recovery(
    recovery: WebhookRecovery, progress: dict[str, int], *, may_write: bool
) -> WebhookRecoveryOut:
    counts = {
        state: progress.get(state, 0) for state in ("pending", "delivered", "failed", "cancelled")
    }
    columns = {
        name: getattr(recovery, name)
        for name in WebhookRecoveryOut.model_fields
        if hasattr(recovery, name)
    }
    is_going_on = recovery.state == "running" or (
        recovery.state == "completed" and counts["pending"] > 0
    )
    actions = ["cancel"] if may_write and is_going_on else []
    return WebhookRecoveryOut.model_validate({**columns, **counts, "allowed_actions": actions})


def shown_preview(found: Sequence[FoundOfType]) -> WebhookRecoveryPreviewOut:
    return WebhookRecoveryPreviewOut(
        expected=sum(each.count for each in found),
        first_at=min((each.first_at for each in found), default=None),
        last_at=max((each.last_at for each in found), default=None),
        by_type=[RecoveryOfTypeOut.model_validate(each) for each in found],
    )
