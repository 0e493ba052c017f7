"""Use case: a member wants to be sent a fact again."""

from datetime import datetime
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from services.notifications.model.webhook_delivery import WebhookDelivery
from services.notifications.queries.members import ensure_active
from services.notifications.queries.webhook_deliveries import delivery_of
from services.notifications.queries.webhook_endpoints import visible_endpoint
from services.notifications.use_cases.wake_lane import hurry_lane
from shared.actor import Actor


async def resend_delivery(
    session: AsyncSession, endpoint_id: UUID, delivery_id: UUID, *, actor: Actor, now: datetime
) -> WebhookDelivery:
    """Make a delivery due now, with the same message id, whatever became of it before.

    Raises:
        WebhookEndpointNotFound: there is none, or it is another member's.
        WebhookDeliveryNotFound: the endpoint has no such delivery.
        MissingScope: the actor may not do this.
        MemberNotActive: the actor's member does not take part at present.
        WebhookEndpointNotActive: nothing is sent to the endpoint.
    """
    endpoint = await visible_endpoint(session, endpoint_id, actor=actor)
    delivery = await delivery_of(session, endpoint, delivery_id, for_change=True)
    actor.ensure_may("notifications:write")
    await ensure_active(session, actor.member)
    endpoint.ensure_active()
    delivery.send_again(at=now)
    await session.flush()
    await hurry_lane(session, endpoint.id, now=now)
    return delivery
