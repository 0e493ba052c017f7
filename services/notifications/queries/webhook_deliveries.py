"""Every SELECT of deliveries and attempts that answers somebody's question."""

from collections.abc import Sequence
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from services.notifications.model.webhook_delivery import (
    WebhookAttempt,
    WebhookDelivery,
    WebhookDeliveryNotFound,
)
from services.notifications.model.webhook_endpoint import WebhookEndpoint
from shared.http.paging import Paging


async def deliveries_of(
    session: AsyncSession,
    endpoint: WebhookEndpoint,
    *,
    state: str | None,
    paging: Paging,
    sort: str,
) -> tuple[Sequence[WebhookDelivery], str | None]:
    """Read a page of what was, or will be, sent to an endpoint."""
    query = select(WebhookDelivery).where(WebhookDelivery.endpoint_id == endpoint.id)
    if state is not None:
        query = query.where(WebhookDelivery.state == state)
    return await paging.fetch(
        session,
        query,
        WebhookDelivery.created_at,
        WebhookDelivery.id,
        descending=sort.startswith("-"),
    )


async def delivery_of(
    session: AsyncSession,
    endpoint: WebhookEndpoint,
    delivery_id: UUID,
    *,
    for_change: bool = False,
) -> WebhookDelivery:
    """Load a delivery to an endpoint.

    Raises:
        WebhookDeliveryNotFound: there is none, or it goes to another endpoint.
    """
    delivery = await session.get(WebhookDelivery, delivery_id, with_for_update=for_change or None)
    if delivery is None or delivery.endpoint_id != endpoint.id:
        raise WebhookDeliveryNotFound(f"The endpoint has no delivery {delivery_id}.")
    return delivery


async def attempts_of(
    session: AsyncSession, delivery: WebhookDelivery, *, paging: Paging
) -> tuple[Sequence[WebhookAttempt], str | None]:
    """Read a page of the attempts of a delivery, oldest first."""
    query = select(WebhookAttempt).where(WebhookAttempt.delivery_id == delivery.id)
    return await paging.fetch(session, query, WebhookAttempt.started_at, WebhookAttempt.id)
