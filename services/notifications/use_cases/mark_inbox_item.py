"""Use case: an official has seen an inbox item, or wants to see it again."""

from datetime import datetime
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from services.notifications.model.inbox_item import InboxItem, ensure_may_mark
from services.notifications.queries.inbox_items import visible_item
from services.notifications.queries.members import ensure_active
from shared.actor import Actor
from shared.contracts.notifications import InboxItemRead, InboxItemUnread
from shared.http.preconditions import ensure_version
from shared.messaging.outbox import announce


async def mark_inbox_item(
    session: AsyncSession,
    item_id: UUID,
    *,
    is_read: bool,
    expected: int | None,
    actor: Actor,
    now: datetime,
) -> InboxItem:
    """Mark an item as read or unread; nothing happens if it is that already.

    Raises:
        InboxItemNotFound: there is none, or it is somebody else's.
        MissingScope: the actor may not mark items.
        MemberNotActive: the actor's member does not take part at present.
        VersionStale: it has changed since the actor read it.
    """
    item = await visible_item(session, item_id, actor=actor, for_change=True)
    ensure_may_mark(actor)
    await ensure_active(session, actor.member)
    before = item.state()
    ensure_version(expected, before)
    if item.mark(is_read=is_read, at=now):
        kind = InboxItemRead if is_read else InboxItemUnread
        announce(
            session,
            kind.about(item.state(), before=before, by=actor, at=now, audience=(item.member,)),
        )
    return item
