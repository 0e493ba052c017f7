"""Inboxes of officials over HTTP."""

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Any, Literal
from uuid import UUID

from fastapi import APIRouter, Query, Request, Response
from sqlalchemy.ext.asyncio import AsyncSession

from services.notifications.http.speaking import CurrentSpeaker, Speaking
from services.notifications.model.concerns import Reason, SubjectKind
from services.notifications.model.inbox_item import InboxItem, InboxItemNotFound, ensure_may_mark
from services.notifications.model.known import KnownProject, MemberNotActive, OfficialNotFound
from services.notifications.queries.inbox_items import (
    InboxFilter,
    inbox_items,
    projects_of,
    unread_count,
    visible_item,
)
from services.notifications.queries.members import is_active, visible_official
from services.notifications.use_cases.mark_inbox_item import mark_inbox_item
from shared.actor import Actor, MissingScope
from shared.fields import Flag, Input, Instant, Output
from shared.http.paging import CurrentPaging, CursorUnknown, Page, page
from shared.http.preconditions import (
    ExpectedVersion,
    VersionRequired,
    VersionStale,
    show_version,
)
from shared.http.problems import refusals
from shared.http.transaction import Now, Route, Transaction
from shared.refusals import Invalid, permits

router = APIRouter(
    prefix="/api/v1/inbox", tags=["inbox"], route_class=Route, dependencies=[Speaking]
)

Sort = Literal["created", "-created", "updated", "-updated"]


class OfficialRequired(Invalid):
    code = "official-required"
    title = "Say whose inbox you mean"


class InboxItemIn(Input):
    """What an official can change about an item."""

    is_read: Flag


class ProjectShown(Output):
    """The project that an item belongs to, while the official's member may see it."""

    id: UUID
    reference: str
    title: dict[str, str]


class InboxItemOut(Output):
    """What happened to one thing, and why it concerns the official."""

    id: UUID
    official_id: UUID
    member: str
    subject_kind: SubjectKind
    subject_id: UUID
    project_id: UUID | None
    project: ProjectShown | None
    reason: Reason
    event_type: str
    title: dict[str, str] | None
    facts: dict[str, Any]
    count: int
    is_read: bool
    happened_at: datetime
    created_at: datetime
    updated_at: datetime
    version: int
    allowed_actions: list[str]


class InboxPage(Page[InboxItemOut]):
    """A part of an inbox. `unread` counts everything in it that has not been seen."""

    unread: int


@router.get("", responses=refusals(MissingScope, OfficialNotFound, OfficialRequired, CursorUnknown))
async def get_inbox(
    request: Request,
    response: Response,
    session: Transaction,
    actor: CurrentSpeaker,
    paging: CurrentPaging,
    official: Annotated[
        UUID | None, Query(description="Whose inbox; a person's token means its own.")
    ] = None,
    unread: Annotated[
        bool | None, Query(description="Only unread ones, or only read ones.")
    ] = None,
    reason: Reason | None = None,
    project_id: UUID | None = None,
    updated_since: Instant | None = None,
    sort: Sort = "created",
) -> InboxPage:
    """Read the inbox of an official of your member."""
    actor.ensure_may("notifications:read")
    official = official or actor.official_id
    if official is None:
        raise OfficialRequired("Name the official with `official=`.")
    wanted = InboxFilter(
        official_id=await visible_official(session, official, actor=actor),
        unread=unread,
        reason=reason,
        project_id=project_id,
        updated_since=updated_since,
    )
    items, cursor = await inbox_items(session, wanted, paging=paging, sort=sort)
    shown = page(request, response, await shown_items(session, items, actor=actor), cursor)
    return InboxPage(
        items=shown.items, next=shown.next, unread=await unread_count(session, official)
    )


@router.get("/{item_id}", responses=refusals(InboxItemNotFound, MissingScope))
async def get_inbox_item(
    item_id: UUID, response: Response, session: Transaction, actor: CurrentSpeaker
) -> InboxItemOut:
    """Read one item."""
    item = await visible_item(session, item_id, actor=actor)
    actor.ensure_may("notifications:read")
    show_version(response, item.version)
    [shown] = await shown_items(session, [item], actor=actor)
    return shown


@router.patch(
    "/{item_id}",
    responses=refusals(
        InboxItemNotFound, MissingScope, MemberNotActive, VersionRequired, VersionStale
    ),
)
async def patch_inbox_item(
    item_id: UUID,
    body: InboxItemIn,
    actor: CurrentSpeaker,  # first: a stranger is told nothing else
    expected: ExpectedVersion,
    response: Response,
    session: Transaction,
    now: Now,
) -> InboxItemOut:
    """Mark an item as read or unread."""
    item = await mark_inbox_item(
        session, item_id, is_read=body.is_read, expected=expected, actor=actor, now=now
    )
    show_version(response, item.version)
    [shown] = await shown_items(session, [item], actor=actor)
    return shown


async def shown_items(
    session: AsyncSession, items: Sequence[InboxItem], *, actor: Actor
) -> list[InboxItemOut]:
    projects = await projects_of(session, items, actor=actor)
    may_mark = permits(ensure_may_mark, actor) and await is_active(session, actor.member)
    return [_shown(item, projects, may_mark=may_mark) for item in items]


def _shown(item: InboxItem, projects: dict[UUID, KnownProject], *, may_mark: bool) -> InboxItemOut:
    project = projects.get(item.project_id) if item.project_id is not None else None
    actions = ["mark_unread" if item.is_read else "mark_read"] if may_mark else []
    columns = {
        name: getattr(item, name) for name in InboxItemOut.model_fields if hasattr(item, name)
    }
    return InboxItemOut.model_validate(
        {
            **columns,
            "project": None if project is None else ProjectShown.model_validate(project),
            "allowed_actions": actions,
        }
    )
