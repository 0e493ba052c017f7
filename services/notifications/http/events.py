"""The event feed over HTTP: what a member may know, in order, for systems that prefer to pull.

The same facts as the webhooks of the member get, but without a gap: the numbers rise by one.
"""

from datetime import datetime
from typing import Annotated, Any, Final
from urllib.parse import urlencode
from uuid import UUID

from fastapi import APIRouter, Header, Query, Request, Response

from services.notifications.http.feed_reading import FeedReader, as_json, wanted_by
from services.notifications.http.feed_watch import FeedWatch, TooManyOfMemberWait, TooManyWait
from services.notifications.http.speaking import CurrentSpeaker
from services.notifications.model.event_feed import (
    SEQUENCE_MAX,
    CursorName,
    CursorNotFound,
    FactNotFound,
    FeedForgotten,
    FeedNotThatFar,
    Sequence,
    StartContradicted,
    Withheld,
)
from services.notifications.model.event_types import (
    EventTypeUnknown,
    chosen,
    ensure_known,
    readable_entities,
    scopes_to_read,
)
from services.notifications.model.known import MemberNotActive
from services.notifications.queries.event_feed import Wanted, fact_told
from services.notifications.queries.members import ensure_active
from shared.actor import Actor, MissingScope
from shared.fields import Output
from shared.http.identity import CurrentActor
from shared.http.paging import LIMIT_MAX
from shared.http.problems import refusals
from shared.http.streaming import Streamed, patience_of
from shared.http.transaction import Route, Transaction

router = APIRouter(prefix="/api/v1/events", tags=["event feed"], route_class=Route)

STREAM: Final = "text/event-stream"
CLOUD_EVENT: Final = "application/cloudevents+json; charset=utf-8"
WAIT_MAX: Final = 25


class FeedItemOut(Output):
    """A fact with its place in the feed; where it is withheld, why."""

    sequence: int
    recorded_at: datetime
    event_id: UUID
    event: dict[str, Any] | None
    withheld: Withheld | None = None


class FeedOut(Output):
    """A part of the feed. Go on with `next` as `after`, until it is `end`."""

    items: list[FeedItemOut]
    next: int
    end: int


Types = Annotated[
    str | None,
    Query(
        max_length=4000,
        pattern=r"^[a-z0-9_.*]+(,[a-z0-9_.*]+)*$",
        description="Such as `renkei.milestone.*,renkei.decision.adopted.v1`.",
    ),
]
LastEventId = Annotated[
    str | None,
    Header(pattern=r"^[0-9]{1,16}$", description="`id` of the last event of the stream before."),
]

ANSWERS: Final[dict[int | str, dict[str, Any]]] = {
    200: {
        "model": FeedOut,
        "content": {STREAM: {"schema": {"type": "string"}}},
        "description": "What follows; as a stream, if that is asked for with `Accept`.",
    }
}


@router.get(
    "",
    response_class=Response,
    responses=ANSWERS
    | refusals(
        MissingScope,
        MemberNotActive,
        EventTypeUnknown,
        StartContradicted,
        CursorNotFound,
        FeedNotThatFar,
        FeedForgotten,
        TooManyOfMemberWait,
        TooManyWait,
    ),
)
async def get_events(
    request: Request,
    actor: CurrentActor,
    after: Annotated[
        Sequence | None, Query(description="Go on after this sequence; from the first kept.")
    ] = None,
    cursor: Annotated[
        CursorName | None, Query(description="Go on after what was committed to this cursor.")
    ] = None,
    types: Types = None,
    project_id: UUID | None = None,
    limit: Annotated[int, Query(ge=1, le=LIMIT_MAX, description="At most this many.")] = 50,
    wait: Annotated[
        int,
        Query(ge=0, le=WAIT_MAX, description="Seconds to wait if there is nothing; not a stream."),
    ] = 0,
    accept: Annotated[str, Header(max_length=1000)] = "",
    last_event_id: LastEventId = None,
) -> Response:
    """Read what your member may know, in order, without a gap; with a filter, what is left of it.

    What the token may not read, or the member not any more, is withheld but keeps its number. With
    a filter it is left out, and `next` advances over what was looked at. As `text/event-stream`
    it goes on with what comes.
    """
    as_stream = _wants_stream(accept)
    if as_stream and last_event_id is not None:
        # A browser that comes again names the address that it began with.
        after, cursor = int(last_event_id), None
        if after > SEQUENCE_MAX:
            raise FeedNotThatFar("There is no such sequence yet.")
    if after is not None and cursor is not None:
        raise StartContradicted("Go on after a sequence, or after a cursor.")
    patterns = None if types is None else tuple(types.split(","))

    def wanted(reader: Actor) -> Wanted:
        if patterns is not None:
            ensure_known(patterns)
            for scope in scopes_to_read(patterns):
                reader.ensure_may(scope)
        parts = None if patterns is None else chosen(patterns)
        return wanted_by(reader, limit=limit, chosen=parts, project_id=project_id)

    reader = FeedReader(request, actor, wanted)
    part = await reader.part(after, cursor=cursor)
    if as_stream:
        watch: FeedWatch = request.app.state.feed_watch
        return Streamed(
            reader.stream(part),
            turns=watch.of(actor.member),
            patience=patience_of(request),
            media_type=STREAM,
            headers={"X-Accel-Buffering": "no"},
        )
    if wait and not part.items:
        part = await reader.awaited(part, wait)
    headers = {}
    if not part.is_last:
        headers["Link"] = f'<{_address_after(request, part.next)}>; rel="next"'
    return Response(as_json(part), media_type="application/json", headers=headers)


def _wants_stream(accept: str) -> bool:
    return any(each.partition(";")[0].strip().lower() == STREAM for each in accept.split(","))


def _address_after(request: Request, sequence: int) -> str:
    query = [
        (name, value)
        for name, value in request.query_params.multi_items()
        if name not in {"after", "cursor"}
    ]
    return f"{request.url.path}?{urlencode([('after', sequence), *query])}"


FACT: Final[dict[int | str, dict[str, Any]]] = {
    200: {
        "description": "The fact as it came.",
        "content": {CLOUD_EVENT.partition(";")[0]: {"schema": {"type": "object"}}},
    }
}


@router.get(
    "/{event_id}",
    response_class=Response,
    responses=FACT | refusals(FactNotFound, MissingScope, MemberNotActive),
)
async def get_event(event_id: UUID, session: Transaction, actor: CurrentSpeaker) -> Response:
    """Read one fact of your member's feed, such as the one that a thin webhook refers to."""
    actor.ensure_may("notifications:read")
    await ensure_active(session, actor.member)
    body = await fact_told(
        session, event_id, member=actor.member, entities=readable_entities(actor.scopes)
    )
    return Response(body, media_type=CLOUD_EVENT)
