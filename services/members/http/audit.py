"""The audit trail over HTTP: a member reads its own, and takes it away to check it elsewhere."""

import json
from collections.abc import AsyncIterator
from datetime import datetime
from typing import Annotated, Any, Final
from uuid import UUID

from fastapi import APIRouter, Query, Request, Response
from fastapi.responses import StreamingResponse
from pydantic import Field

from services.members.http.speakers import CurrentSpeaker, Speaking
from services.members.model.audit import (
    AuditEntry,
    AuditEntryNotFound,
    AuditTrailNotFound,
    Outcome,
    Walk,
    ensure_sees_trail_of,
)
from services.members.queries.audit import (
    AuditSort,
    entries_after,
    head_of,
    list_entries,
    walk_from,
)
from shared.actor import MissingScope
from shared.database import Sessions
from shared.fields import INT4_MAX, Instant, Line, Output, Slug
from shared.http.paging import CurrentPaging, CursorUnknown, Page, page
from shared.http.problems import refusals
from shared.http.transaction import Route, Transaction

router = APIRouter(
    prefix="/api/v1/members/{slug}/audit-entries",
    tags=["audit"],
    route_class=Route,
    dependencies=[Speaking],
)

NDJSON: Final = "application/x-ndjson"
EXPORT_MAX: Final = 5_000
"""So many are sent within the time that a request may take."""


class AuditEntryOut(Output):
    """What happened. People are named by their ids alone."""

    member: str
    position: Annotated[int, Field(description="Its place in the trail, from 1, without gaps.")]
    at: datetime
    action: Annotated[str, Field(description="Such as `login.refused`.")]
    outcome: Outcome
    reason: Annotated[str | None, Field(description="A code that says why.")]
    subject: Annotated[str, Field(description="What it was done to, such as `official:…`.")]
    actor: Annotated[
        str | None,
        Field(
            description="`official:…`, `client:…`, `operator` or `clock`; null where nobody was"
            " known yet."
        ),
    ]
    actor_member: str | None
    client_id: Annotated[str | None, Field(description="What the actor came through.")]
    session_id: UUID | None
    details: dict[str, Any]
    previous_hash: str
    hash: Annotated[
        str,
        Field(
            description="SHA-256 over `previous_hash` and the entry without both, as canonical"
            " JSON (RFC 8785)."
        ),
    ]


@router.get("", responses=refusals(MissingScope, AuditTrailNotFound, CursorUnknown))
async def get_audit_entries(
    slug: Slug,
    request: Request,
    response: Response,
    session: Transaction,
    speaker: CurrentSpeaker,
    paging: CurrentPaging,
    action: Line | None = None,
    actor: Line | None = None,
    outcome: Outcome | None = None,
    since: Instant | None = None,
    sort: AuditSort = "created",
) -> Page[AuditEntryOut]:
    """List what happened to a member and what was done for it. Only the member itself may."""
    ensure_sees_trail_of(slug, speaker)
    entries, cursor = await list_entries(
        session,
        slug,
        action=action,
        actor=actor,
        outcome=outcome,
        since=since,
        sort=sort,
        paging=paging,
    )
    items = [AuditEntryOut.model_validate(entry) for entry in entries]
    return page(request, response, items, cursor)


@router.get(
    "/export",
    response_class=StreamingResponse,
    responses={
        200: {"description": "One entry in a line", "content": {NDJSON: {}}},
        **refusals(MissingScope, AuditTrailNotFound, AuditEntryNotFound),
    },
)
async def get_audit_export(
    slug: Slug,
    request: Request,
    session: Transaction,
    speaker: CurrentSpeaker,
    after: Annotated[
        int, Query(ge=0, le=INT4_MAX, description="The last position that you have already.")
    ] = 0,
) -> StreamingResponse:
    """Send the trail as it was written, with the hashes to check it by. Only the member itself may.

    The last line is `{"end": …}`: up to where this went and whether it all fits together, the
    position of the first entry that does not (`first_bad`), and where to go on (`next`). An answer
    without it was cut off: ask again, `after` the last line that came.
    """
    ensure_sees_trail_of(slug, speaker)
    walk = await walk_from(session, slug, after)
    lines = export(request.app.state.reading_sessions, slug, walk, path=request.url.path)
    name = f'attachment; filename="{slug}-audit-{after + 1}.ndjson"'
    return StreamingResponse(lines, media_type=NDJSON, headers={"Content-Disposition": name})


async def export(sessions: Sessions, member: str, walk: Walk, *, path: str) -> AsyncIterator[bytes]:
    """Give lines of NDJSON: entries from where a walk stands, and what was found on the way."""
    first_bad: int | None = None
    position = walk.position
    # A session of its own: that of the request is closed when its answer begins.
    async with sessions() as session:
        # What is behind the head that we see now may be written while we read.
        head = await head_of(session, member)
        limit = min(head.length, position + EXPORT_MAX)
        async for entry in entries_after(session, member, position, up_to=limit):
            if first_bad is None and not walk.follows(entry):
                first_bad = walk.position + 1
            position = entry.position
            yield line(written(entry))
    is_bad = walk.position < limit or (limit == head.length and walk.hash != head.hash)
    if first_bad is None and is_bad:
        first_bad = min(walk.position + 1, head.length)
    end = {
        "member": member,
        "position": position,
        "hash": walk.hash if first_bad is None else None,
        "first_bad": first_bad,
        "next": f"{path}?after={limit}" if limit < head.length else None,
    }
    yield line({"end": end})


def written(entry: AuditEntry) -> dict[str, Any]:
    return {**entry.facts(), "previous_hash": entry.previous_hash, "hash": entry.hash}


def line(value: dict[str, Any]) -> bytes:
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False).encode() + b"\n"
