"""Use case: a member no longer wants to hear of facts at an address."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import delete
from sqlalchemy.ext.asyncio import AsyncSession

from services.notifications.model.webhook_verification import WebhookConsent, WebhookVerification
from services.notifications.queries.members import ensure_active
from services.notifications.queries.webhook_endpoints import visible_endpoint
from shared.actor import Actor
from shared.contracts.notifications import WebhookEndpointDeleted
from shared.http.preconditions import ensure_version
from shared.messaging.outbox import announce


async def delete_webhook_endpoint(
    session: AsyncSession, endpoint_id: UUID, *, expected: int | None, actor: Actor, now: datetime
) -> None:
    """Delete an endpoint for good; the sender cancels what still waits for it.

    Raises:
        WebhookEndpointNotFound: there is none, or it is another member's.
        MissingScope: the actor may not delete endpoints.
        MemberNotActive: the actor's member does not take part at present.
        VersionStale: it has changed since the actor read it.
    """
    endpoint = await visible_endpoint(session, endpoint_id, actor=actor, for_change=True)
    actor.ensure_may("notifications:write")
    await ensure_active(session, actor.member)
    before = endpoint.state()
    ensure_version(expected, before)
    endpoint.delete(at=now)
    for table in (WebhookConsent, WebhookVerification):
        await session.execute(delete(table).where(table.endpoint_id == endpoint.id))
    announce(
        session,
        WebhookEndpointDeleted.about(
            endpoint.state(), before=before, by=actor, at=now, audience=(endpoint.member,)
        ),
    )
