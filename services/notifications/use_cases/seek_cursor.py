"""Use case: a system of a member begins to keep its place in the feed, or goes to another one."""

from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncSession

from services.notifications.model.event_feed import (
    CURSORS_MAX,
    CursorExists,
    FeedCursor,
    TooManyCursors,
    ensure_within,
)
from services.notifications.queries.event_feed import bounds_of, cursor_of, cursors_to_come
from services.notifications.queries.members import ensure_active
from shared.actor import Actor
from shared.http.preconditions import NEW, Expectation, ensure_version


async def seek_cursor(
    session: AsyncSession,
    name: str,
    *,
    sequence: int | None,
    since: datetime | None,
    expected: Expectation,
    actor: Actor,
    now: datetime,
) -> FeedCursor:
    """Let a cursor stand after `sequence`, or before the first fact that entered from `since` on.

    What is kept of the feed begins after that moment, perhaps: then it stands before all that is.

    Args:
        session: whose transaction it belongs to.
        name: of the cursor.
        sequence: a place in the feed, or
        since: a moment.
        expected: `NEW`, the version that is meant, or nothing for whatever it is.
        actor: for whose member.
        now: when it is done.

    Raises:
        MissingScope: the actor may not do this.
        MemberNotActive: the actor's member does not take part at present.
        CursorNotFound: there is none of this name, and none is to be made.
        CursorExists: there is one, and a new one was wanted.
        VersionStale: it has changed.
        TooManyCursors: the member has as many as it can have.
        FeedNotThatFar: there is no such sequence yet.
        FeedForgotten: something that followed it is kept no longer.
    """
    actor.ensure_may("notifications:write")
    await ensure_active(session, actor.member)
    bounds = await bounds_of(session, actor.member, since=since)
    place = bounds.later - 1 if sequence is None else sequence
    ensure_within(place, first=bounds.first, end=bounds.end)
    if expected is NEW:
        return await _made(session, name, place, actor=actor, now=now)
    cursor = await cursor_of(session, name, actor=actor, for_change=True)
    ensure_version(expected, cursor.state())
    cursor.seek(place, at=now)
    return cursor


async def _made(
    session: AsyncSession, name: str, place: int, *, actor: Actor, now: datetime
) -> FeedCursor:
    to_come = await cursors_to_come(session, actor.member)
    found = await session.get(FeedCursor, (actor.member, name))
    if found is not None:
        raise CursorExists(
            f"The cursor {name!r} stands at {found.sequence}.",
            members={"current": found.state().model_dump(mode="json")},
        )
    if to_come <= 0:
        raise TooManyCursors(f"There are {CURSORS_MAX}; delete one first.")
    cursor = FeedCursor(
        member=actor.member, name=name, sequence=place, created_at=now, updated_at=now
    )
    session.add(cursor)
    await session.flush()
    return cursor
