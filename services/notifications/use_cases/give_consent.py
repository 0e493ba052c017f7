"""Use case: the receiver of an endpoint agrees at the address that it was given for that."""

from datetime import datetime
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from services.notifications.model.webhook_endpoint import WebhookEndpoint
from services.notifications.model.webhook_verification import (
    Agreement,
    WebhookConsent,
    WebhookConsentNotFound,
    agreed_rate,
)
from services.notifications.queries.webhook_endpoints import (
    endpoint_for_change,
    verification_for_change,
)
from services.notifications.use_cases.record_handshake import agree, hold_feed
from shared.one_time import hash_of


async def give_consent(
    session: AsyncSession, endpoint_id: UUID, token: str, *, rate: str | None, now: datetime
) -> None:
    """Agree, by a token that nobody else can have. Agreeing twice is agreeing once.

    Args:
        session: whose transaction it belongs to.
        endpoint_id: whose receiver it is.
        token: from the address.
        rate: what the receiver says of requests a minute; what cannot be read says nothing.
        now: when it does.

    Raises:
        WebhookConsentNotFound: the token is not one of this endpoint, no longer good, or asked for
            another address.
    """
    consent = await session.get(WebhookConsent, hash_of(token))
    if consent is None or consent.endpoint_id != endpoint_id or consent.expires_at <= now:
        raise WebhookConsentNotFound("The address is not right, or not good any longer.")
    member = (await session.get_one(WebhookEndpoint, endpoint_id)).member
    await hold_feed(session, member, now=now)
    endpoint = await endpoint_for_change(session, endpoint_id)
    verification = await verification_for_change(session, endpoint_id)
    # Asked again now that nobody can give the endpoint another address.
    consent = await session.get(WebhookConsent, hash_of(token), populate_existing=True)
    if consent is None or verification is None or endpoint.status == "deleted":
        raise WebhookConsentNotFound("The address is not right, or not good any longer.")
    if endpoint.verified_at is not None:
        return
    agreement = agreed_rate(rate)
    await agree(
        session,
        endpoint,
        verification,
        agreement if isinstance(agreement, Agreement) else Agreement(),
        now=now,
    )
