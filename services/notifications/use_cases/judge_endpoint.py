"""Use case: an endpoint that fails for long is disabled after warnings; its owner hears of each."""

from datetime import datetime
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from services.notifications.model.webhook_endpoint import Patience, WebhookEndpoint
from services.notifications.model.webhook_recovery import PROBED_FIRST, WebhookProbe
from services.notifications.queries.webhook_endpoints import endpoint_for_change, fence_of
from shared.actor import Actor
from shared.contracts.notifications import (
    WebhookEndpointDisabled,
    WebhookEndpointEvent,
    WebhookEndpointFailing,
    WebhookEndpointRecovered,
)
from shared.messaging.outbox import announce


async def judge_endpoint(
    session: AsyncSession,
    endpoint_id: UUID,
    failing_since: datetime | None,
    *,
    warnings: int,
    fence: int,
    is_gone: bool,
    patience: Patience,
    now: datetime,
) -> None:
    """Draw the consequences of how an endpoint has answered, and announce each once.

    Args:
        session: whose transaction it belongs to.
        endpoint_id: of an endpoint whose lane the caller holds, or held.
        failing_since: first failure after the last success, if it fails.
        warnings: how many its owner has heard, as far as the caller knows.
        fence: of the lane, when the caller took it: who lost it knows only what was.
        is_gone: whether the receiver said so.
        patience: with failing endpoints.
        now: when it is judged.
    """
    if not is_gone and patience.notice(failing_since, warnings=warnings, now=now) is None:
        return
    endpoint = await endpoint_for_change(session, endpoint_id)
    if await fence_of(session, endpoint_id) != fence:
        return
    before = endpoint.state()
    happened = (
        _disabled(endpoint, "gone", now)
        if is_gone
        else _judged(endpoint, failing_since, patience, now)
    )
    if happened is None:
        return
    if endpoint.is_tried:
        await session.merge(WebhookProbe(endpoint_id=endpoint.id, due_at=now + PROBED_FIRST))
    announce(
        session,
        happened.about(
            endpoint.state(), before=before, by=Actor.CLOCK, at=now, audience=(endpoint.member,)
        ),
    )


def _judged(
    endpoint: WebhookEndpoint, failing_since: datetime | None, patience: Patience, now: datetime
) -> type[WebhookEndpointEvent] | None:
    if endpoint.status != "active":
        return None
    # Asked again of the row that is locked now: another sender may have been faster.
    notice = patience.notice(failing_since, warnings=endpoint.warnings, now=now)
    if notice == "recover":
        endpoint.recover(at=now)
        return WebhookEndpointRecovered
    if failing_since is None or notice is None:
        return None
    if notice == "disable":
        return _disabled(endpoint, "failing", now, failing_since)
    endpoint.warn(failing_since, disables_at=failing_since + patience.disable_after, at=now)
    return WebhookEndpointFailing


def _disabled(
    endpoint: WebhookEndpoint, reason: str, now: datetime, failing_since: datetime | None = None
) -> type[WebhookEndpointEvent] | None:
    is_new = endpoint.disable(reason, at=now, failing_since=failing_since)
    return WebhookEndpointDisabled if is_new else None
