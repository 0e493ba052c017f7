"""Use case: a member does not want the rest of a recovery."""

from datetime import datetime
from typing import Final
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from services.notifications.model.webhook_recovery import (
    CANCELLED,
    WebhookRecovery,
    WebhookRecoveryOver,
)
from services.notifications.queries.members import ensure_active
from services.notifications.queries.webhook_endpoints import visible_endpoint
from services.notifications.queries.webhook_recoveries import recovery_of
from services.notifications.use_cases.wake_lane import hold_lane
from shared.actor import Actor

CANCEL: Final = """
UPDATE webhook_delivery SET
    state = 'cancelled', state_reason = :reason, finished_at = CAST(:now AS timestamptz)
WHERE recovery_id = :recovery AND state = 'pending'
"""


async def cancel_recovery(
    session: AsyncSession, endpoint_id: UUID, recovery_id: UUID, *, actor: Actor, now: datetime
) -> WebhookRecovery:
    """Stop a recovery, and cancel what it queued and was not delivered yet.

    Another recovery can make up for that.

    Raises:
        WebhookEndpointNotFound: there is none, or it is another member's.
        WebhookRecoveryNotFound: the endpoint has no such recovery.
        MissingScope: the actor may not do this.
        MemberNotActive: the actor's member does not take part at present.
        WebhookRecoveryOver: it was cancelled before, or all of it has been sent.
    """
    endpoint = await visible_endpoint(session, endpoint_id, actor=actor)
    recovery = await recovery_of(session, endpoint, recovery_id, for_change=True)
    actor.ensure_may("notifications:write")
    await ensure_active(session, actor.member)
    await hold_lane(session, endpoint.id)
    result = await session.execute(
        text(CANCEL), {"recovery": recovery.id, "reason": CANCELLED, "now": now}
    )
    cancelled: int = result.rowcount  # type: ignore[attr-defined]
    if recovery.state == "cancelled" or (recovery.state == "completed" and not cancelled):
        raise WebhookRecoveryOver(f"It is {recovery.state}.")
    recovery.cancel("owner", at=now)
    return recovery
