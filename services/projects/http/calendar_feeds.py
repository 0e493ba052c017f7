"""Calendar feeds over HTTP: who may make them, and what a calendar program reads.

A program cannot show an access token, so the address itself is the secret, and stands outside
`/api/`, where everything needs one. It is answered the same way whether it never was good, was
revoked, or its maker may not read any more.
"""

import asyncio
from datetime import datetime
from typing import Annotated, Final
from uuid import UUID

from fastapi import APIRouter, Header, Request, Response
from pydantic import Field, model_validator

from services.projects.http.calendar_file import calendar_file, etag_of
from services.projects.model.calendar_feed import (
    CalendarFeed,
    CalendarFeedIsRevoked,
    CalendarFeedNotFound,
    OnlyPeopleHaveDuties,
    TooManyCalendarFeeds,
    token_hash_of,
)
from services.projects.model.project import ProjectNotFound
from services.projects.model.standing import MemberNotActive, Standing
from services.projects.queries.calendar_feeds import (
    calendar_with,
    list_calendar_feeds,
    own_calendar_feed,
)
from services.projects.queries.standings import standing_outside
from services.projects.use_cases.create_calendar_feed import create_calendar_feed
from services.projects.use_cases.revoke_calendar_feed import revoke_calendar_feed
from shared.actor import MissingScope
from shared.contracts.projects import CalendarFeedKind, CalendarFeedState
from shared.fields import Input, LanguageTag
from shared.http.idempotency import IdempotentSecret, KeyInUse, KeyReused
from shared.http.identity import CurrentActor
from shared.http.paging import CurrentPaging, CursorUnknown, Page, page
from shared.http.preconditions import (
    ExpectedVersion,
    VersionRequired,
    VersionStale,
    is_among,
    show_version,
)
from shared.http.problems import refusals
from shared.http.transaction import CurrentReading, Now, Route, Transaction
from shared.refusals import TooManyRequests

router = APIRouter(prefix="/api/v1/calendar-feeds", tags=["calendar"], route_class=Route)
files_router = APIRouter(prefix="/calendar-feeds", route_class=Route)

FRESH_SECONDS: Final = 300
WRITTEN_PER_MINUTE: Final = 10
FEEDS_KNOWN: Final = 10_000


class CalendarReadTooOften(TooManyRequests):
    code = "calendar-read-too-often"
    title = "The calendar has been read too often within a minute"


class CalendarFeedIn(Input):
    """What somebody's calendar is to show."""

    kind: Annotated[
        CalendarFeedKind,
        Field(
            description="`official`: what your member owes; `member`: its projects; `project`: one."
        ),
    ]
    project_id: Annotated[UUID | None, Field(description="For the kind `project`.")] = None
    language: Annotated[LanguageTag, Field(description="Of titles, where there are several.")] = (
        "en"
    )

    @model_validator(mode="after")
    def names_what_it_needs(self) -> "CalendarFeedIn":
        if (self.kind == "project") != (self.project_id is not None):
            raise ValueError("needs `project_id` for the kind `project`, and only there")
        return self


class CalendarFeedOut(CalendarFeedState):
    """A feed as who made it sees it, without its address."""

    allowed_actions: Annotated[list[str], Field(description="What this caller may do to it now.")]

    @classmethod
    def of(cls, feed: CalendarFeed, standing: Standing) -> "CalendarFeedOut":
        return cls(**vars(feed.state()), allowed_actions=feed.allowed_actions(standing))


class NewCalendarFeedOut(CalendarFeedOut):
    """A new feed with its address, which is shown only in this answer."""

    url: Annotated[
        str, Field(description="For a calendar program to subscribe to. Keep it secret.")
    ]


@router.post(
    "",
    status_code=201,
    dependencies=[IdempotentSecret],
    responses=refusals(
        MissingScope,
        MemberNotActive,
        OnlyPeopleHaveDuties,
        ProjectNotFound,
        TooManyCalendarFeeds,
        KeyInUse,
        KeyReused,
    ),
)
async def post_calendar_feed(
    body: CalendarFeedIn,
    request: Request,
    response: Response,
    session: Transaction,
    actor: CurrentActor,
    now: Now,
) -> NewCalendarFeedOut:
    """Make an address at which a calendar program reads what is due.

    It shows what you may see when it is read, and nothing once you may not act for your member.
    """
    created = await create_calendar_feed(session, actor=actor, now=now, **dict(body))
    feed = created.feed
    response.headers["Location"] = f"{router.prefix}/{feed.id}"
    show_version(response, feed.version)
    return NewCalendarFeedOut(
        **vars(CalendarFeedOut.of(feed, created.standing)),
        url=f"{request.app.state.settings.issuer}{files_router.prefix}/{created.token}.ics",
    )


@router.get("", responses=refusals(MissingScope, CursorUnknown))
async def get_calendar_feeds(
    request: Request,
    response: Response,
    session: Transaction,
    actor: CurrentActor,
    paging: CurrentPaging,
) -> Page[CalendarFeedOut]:
    """List the feeds that you have made and not revoked."""
    standing = await standing_outside(session, actor=actor)
    standing.ensure_may_read()
    feeds, cursor = await list_calendar_feeds(session, paging, actor=actor)
    items = [CalendarFeedOut.of(feed, standing) for feed in feeds]
    return page(request, response, items, cursor)


@router.get("/{feed_id}", responses=refusals(MissingScope, CalendarFeedNotFound))
async def get_calendar_feed(
    feed_id: UUID, response: Response, session: Transaction, actor: CurrentActor
) -> CalendarFeedOut:
    """Read a feed that you have made, also one that was revoked."""
    standing = await standing_outside(session, actor=actor)
    standing.ensure_may_read()
    feed = await own_calendar_feed(session, feed_id, actor=actor)
    show_version(response, feed.version)
    return CalendarFeedOut.of(feed, standing)


@router.delete(
    "/{feed_id}",
    status_code=204,
    responses=refusals(
        CalendarFeedNotFound,
        MissingScope,
        MemberNotActive,
        VersionRequired,
        VersionStale,
        CalendarFeedIsRevoked,
    ),
)
async def delete_calendar_feed(
    feed_id: UUID,
    actor: CurrentActor,  # first: a stranger is told nothing else
    expected: ExpectedVersion,
    session: Transaction,
    now: Now,
) -> None:
    """Revoke a feed: from now on there is nothing at its address."""
    await revoke_calendar_feed(session, feed_id, expected=expected, actor=actor, now=now)


class Pace:
    """Lets each calendar be written a few times a minute; what is unchanged costs nothing."""

    def __init__(self) -> None:
        self._written: dict[UUID, tuple[int, int]] = {}

    def ensure_calm(self, feed_id: UUID, now: datetime) -> None:
        """Refuse to write a calendar once more that was written all the time.

        Raises:
            CalendarReadTooOften: it was, within this minute and by this process.
        """
        minute, second = divmod(int(now.timestamp()), 60)
        last, times = self._written.get(feed_id, (minute, 0))
        times = times + 1 if last == minute else 1
        if times > WRITTEN_PER_MINUTE:
            raise CalendarReadTooOften(
                f"It is written {WRITTEN_PER_MINUTE} times at most; send If-None-Match.",
                members={"retry_after": 60 - second},
            )
        if len(self._written) >= FEEDS_KNOWN:
            self._written.clear()
        self._written[feed_id] = (minute, times)


PACE: Final = Pace()


@files_router.get("/{token}.ics", include_in_schema=False)
async def get_calendar_file(
    token: str,
    request: Request,
    reading: CurrentReading,
    now: Now,
    if_none_match: Annotated[str, Header(max_length=1000)] = "",
) -> Response:
    """Give a calendar to whoever knows its address."""
    calendar = await calendar_with(reading, token_hash_of(token), now=now)
    etag = etag_of(calendar)
    headers = {"ETag": etag, "Cache-Control": f"private, max-age={FRESH_SECONDS}"}
    if is_among(etag, if_none_match):
        return Response(status_code=304, headers=headers)
    PACE.ensure_calm(calendar.feed.id, now)
    # In a thread: writing two thousand entries takes as long as answering a hundred requests.
    body = await asyncio.to_thread(
        calendar_file, calendar, issuer=request.app.state.settings.issuer
    )
    headers["Content-Disposition"] = 'inline; filename="renkei.ics"'
    return Response(body, media_type="text/calendar; charset=utf-8", headers=headers)
