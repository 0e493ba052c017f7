"""What waits for a member, over HTTP."""

from datetime import date, datetime
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query, Request, Response
from pydantic import Field

from services.projects.model.obligation import City, NotYourObligations
from services.projects.queries.obligations import Obligation, ObligationKind, list_obligations
from shared.actor import MissingScope
from shared.fields import Output, Slug
from shared.http.identity import CurrentActor
from shared.http.paging import CurrentPaging, CursorUnknown, Page, page
from shared.http.problems import refusals
from shared.http.transaction import CurrentReading, Now, Route

router = APIRouter(prefix="/api/v1/obligations", tags=["obligations"], route_class=Route)


class OfProjectOut(Output):
    """The project in which something waits."""

    id: UUID
    reference: str
    title: dict[str, str]


class WaitingOut(Output):
    """What waits: a participation, a contribution or a milestone."""

    kind: str
    id: UUID
    title: Annotated[
        dict[str, str] | None, Field(description="Of the milestone, where it belongs to one.")
    ]
    milestone_id: UUID | None


class ObligationOut(Output):
    """Something that only this member can do, and until when it should."""

    kind: ObligationKind
    project: OfProjectOut
    subject: WaitingOut
    since: datetime
    due_on: date | None
    time_zone: Annotated[str | None, Field(description="Where the day ends.")]
    due_at: datetime | None
    is_overdue: bool
    working_days_left: Annotated[
        int | None, Field(description="In the member's own city; nothing without a deadline.")
    ]


def obligation_out(obligation: Obligation, city: City, now: datetime) -> ObligationOut:
    due_at = obligation.due_at
    return ObligationOut.model_validate(
        {
            "kind": obligation.kind,
            "project": {
                "id": obligation.project_id,
                "reference": obligation.project_reference,
                "title": obligation.project_title,
            },
            "subject": {
                "kind": obligation.subject_kind,
                "id": obligation.subject_id,
                "title": obligation.title,
                "milestone_id": obligation.milestone_id,
            },
            "since": obligation.since,
            "due_on": obligation.due_on,
            "time_zone": obligation.time_zone,
            "due_at": due_at,
            "is_overdue": due_at is not None and due_at <= now,
            "working_days_left": None if due_at is None else city.working_days_left(now, due_at),
        }
    )


@router.get("", responses=refusals(MissingScope, NotYourObligations, CursorUnknown))
async def get_obligations(
    request: Request,
    response: Response,
    reading: CurrentReading,
    actor: CurrentActor,
    paging: CurrentPaging,
    now: Now,
    member: Annotated[
        Slug | None, Query(description="The caller's own, which it is if not given.")
    ] = None,
    kind: ObligationKind | None = None,
) -> Page[ObligationOut]:
    """List what waits for the caller's member, the nearest deadline first, then what has none."""
    found, cursor = await list_obligations(
        reading, paging, actor=actor, member=member or actor.member, kind=kind
    )
    items = [obligation_out(obligation, city, now) for obligation, city in found]
    return page(request, response, items, cursor)
