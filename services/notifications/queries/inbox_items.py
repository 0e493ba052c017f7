"""Every SELECT of inbox items."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import ColumnElement, and_, exists, func, or_, select
from sqlalchemy.ext.asyncio import AsyncSession

from services.notifications.model.inbox_item import InboxItem, InboxItemNotFound
from services.notifications.model.known import KnownParticipation, KnownProject
from shared.actor import Actor
from shared.http.paging import Paging


@dataclass(frozen=True, slots=True)
class InboxFilter:
    """Which items of an inbox are wanted; nothing given means all."""

    official_id: UUID
    unread: bool | None = None
    reason: str | None = None
    project_id: UUID | None = None
    updated_since: datetime | None = None


async def inbox_items(
    session: AsyncSession, wanted: InboxFilter, *, paging: Paging, sort: str
) -> tuple[Sequence[InboxItem], str | None]:
    """Read a page of an inbox.

    Args:
        session: to read with.
        wanted: whose inbox, and which items.
        paging: which page.
        sort: `created` or `updated`, with `-` for the newest first.
    """
    query = select(InboxItem).where(InboxItem.official_id == wanted.official_id)
    if wanted.unread is not None:
        query = query.where(InboxItem.is_read.is_(not wanted.unread))
    if wanted.reason is not None:
        query = query.where(InboxItem.reason == wanted.reason)
    if wanted.project_id is not None:
        query = query.where(InboxItem.project_id == wanted.project_id)
    if wanted.updated_since is not None:
        query = query.where(InboxItem.updated_at >= wanted.updated_since)
    key = InboxItem.updated_at if sort.endswith("updated") else InboxItem.created_at
    return await paging.fetch(session, query, key, InboxItem.id, descending=sort.startswith("-"))


async def unread_count(session: AsyncSession, official_id: UUID) -> int:
    """Count what an official has not seen, whatever else is asked for."""
    counted = await session.scalar(
        select(func.count())
        .select_from(InboxItem)
        .where(InboxItem.official_id == official_id, InboxItem.is_read.is_(False))
    )
    return counted or 0


async def visible_item(
    session: AsyncSession, item_id: UUID, *, actor: Actor, for_change: bool = False
) -> InboxItem:
    """Load an item of the actor's own inbox, or, for a machine, of one of its member's officials.

    Raises:
        InboxItemNotFound: there is none, or it is somebody else's.
    """
    item = await session.get(InboxItem, item_id, with_for_update=for_change or None)
    if (
        item is None
        or item.member != actor.member
        or actor.official_id not in {None, item.official_id}
    ):
        raise InboxItemNotFound(f"No inbox item of yours has the id {item_id}.")
    return item


async def projects_of(
    session: AsyncSession, items: Sequence[InboxItem], *, actor: Actor
) -> dict[UUID, KnownProject]:
    """Find the projects that items belong to, as far as we have heard of them.

    Whose member has no place in a project any more is not shown how that is called by now.
    """
    ids = {item.project_id for item in items} - {None}
    found = await session.scalars(
        select(KnownProject).where(KnownProject.id.in_(ids), is_visible_to(actor.member))
    )
    return {project.id: project for project in found}


def is_visible_to(member: str) -> ColumnElement[bool]:
    """SQL for whether a member sees a project: it has a place in it, or everybody sees it.

    A draft is nobody's business but its lead's.
    """
    has_place = exists().where(
        KnownParticipation.project_id == KnownProject.id,
        KnownParticipation.member == member,
        KnownParticipation.status.in_(("invited", "accepted")),
    )
    is_for_all = and_(KnownProject.visibility == "network", KnownProject.status != "draft")
    return or_(KnownProject.lead == member, is_for_all, has_place)
