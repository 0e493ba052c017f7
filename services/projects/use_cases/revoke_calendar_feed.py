"""Use case: a calendar reads no longer what is due."""

from datetime import datetime
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from services.projects.queries.calendar_feeds import own_calendar_feed
from services.projects.queries.standings import standing_outside
from shared.actor import Actor
from shared.contracts.projects import CalendarFeedRevoked
from shared.http.preconditions import ensure_version
from shared.messaging.outbox import announce


async def revoke_calendar_feed(
    session: AsyncSession, feed_id: UUID, *, expected: int | None, actor: Actor, now: datetime
) -> None:
    """Let the address of a feed be good no longer, from this moment on.

    Raises:
        CalendarFeedNotFound: the actor has made no such feed.
        MissingScope, MemberNotActive: the actor may not.
        VersionStale: the feed is not at the expected version.
        CalendarFeedIsRevoked: it has been revoked.
    """
    standing = await standing_outside(session, actor=actor)
    feed = await own_calendar_feed(session, feed_id, actor=actor, for_change=True)
    before = feed.state()
    ensure_version(expected, before)
    feed.revoke(by=standing, at=now)
    announce(
        session,
        CalendarFeedRevoked.about(
            feed.state(), before=before, by=actor, at=now, audience=(feed.member,)
        ),
    )
