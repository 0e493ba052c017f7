"""Use case: a member wants the receiver of its endpoint to be asked for consent again."""

from datetime import datetime
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from services.notifications.model.webhook_endpoint import WebhookEndpoint
from services.notifications.model.webhook_verification import WebhookEndpointVerifiedAlready
from services.notifications.queries.members import ensure_active
from services.notifications.queries.webhook_endpoints import visible_endpoint
from services.notifications.use_cases.begin_handshake import begin_handshake
from shared.actor import Actor


async def verify_webhook_endpoint(
    session: AsyncSession, endpoint_id: UUID, *, actor: Actor, now: datetime
) -> WebhookEndpoint:
    """Begin the handshake anew, at once; no fact comes of it before the receiver agrees.

    Raises:
        WebhookEndpointNotFound: there is none, or it is another member's.
        MissingScope: the actor may not do this.
        MemberNotActive: the actor's member does not take part at present.
        WebhookEndpointNotActive: the endpoint is paused or disabled.
        WebhookEndpointVerifiedAlready: the receiver has agreed.
    """
    endpoint = await visible_endpoint(session, endpoint_id, actor=actor, for_change=True)
    actor.ensure_may("notifications:write")
    await ensure_active(session, actor.member)
    endpoint.ensure_active()
    if endpoint.verified_at is not None:
        raise WebhookEndpointVerifiedAlready(f"It did at {endpoint.verified_at.isoformat()}.")
    await begin_handshake(session, endpoint, is_elsewhere=False, now=now)
    return endpoint
