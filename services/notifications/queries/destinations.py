"""Every SELECT of what senders must know of endpoints."""

from collections.abc import Collection
from uuid import UUID

import structlog
from pydantic_core import from_json
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from services.notifications.model.authentication import authentication_place, read
from services.notifications.model.destination import Destination, Key
from services.notifications.model.signing import signing_key
from services.notifications.model.webhook_endpoint import (
    WebhookEndpoint,
    WebhookSecret,
    headers_place,
    secret_place,
)
from shared.sealing import CannotOpen, Seals

log = structlog.get_logger(__name__)


async def destinations(
    session: AsyncSession, endpoint_ids: Collection[UUID], *, seals: Seals
) -> dict[UUID, Destination | None]:
    """Load what a sender must know of endpoints.

    Returns:
        By the endpoint; nothing where its secrets were sealed with keys that we do not have.
    """
    secrets: dict[UUID, list[WebhookSecret]] = {}
    for secret in await session.scalars(
        select(WebhookSecret)
        .where(WebhookSecret.endpoint_id.in_(endpoint_ids))
        .order_by(WebhookSecret.created_at.desc(), WebhookSecret.kind)
    ):
        secrets.setdefault(secret.endpoint_id, []).append(secret)
    endpoints = await session.scalars(
        select(WebhookEndpoint).where(WebhookEndpoint.id.in_(endpoint_ids))
    )
    return {
        endpoint.id: _opened(endpoint, secrets.get(endpoint.id, []), seals)
        for endpoint in endpoints
    }


def _opened(
    endpoint: WebhookEndpoint, secrets: list[WebhookSecret], seals: Seals
) -> Destination | None:
    try:
        keys = [
            Key(
                signing_key(secret.kind, seals.open(secret.sealed, place=secret_place(secret.id))),
                secret.expires_at,
            )
            for secret in secrets
        ]
        sealed = endpoint.sealed_headers
        headers = (
            {}
            if sealed is None
            else from_json(seals.open(sealed, place=headers_place(endpoint.id)))
        )
        sealed = endpoint.sealed_authentication
        shows = (
            None
            if sealed is None
            else read(seals.open(sealed, place=authentication_place(endpoint.id)))
        )
    except CannotOpen:
        log.exception("webhook.secret_unreadable", endpoint_id=str(endpoint.id))
        return None
    return Destination(
        url=endpoint.url,
        keys=keys,
        is_thin=endpoint.payload == "thin",
        headers=headers,
        shows=shows,
    )
