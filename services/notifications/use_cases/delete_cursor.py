"""Use case: a system of a member keeps its place in the feed no longer."""

from sqlalchemy.ext.asyncio import AsyncSession

from services.notifications.queries.event_feed import cursor_of
from services.notifications.queries.members import ensure_active
from shared.actor import Actor
from shared.http.preconditions import ensure_version


async def delete_cursor(
    session: AsyncSession, name: str, *, expected: int | None, actor: Actor
) -> None:
    """Forget a cursor.

    Raises:
        CursorNotFound: the member has none of this name.
        MissingScope: the actor may not do this.
        MemberNotActive: the actor's member does not take part at present.
        VersionStale: it has changed.
    """
    cursor = await cursor_of(session, name, actor=actor, for_change=True)
    actor.ensure_may("notifications:write")
    await ensure_active(session, actor.member)
    ensure_version(expected, cursor.state())
    await session.delete(cursor)
