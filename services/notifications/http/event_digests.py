"""Signed digests of the feed over HTTP, and the keys that they are checked with."""

from datetime import date, datetime
from typing import Any, Final, Literal

from fastapi import APIRouter, Request, Response
from pydantic import Field

from services.notifications.http.speaking import CurrentSpeaker
from services.notifications.model.signing import public_jwk
from services.notifications.queries.event_feed import digests_of, feed_keys
from shared.actor import MissingScope
from shared.fields import Day, Output
from shared.http.paging import CurrentPaging, CursorUnknown, Page, page
from shared.http.problems import refusals
from shared.http.transaction import Route, Transaction

router = APIRouter(prefix="/api/v1/events", tags=["event feed"], route_class=Route)

KEYS_CACHED: Final = "public, max-age=300"


class FeedDigestOut(Output):
    """What your member's feed got on a day.

    Where nothing came, `first_sequence` is the one after `last_sequence`.
    """

    day: date = Field(description="In UTC.")
    first_sequence: int
    last_sequence: int
    count: int
    sha256: str = Field(
        description="Over `<sequence> <event id>` and a newline for each fact, in order."
    )
    signed: str = Field(
        description="The same as a JWS (compact, EdDSA); its `previous` is the SHA-256 of `signed`"
        " of the day before."
    )
    made_at: datetime


class FeedKeySetOut(Output):
    """A JWK set. Source: RFC 7517, RFC 8037."""

    keys: list[dict[str, Any]]


@router.get("/digests", responses=refusals(MissingScope, CursorUnknown))
async def get_feed_digests(
    request: Request,
    response: Response,
    session: Transaction,
    actor: CurrentSpeaker,
    paging: CurrentPaging,
    since: Day | None = None,
    until: Day | None = None,
    sort: Literal["day", "-day"] = "day",
) -> Page[FeedDigestOut]:
    """List the digests of your member's feed, one for each day (UTC) that is over.

    Whoever has pulled everything can compute them again; a fact that is missing shows.
    """
    actor.ensure_may("notifications:read")
    found, cursor = await digests_of(
        session, actor.member, since=since, until=until, paging=paging, sort=sort
    )
    items = [FeedDigestOut.model_validate(digest) for digest in found]
    return page(request, response, items, cursor)


@router.get("/jwks")
async def get_feed_keys(response: Response, session: Transaction) -> FeedKeySetOut:
    """Publish the keys that digests are signed with. Needs no access token."""
    keys = await feed_keys(session)
    response.headers["Cache-Control"] = KEYS_CACHED
    return FeedKeySetOut(keys=[public_jwk(key.id, key.public_key) for key in keys])
