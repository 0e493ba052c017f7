"""Every SELECT of calendar feeds."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final
from uuid import UUID

from sqlalchemy import (
    ColumnElement,
    LargeBinary,
    and_,
    bindparam,
    exists,
    func,
    or_,
    select,
    text,
)
from sqlalchemy.ext.asyncio import AsyncSession

from services.projects.model.calendar_entry import CalendarEntry
from services.projects.model.calendar_feed import FEEDS_MAX, CalendarFeed, no_calendar_feed
from services.projects.model.known import KnownMember, KnownOfficial
from services.projects.model.project import Project, ProjectNotFound
from services.projects.queries.calendar_entries import calendar_entries
from services.projects.queries.projects import ensure_project_seen
from services.projects.queries.standings import reading_outside
from shared.actor import Actor
from shared.http.paging import Paging
from shared.reading import Question, Reading
from shared.refusals import Forbidden, Unauthenticated


@dataclass(frozen=True, slots=True)
class Calendar:
    """What a calendar shows now, in the order in which it is due.

    `name` is that of the project, for the feed of one, else that of the member.
    """

    feed: CalendarFeed
    name: dict[str, str]
    entries: list[CalendarEntry]


def _own(actor: Actor) -> ColumnElement[bool]:
    if actor.official_id is not None:
        maker = CalendarFeed.official_id == actor.official_id
    else:
        maker = and_(CalendarFeed.official_id.is_(None), CalendarFeed.client_id == actor.client_id)
    return and_(CalendarFeed.member == actor.member, maker)


async def list_calendar_feeds(
    session: AsyncSession, paging: Paging, *, actor: Actor
) -> tuple[Sequence[CalendarFeed], str | None]:
    """List the feeds that the actor has made and not revoked, oldest first.

    Raises:
        CursorUnknown: the cursor was not made by this list.
    """
    query = select(CalendarFeed).where(_own(actor), CalendarFeed.status == "active")
    return await paging.fetch(session, query, CalendarFeed.created_at, CalendarFeed.id)


async def own_calendar_feed(
    session: AsyncSession, feed_id: UUID, *, actor: Actor, for_change: bool = False
) -> CalendarFeed:
    """Load a feed that the actor has made, locked if it is to be changed.

    Raises:
        CalendarFeedNotFound: for the actor there is none.
    """
    query = select(CalendarFeed).where(CalendarFeed.id == feed_id, _own(actor))
    feed = await session.scalar(query.with_for_update() if for_change else query)
    if feed is None:
        raise no_calendar_feed()
    return feed


async def calendar_feeds_to_come(session: AsyncSession, *, actor: Actor) -> int:
    """Tell how many more feeds the actor can make; nobody makes one in its name meanwhile."""
    await session.execute(
        text("SELECT pg_advisory_xact_lock(hashtextextended(:name, 0))"),
        {"name": f"calendar feeds of {actor.member} {actor.reference}"},
    )
    made = await session.scalar(
        select(func.count())
        .select_from(CalendarFeed)
        .where(_own(actor), CalendarFeed.status == "active")
    )
    return FEEDS_MAX - (made or 0)


_FEED: Final = Question(
    select(CalendarFeed, KnownMember.name, Project.title)
    .outerjoin(KnownMember, KnownMember.slug == CalendarFeed.member)
    .outerjoin(Project, Project.id == CalendarFeed.project_id)
    .where(
        CalendarFeed.token_hash == bindparam("token_hash", type_=LargeBinary()),
        CalendarFeed.status == "active",
        # An address is good for years, so nobody is trusted before we have heard of them.
        or_(
            CalendarFeed.official_id.is_(None),
            exists().where(
                KnownOfficial.id == CalendarFeed.official_id,
                KnownOfficial.member == CalendarFeed.member,
                KnownOfficial.status == "active",
            ),
        ),
    )
)


async def calendar_with(reading: Reading, token_hash: bytes, *, now: datetime) -> Calendar:
    """Read what the calendar at an address shows: what its maker may see now.

    Raises:
        CalendarFeedNotFound: there is none, it was revoked, its member is not active, or its maker
            may not read now, in general or this project.
    """
    found = await reading.rows(_FEED, {"token_hash": token_hash})
    if not found:
        raise no_calendar_feed()
    feed, member, project = found[0]
    try:
        standing = await reading_outside(reading, actor=feed.maker)
        if standing.member_status != "active":
            raise no_calendar_feed()
        entries = await calendar_entries(reading, feed, now=now)
        if feed.project_id is not None and not entries:
            await ensure_project_seen(reading, feed.project_id, actor=feed.maker)
    except (Unauthenticated, Forbidden, ProjectNotFound) as refusal:
        raise no_calendar_feed() from refusal
    return Calendar(feed, project or member, entries)
