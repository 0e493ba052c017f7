"""Cursors over HTTP: how far each of a member's systems has read the feed."""

from typing import Annotated, Self

from fastapi import APIRouter, Path, Request, Response
from pydantic import Field, Strict, model_validator
from sqlalchemy.ext.asyncio import AsyncSession

from services.notifications.http.speaking import CurrentSpeaker, Speaking
from services.notifications.model.event_feed import (
    CursorExists,
    CursorName,
    CursorNotFound,
    FeedCursor,
    FeedCursorState,
    FeedForgotten,
    FeedNotThatFar,
    Sequence,
    TooManyCursors,
)
from services.notifications.model.known import MemberNotActive
from services.notifications.queries.event_feed import bounds_of, cursor_of, cursors_of
from services.notifications.queries.members import is_active
from services.notifications.use_cases.commit_cursor import commit_cursor
from services.notifications.use_cases.delete_cursor import delete_cursor
from services.notifications.use_cases.seek_cursor import seek_cursor
from shared.actor import Actor, MissingScope
from shared.fields import Input, Instant
from shared.http.idempotency import Idempotent, KeyInUse, KeyReused
from shared.http.paging import CurrentPaging, CursorUnknown, Page, page
from shared.http.preconditions import (
    Expected,
    ExpectedVersion,
    VersionRequired,
    VersionStale,
    show_version,
)
from shared.http.problems import refusals
from shared.http.transaction import Now, Route, Transaction

router = APIRouter(
    prefix="/api/v1/events/cursors",
    tags=["event feed"],
    route_class=Route,
    dependencies=[Speaking],
)

Name = Annotated[CursorName, Path(description="Such as `records-office.archive`.")]
Place = Annotated[Sequence, Strict()]


class FeedCursorIn(Input):
    """Where to stand: after a sequence, or before the first fact from a moment on."""

    sequence: Place | None = None
    since: Instant | None = None

    @model_validator(mode="after")
    def _is_said_once(self) -> Self:
        if (self.sequence is None) == (self.since is None):
            raise ValueError("give either `sequence` or `since`")
        return self


class FeedCommitIn(Input):
    """Up to where everything has been dealt with."""

    sequence: Place


class FeedCursorOut(FeedCursorState):
    """A cursor; `behind` tells how many facts follow it."""

    behind: int = Field(ge=0)
    allowed_actions: list[str]


@router.get("", responses=refusals(MissingScope, CursorUnknown))
async def get_feed_cursors(
    request: Request,
    response: Response,
    session: Transaction,
    actor: CurrentSpeaker,
    paging: CurrentPaging,
) -> Page[FeedCursorOut]:
    """List the cursors of your member, by name."""
    actor.ensure_may("notifications:read")
    found, cursor = await cursors_of(session, actor.member, paging=paging)
    items = await shown_cursors(session, *found, actor=actor)
    return page(request, response, items, cursor)


@router.get("/{name}", responses=refusals(CursorNotFound, MissingScope))
async def get_feed_cursor(
    name: Name, response: Response, session: Transaction, actor: CurrentSpeaker
) -> FeedCursorOut:
    """Read one cursor."""
    actor.ensure_may("notifications:read")
    cursor = await cursor_of(session, name, actor=actor)
    return await answered(response, session, cursor, actor=actor)


@router.put(
    "/{name}",
    responses=refusals(
        MissingScope,
        MemberNotActive,
        CursorNotFound,
        CursorExists,
        TooManyCursors,
        FeedNotThatFar,
        FeedForgotten,
        VersionRequired,
        VersionStale,
    ),
)
async def put_feed_cursor(
    name: Name,
    body: FeedCursorIn,
    actor: CurrentSpeaker,  # first: a stranger is told nothing else
    expected: Expected,
    response: Response,
    session: Transaction,
    now: Now,
) -> FeedCursorOut:
    """Make a cursor (`If-None-Match: *`), or let it stand elsewhere (If-Match), even before."""
    cursor = await seek_cursor(
        session,
        name,
        sequence=body.sequence,
        since=body.since,
        expected=expected,
        actor=actor,
        now=now,
    )
    return await answered(response, session, cursor, actor=actor)


@router.post(
    "/{name}/commit",
    dependencies=[Idempotent],
    responses=refusals(
        CursorNotFound, MissingScope, MemberNotActive, FeedNotThatFar, KeyInUse, KeyReused
    ),
)
async def post_feed_cursor_commit(
    name: Name,
    body: FeedCommitIn,
    actor: CurrentSpeaker,
    response: Response,
    session: Transaction,
    now: Now,
) -> FeedCursorOut:
    """Note that all up to a sequence has been dealt with. A late one moves nothing back."""
    cursor = await commit_cursor(session, name, sequence=body.sequence, actor=actor, now=now)
    return await answered(response, session, cursor, actor=actor)


@router.delete(
    "/{name}",
    status_code=204,
    responses=refusals(
        CursorNotFound, MissingScope, MemberNotActive, VersionRequired, VersionStale
    ),
)
async def delete_feed_cursor(
    name: Name,
    actor: CurrentSpeaker,  # first: a stranger is told nothing else
    expected: ExpectedVersion,
    session: Transaction,
) -> None:
    """Forget a cursor."""
    await delete_cursor(session, name, expected=expected, actor=actor)


async def answered(
    response: Response, session: AsyncSession, cursor: FeedCursor, *, actor: Actor
) -> FeedCursorOut:
    show_version(response, cursor.version)
    [shown] = await shown_cursors(session, cursor, actor=actor)
    return shown


async def shown_cursors(
    session: AsyncSession, *cursors: FeedCursor, actor: Actor
) -> list[FeedCursorOut]:
    end = (await bounds_of(session, actor.member)).end
    may_write = "notifications:write" in actor.scopes and await is_active(session, actor.member)
    actions = ["commit", "seek", "delete"] if may_write else []
    return [
        FeedCursorOut(**dict(cursor.state()), behind=end - cursor.sequence, allowed_actions=actions)
        for cursor in cursors
    ]
