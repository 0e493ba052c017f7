"""Every SELECT of webhook endpoints."""

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Final
from uuid import UUID

from sqlalchemy import and_, func, or_, select, text
from sqlalchemy.ext.asyncio import AsyncSession

from services.notifications.model.known import KnownProject
from services.notifications.model.webhook_endpoint import (
    ENDPOINTS_MAX,
    WebhookEndpoint,
    WebhookEndpointNotFound,
    WebhookProjectUnknown,
    WebhookSecret,
)
from services.notifications.model.webhook_lane import WebhookLane
from services.notifications.model.webhook_verification import WebhookVerification
from services.notifications.queries.inbox_items import is_visible_to
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


async def ensure_projects_visible(
    session: AsyncSession, project_ids: Collection[UUID], *, actor: Actor
) -> None:
    """Refuse projects that the actor's member does not see, as if there were none.

    Raises:
        WebhookProjectUnknown: one of them is none, or not for this member.
    """
    if not project_ids:
        return
    seen = set(
        await session.scalars(
            select(KnownProject.id).where(
                KnownProject.id.in_(project_ids), is_visible_to(actor.member)
            )
        )
    )
    unseen = sorted(set(project_ids) - seen)
    if unseen:
        raise WebhookProjectUnknown(f"There is no project {unseen[0]}.")


async def verifications_of(
    session: AsyncSession, endpoint_ids: Collection[UUID]
) -> dict[UUID, WebhookVerification]:
    """Read how it stands with the consents of receivers, by their endpoints."""
    found = await session.scalars(
        select(WebhookVerification).where(WebhookVerification.endpoint_id.in_(endpoint_ids))
    )
    return {verification.endpoint_id: verification for verification in found}


async def verification_for_change(
    session: AsyncSession, endpoint_id: UUID
) -> WebhookVerification | None:
    """Load it, locked, after its endpoint was; those made long ago may have none."""
    return await session.get(WebhookVerification, endpoint_id, with_for_update=True)


async def living_keys(
    session: AsyncSession, endpoint_id: UUID, *, now: datetime
) -> Sequence[WebhookSecret]:
    """Read the keys that sign what an endpoint gets, newest first."""
    found = await session.scalars(
        select(WebhookSecret)
        .where(
            WebhookSecret.endpoint_id == endpoint_id,
            or_(WebhookSecret.expires_at.is_(None), WebhookSecret.expires_at > now),
        )
        .order_by(WebhookSecret.created_at.desc(), WebhookSecret.id.desc())
    )
    return found.all()


async def public_keys(
    session: AsyncSession, endpoint_id: UUID, *, now: datetime
) -> list[tuple[UUID, bytes]]:
    """Read the public keys of an endpoint for whoever asks, newest first, with their identifiers.

    One that was made before there were such keys has none, until its keys are rotated.

    Raises:
        WebhookEndpointNotFound: there is none, or it was deleted.
    """
    found = await session.execute(
        select(WebhookSecret.id, WebhookSecret.public_key)
        .select_from(WebhookEndpoint)
        .outerjoin(
            WebhookSecret,
            and_(
                WebhookSecret.endpoint_id == WebhookEndpoint.id,
                WebhookSecret.public_key.is_not(None),
                or_(WebhookSecret.expires_at.is_(None), WebhookSecret.expires_at > now),
            ),
        )
        .where(WebhookEndpoint.id == endpoint_id, WebhookEndpoint.status != "deleted")
        .order_by(WebhookSecret.created_at.desc(), WebhookSecret.id.desc())
    )
    rows = found.all()
    if not rows:
        raise WebhookEndpointNotFound(f"There is no webhook endpoint {endpoint_id}.")
    return [(key_id, public) for key_id, public in rows if public is not None]


async def endpoint_for_change(session: AsyncSession, endpoint_id: UUID) -> WebhookEndpoint:
    """Load an endpoint for the platform itself, locked until the transaction ends.

    As it is now, also if the transaction has seen it before.
    """
    return await session.get_one(
        WebhookEndpoint, endpoint_id, with_for_update=LOCK, populate_existing=True
    )


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


async def made_since(
    session: AsyncSession, member: str, moment: datetime
) -> tuple[int, datetime | None]:
    """Count the endpoints that a member has made since then, be they deleted or not.

    Returns:
        How many, and when it made the first of them.
    """
    found = await session.execute(
        select(func.count(), func.min(WebhookEndpoint.created_at)).where(
            WebhookEndpoint.member == member, WebhookEndpoint.created_at > moment
        )
    )
    count, first = found.one()
    return count, first
