"""Use case: somebody lets their calendar read what is due."""

from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from services.projects.model.calendar_feed import (
    FEEDS_MAX,
    CalendarFeed,
    TooManyCalendarFeeds,
    new_token,
)
from services.projects.model.standing import Standing
from services.projects.queries.calendar_feeds import calendar_feeds_to_come
from services.projects.queries.projects import project_for_change
from services.projects.queries.standings import standing_outside
from shared.actor import Actor
from shared.contracts.projects import CalendarFeedCreated, CalendarFeedKind
from shared.messaging.outbox import announce


@dataclass(frozen=True, slots=True)
class CreatedCalendarFeed:
    """A new feed, and the only sight of its token."""

    feed: CalendarFeed
    standing: Standing
    token: str = field(repr=False)


async def create_calendar_feed(
    session: AsyncSession,
    *,
    kind: CalendarFeedKind,
    project_id: UUID | None,
    language: str,
    actor: Actor,
    now: datetime,
) -> CreatedCalendarFeed:
    """Make a feed of what the actor's member owes, of its projects, or of one project.

    Raises:
        MissingScope, MemberNotActive: the actor may not.
        OnlyPeopleHaveDuties: a machine asks for the feed of an official.
        ProjectNotFound: for the actor there is no such project.
        TooManyCalendarFeeds: the actor has as many as it can have.
    """
    standing = await standing_outside(session, actor=actor)
    token = new_token()
    feed = CalendarFeed.make(
        token, kind=kind, project_id=project_id, language=language, by=standing, at=now
    )
    if project_id is not None:
        await project_for_change(session, project_id, actor=actor)
    if await calendar_feeds_to_come(session, actor=actor) <= 0:
        raise TooManyCalendarFeeds(f"There are {FEEDS_MAX}; revoke one first.")
    session.add(feed)
    announce(
        session, CalendarFeedCreated.about(feed.state(), by=actor, at=now, audience=(feed.member,))
    )
    return CreatedCalendarFeed(feed, standing, token)
