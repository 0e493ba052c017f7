"""Use case: a member wants to be sent a fact again."""

from datetime import datetime
from typing import Final
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from services.notifications.model.event_types import scopes_to_read
from services.notifications.model.webhook_delivery import WebhookDelivery
from services.notifications.queries.members import ensure_active
from services.notifications.queries.webhook_deliveries import delivery_of, ensure_may_be_sent
from services.notifications.queries.webhook_endpoints import visible_endpoint
from services.notifications.use_cases.keep_order import keep_order
from services.notifications.use_cases.wake_lane import hold_lane, hurry_lane
from shared.actor import Actor

HURRY_PREDECESSORS: Final = """
UPDATE webhook_delivery SET due_at = CAST(:now AS timestamptz)
WHERE endpoint_id = :endpoint AND entity = :entity AND state = 'pending'
  AND occurred_at <= :occurred_at AND due_at > CAST(:now AS timestamptz)
"""


async def resend_delivery(
    session: AsyncSession, endpoint_id: UUID, delivery_id: UUID, *, actor: Actor, now: datetime
) -> WebhookDelivery:
    """Make a delivery due now, with the same message id, whatever became of it before.

    Where order is asked for, what still waits about the same entity and comes before it is due now,
    too; what comes after it still does.

    Raises:
        WebhookEndpointNotFound: there is none, or it is another member's.
        WebhookDeliveryNotFound: the endpoint has no such delivery.
        MissingScope: the actor may not do this, or not read what would be sent.
        MemberNotActive: the actor's member does not take part at present.
        WebhookEndpointNotActive: nothing is sent to the endpoint.
        FactWithheld: the member may not be told this any more.
    """
    endpoint = await visible_endpoint(session, endpoint_id, actor=actor)
    # Lanes before deliveries, as everybody locks them in this order.
    await hold_lane(session, endpoint.id)
    delivery = await delivery_of(session, endpoint, delivery_id, for_change=True)
    for scope in ("notifications:write", *scopes_to_read((delivery.event_type,))):
        actor.ensure_may(scope)
    await ensure_active(session, actor.member)
    endpoint.ensure_sent_to()
    await ensure_may_be_sent(session, endpoint, delivery)
    delivery.send_again(at=now)
    await session.flush()
    if delivery.entity is not None:
        await session.execute(
            text(HURRY_PREDECESSORS),
            {
                "endpoint": endpoint.id,
                "entity": delivery.entity,
                "occurred_at": delivery.occurred_at,
                "now": now,
            },
        )
        await keep_order(session, [delivery.event_id], endpoint_id=endpoint.id)
        await session.refresh(delivery)
    await hurry_lane(session, endpoint, now=now)
    return delivery
