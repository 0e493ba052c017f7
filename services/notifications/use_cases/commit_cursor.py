"""Use case: a system of a member has dealt with the feed up to a place."""

from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncSession

from services.notifications.model.event_feed import FeedCursor, FeedNotThatFar
from services.notifications.queries.event_feed import bounds_of, cursor_of
from services.notifications.queries.members import ensure_active
from shared.actor import Actor


async def commit_cursor(
    session: AsyncSession, name: str, *, sequence: int, actor: Actor, now: datetime
) -> FeedCursor:
    """Move a cursor forward to `sequence`. One that comes late never moves it back.

    Raises:
        CursorNotFound: the member has none of this name.
        MissingScope: the actor may not do this.
        MemberNotActive: the actor's member does not take part at present.
        FeedNotThatFar: there is no such sequence yet.
    """
    cursor = await cursor_of(session, name, actor=actor, for_change=True)
    actor.ensure_may("notifications:write")
    await ensure_active(session, actor.member)
    bounds = await bounds_of(session, actor.member)
    if sequence > bounds.end:
        raise FeedNotThatFar(f"Its last sequence is {bounds.end}.", members={"end": bounds.end})
    cursor.commit(sequence, at=now)
    return cursor
