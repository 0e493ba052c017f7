"""Handing the lead of a project over: offered, accepted, and agreed by all who take part."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Request, Response, status
from pydantic import Field

from services.projects.http.fields import Remark
from services.projects.model.decision import ClosesTooLate, ClosesTooSoon, TooManyOpen
from services.projects.model.handover import (
    CandidateNotTakingPart,
    HandoverAnswered,
    HandoverNotFound,
    HandoverOpen,
    NotCandidate,
)
from services.projects.model.project import NotProjectLead, ProjectEnded, ProjectNotFound
from services.projects.model.standing import MemberNotActive
from services.projects.queries.handovers import HandoverSeen, handover_seen, list_handovers
from services.projects.use_cases.accept_lead import accept_lead
from services.projects.use_cases.decline_lead import decline_lead
from services.projects.use_cases.offer_lead import offer_lead
from services.projects.use_cases.withdraw_lead_offer import withdraw_lead_offer
from shared.actor import MissingScope
from shared.contracts.projects import DecisionRule, HandoverState
from shared.fields import Day, Input, Slug, ZoneName
from shared.http.idempotency import Idempotent, KeyInUse, KeyReused
from shared.http.identity import CurrentActor
from shared.http.paging import CurrentPaging, CursorUnknown, Page, page
from shared.http.preconditions import (
    ExpectedVersion,
    VersionRequired,
    VersionStale,
    show_version,
)
from shared.http.problems import refusals
from shared.http.transaction import CurrentReading, Now, Route, Transaction

router = APIRouter(prefix="/api/v1", tags=["handovers"], route_class=Route)

ANSWERING = (
    HandoverNotFound,
    MissingScope,
    MemberNotActive,
    NotCandidate,
    CandidateNotTakingPart,
    VersionRequired,
    VersionStale,
    HandoverAnswered,
    ProjectEnded,
    KeyInUse,
    KeyReused,
)


class HandoverIn(Input):
    """To whom the lead is offered, and how all who take part are asked afterwards."""

    candidate: Slug
    note: Remark | None = None
    rule: DecisionRule = "two_thirds"
    closes_on: Annotated[Day, Field(description="The decision closes at the end of this day.")]
    time_zone: ZoneName


class AnswerIn(Input):
    """What the candidate says."""

    note: Remark | None = None


class HandoverOut(HandoverState):
    """A handover as clients see it."""

    allowed_actions: Annotated[list[str], Field(description="What this caller may do to it now.")]


def handover_out(seen: HandoverSeen) -> HandoverOut:
    handover, standing = seen
    return HandoverOut.model_validate(
        {**vars(handover.state()), "allowed_actions": handover.allowed_actions(standing)}
    )


def answer(response: Response, seen: HandoverSeen) -> HandoverOut:
    out = handover_out(seen)
    show_version(response, out.version)
    return out


@router.post(
    "/projects/{project_id}/handovers",
    status_code=status.HTTP_201_CREATED,
    dependencies=[Idempotent],
    responses=refusals(
        ProjectNotFound,
        MissingScope,
        MemberNotActive,
        NotProjectLead,
        ProjectEnded,
        CandidateNotTakingPart,
        HandoverOpen,
        ClosesTooSoon,
        ClosesTooLate,
        KeyInUse,
        KeyReused,
    ),
)
async def post_project_handover(
    project_id: UUID,
    body: HandoverIn,
    response: Response,
    session: Transaction,
    actor: CurrentActor,
    now: Now,
) -> HandoverOut:
    """Offer the lead to a member that takes part. Only the lead may."""
    seen = await offer_lead(session, project_id, actor=actor, now=now, **dict(body))
    response.headers["Location"] = f"{router.prefix}/handovers/{seen[0].id}"
    return answer(response, seen)


@router.get(
    "/projects/{project_id}/handovers",
    responses=refusals(MissingScope, ProjectNotFound, CursorUnknown),
)
async def get_project_handovers(
    project_id: UUID,
    request: Request,
    response: Response,
    reading: CurrentReading,
    actor: CurrentActor,
    paging: CurrentPaging,
) -> Page[HandoverOut]:
    """List the handovers of a project, oldest first."""
    found, cursor = await list_handovers(reading, paging, project_id, actor=actor)
    return page(request, response, [handover_out(seen) for seen in found], cursor)


@router.get("/handovers/{handover_id}", responses=refusals(MissingScope, HandoverNotFound))
async def get_handover(
    handover_id: UUID, response: Response, reading: CurrentReading, actor: CurrentActor
) -> HandoverOut:
    """Read a handover."""
    return answer(response, await handover_seen(reading, handover_id, actor=actor))


@router.post(
    "/handovers/{handover_id}/acceptance",
    dependencies=[Idempotent],
    responses=refusals(*ANSWERING, TooManyOpen, ClosesTooSoon, ClosesTooLate),
)
async def post_handover_acceptance(
    handover_id: UUID,
    body: AnswerIn,
    response: Response,
    session: Transaction,
    actor: CurrentActor,
    now: Now,
    expected: ExpectedVersion,
) -> HandoverOut:
    """Be ready to lead. Only the candidate may; the decision of all opens with it."""
    seen = await accept_lead(
        session, handover_id, actor=actor, now=now, expected=expected, note=body.note
    )
    return answer(response, seen)


@router.post(
    "/handovers/{handover_id}/declination",
    dependencies=[Idempotent],
    responses=refusals(*ANSWERING),
)
async def post_handover_declination(
    handover_id: UUID,
    body: AnswerIn,
    response: Response,
    session: Transaction,
    actor: CurrentActor,
    now: Now,
    expected: ExpectedVersion,
) -> HandoverOut:
    """Do not want to lead. Only the candidate may."""
    seen = await decline_lead(
        session, handover_id, actor=actor, now=now, expected=expected, note=body.note
    )
    return answer(response, seen)


@router.post(
    "/handovers/{handover_id}/withdrawal",
    dependencies=[Idempotent],
    responses=refusals(
        HandoverNotFound,
        MissingScope,
        MemberNotActive,
        NotProjectLead,
        VersionRequired,
        VersionStale,
        HandoverAnswered,
        ProjectEnded,
        KeyInUse,
        KeyReused,
    ),
)
async def post_handover_withdrawal(
    handover_id: UUID,
    response: Response,
    session: Transaction,
    actor: CurrentActor,
    now: Now,
    expected: ExpectedVersion,
) -> HandoverOut:
    """Take the offer back before it is answered. Only the lead may."""
    seen = await withdraw_lead_offer(session, handover_id, actor=actor, now=now, expected=expected)
    return answer(response, seen)
