"""Every SELECT of webhook endpoints."""

from collections.abc import Sequence
from datetime import datetime
from typing import Final
from uuid import UUID

from sqlalchemy import func, select, text
from sqlalchemy.ext.asyncio import AsyncSession

from services.notifications.model.webhook_endpoint import (
    ENDPOINTS_MAX,
    WebhookEndpoint,
    WebhookEndpointNotFound,
)
from services.notifications.model.webhook_lane import WebhookLane
from shared.actor import Actor
from shared.http.paging import Paging

LOCK: Final = {"key_share": True}
"""Against changes, but not against whoever queues something for the endpoint and holds its lane:
whoever has locked the endpoint wants the lane next."""


async def webhook_endpoints(
    session: AsyncSession,
    *,
    actor: Actor,
    status: str | None,
    updated_since: datetime | None,
    paging: Paging,
    sort: str,
) -> tuple[Sequence[WebhookEndpoint], str | None]:
    """Read a page of the endpoints of the actor's member, without deleted ones."""
    query = select(WebhookEndpoint).where(
        WebhookEndpoint.member == actor.member, WebhookEndpoint.status != "deleted"
    )
    if status is not None:
        query = query.where(WebhookEndpoint.status == status)
    if updated_since is not None:
        query = query.where(WebhookEndpoint.updated_at >= updated_since)
    key = WebhookEndpoint.updated_at if sort.endswith("updated") else WebhookEndpoint.created_at
    return await paging.fetch(
        session, query, key, WebhookEndpoint.id, descending=sort.startswith("-")
    )


async def visible_endpoint(
    session: AsyncSession, endpoint_id: UUID, *, actor: Actor, for_change: bool = False
) -> WebhookEndpoint:
    """Load an endpoint of the actor's member.

    Raises:
        WebhookEndpointNotFound: there is none, it is another member's, or it was deleted.
    """
    endpoint = await session.get(
        WebhookEndpoint, endpoint_id, with_for_update=LOCK if for_change else None
    )
    if endpoint is None or endpoint.member != actor.member or endpoint.status == "deleted":
        raise WebhookEndpointNotFound(f"Your member has no webhook endpoint {endpoint_id}.")
    return endpoint


async def endpoint_for_change(session: AsyncSession, endpoint_id: UUID) -> WebhookEndpoint:
    """Load an endpoint for the platform itself, locked until the transaction ends."""
    return await session.get_one(WebhookEndpoint, endpoint_id, with_for_update=LOCK)


async def fence_of(session: AsyncSession, endpoint_id: UUID) -> int | None:
    """Tell how often the lane of an endpoint was taken."""
    found: int | None = await session.scalar(
        select(WebhookLane.fence).where(WebhookLane.endpoint_id == endpoint_id)
    )
    return found


async def endpoints_to_come(session: AsyncSession, member: str) -> int:
    """Tell how many more endpoints a member can have; nobody makes one meanwhile."""
    await session.execute(
        text("SELECT pg_advisory_xact_lock(hashtextextended(:name, 3))"),
        {"name": f"webhook endpoints of {member}"},
    )
    made = await session.scalar(
        select(func.count())
        .select_from(WebhookEndpoint)
        .where(WebhookEndpoint.member == member, WebhookEndpoint.status != "deleted")
    )
    return ENDPOINTS_MAX - (made or 0)
