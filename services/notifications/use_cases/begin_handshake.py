"""Use case: the receiver of an endpoint is to be asked, from the start, whether it agrees."""

from datetime import datetime

from sqlalchemy import delete
from sqlalchemy.ext.asyncio import AsyncSession

from services.notifications.model.webhook_endpoint import WebhookEndpoint
from services.notifications.model.webhook_verification import WebhookConsent, WebhookVerification
from services.notifications.queries.webhook_endpoints import verification_for_change


async def begin_handshake(
    session: AsyncSession, endpoint: WebhookEndpoint, *, is_elsewhere: bool, now: datetime
) -> WebhookVerification:
    """Let a worker ask as soon as the receiver may expect it, or once the endpoint is active.

    Args:
        session: whose transaction it belongs to; the endpoint is locked.
        endpoint: which nobody has agreed to yet.
        is_elsewhere: whether its address is a new one, for which no consent counts that was asked
            for before.
        now: when it is done.
    """
    verification = await verification_for_change(session, endpoint.id)
    if verification is None:
        verification = WebhookVerification(
            endpoint_id=endpoint.id, waiting_since=now, asked_at=now, next_try_at=now
        )
        session.add(verification)
        return verification
    verification.begin_anew(at=now)
    if is_elsewhere:
        # Whoever is there was not asked yet.
        verification.error, verification.last_tried_at = None, None
        await session.execute(
            delete(WebhookConsent).where(WebhookConsent.endpoint_id == endpoint.id)
        )
    if endpoint.status != "active":
        # Nobody looks at what rests; activating it begins anew.
        verification.next_try_at = None
    await session.flush()
    return verification
