"""Contributions over HTTP. They are part of their milestone: its version covers them."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Response, status
from pydantic import Field

from services.projects.http.fields import Evidence, Link, ReasonIn, Remark
from services.projects.http.milestones import CHANGING, WORKING, MilestoneOut, answer
from services.projects.model.contribution import (
    ContributionNotFound,
    NothingDelivered,
    NothingToDeliver,
    NotYourContribution,
)
from services.projects.model.milestone import (
    AccountableOwesAll,
    MemberNotParticipating,
    MilestoneEnded,
    MilestoneNotFound,
    NotLeadOrAccountable,
    TooManyContributions,
)
from services.projects.model.project import ProjectEnded, ProjectNotActive, ProjectNotUnderWay
from services.projects.model.standing import MemberNotActive, NotParticipating
from services.projects.use_cases.accept_contribution import accept_contribution
from services.projects.use_cases.deliver_contribution import deliver_contribution
from services.projects.use_cases.request_contribution import request_contribution
from services.projects.use_cases.return_contribution import return_contribution
from shared.actor import MissingScope
from shared.fields import Input, Slug
from shared.http.idempotency import Idempotent, KeyInUse, KeyReused
from shared.http.identity import CurrentActor
from shared.http.preconditions import ExpectedVersion
from shared.http.problems import refusals
from shared.http.transaction import Now, Route, Transaction

router = APIRouter(
    prefix="/api/v1/milestones/{milestone_id}/contributions",
    tags=["milestones"],
    route_class=Route,
)


class ContributionIn(Input):
    """What a participating member is asked for."""

    member: Slug
    description: Remark


class DeliveryIn(Input):
    """What shows that the contribution is there."""

    evidence: Evidence
    links: Annotated[
        tuple[Link, ...], Field(max_length=20, description="Where it can be found.")
    ] = ()


@router.post(
    "",
    status_code=status.HTTP_201_CREATED,
    dependencies=[Idempotent],
    responses=refusals(
        MilestoneNotFound,
        MissingScope,
        MemberNotActive,
        NotLeadOrAccountable,
        NotParticipating,
        ProjectEnded,
        ProjectNotUnderWay,
        MilestoneEnded,
        TooManyContributions,
        AccountableOwesAll,
        MemberNotParticipating,
        KeyInUse,
        KeyReused,
    ),
)
async def post_contribution(
    milestone_id: UUID,
    body: ContributionIn,
    response: Response,
    session: Transaction,
    actor: CurrentActor,
    now: Now,
) -> MilestoneOut:
    """Ask a participating member to contribute. The lead and the accountable member may."""
    seen = await request_contribution(
        session,
        milestone_id,
        actor=actor,
        now=now,
        member=body.member,
        description=body.description,
    )
    response.headers["Location"] = f"/api/v1/milestones/{milestone_id}"
    return answer(response, seen, now)


@router.post(
    "/{contribution_id}/delivery",
    dependencies=[Idempotent],
    responses=refusals(
        *CHANGING,
        ContributionNotFound,
        NotYourContribution,
        NotParticipating,
        ProjectNotActive,
        NothingToDeliver,
    ),
)
async def post_contribution_delivery(
    milestone_id: UUID,
    contribution_id: UUID,
    body: DeliveryIn,
    response: Response,
    session: Transaction,
    actor: CurrentActor,
    now: Now,
    expected: ExpectedVersion,
) -> MilestoneOut:
    """Deliver, for the first time or after it was returned. Only the member that owes it may."""
    seen = await deliver_contribution(
        session,
        milestone_id,
        contribution_id,
        actor=actor,
        now=now,
        expected=expected,
        evidence=body.evidence,
        links=body.links,
    )
    return answer(response, seen, now)


@router.post(
    "/{contribution_id}/acceptance",
    dependencies=[Idempotent],
    responses=refusals(*WORKING, ContributionNotFound, NothingDelivered),
)
async def post_contribution_acceptance(
    milestone_id: UUID,
    contribution_id: UUID,
    response: Response,
    session: Transaction,
    actor: CurrentActor,
    now: Now,
    expected: ExpectedVersion,
) -> MilestoneOut:
    """Take a delivered contribution, finally. Only the accountable member may."""
    seen = await accept_contribution(
        session, milestone_id, contribution_id, actor=actor, now=now, expected=expected
    )
    return answer(response, seen, now)


@router.post(
    "/{contribution_id}/return",
    dependencies=[Idempotent],
    responses=refusals(*WORKING, ContributionNotFound, NothingDelivered),
)
async def post_contribution_return(
    milestone_id: UUID,
    contribution_id: UUID,
    body: ReasonIn,
    response: Response,
    session: Transaction,
    actor: CurrentActor,
    now: Now,
    expected: ExpectedVersion,
) -> MilestoneOut:
    """Give a delivered contribution back. Only the accountable member may."""
    seen = await return_contribution(
        session,
        milestone_id,
        contribution_id,
        actor=actor,
        now=now,
        expected=expected,
        reason=body.reason,
    )
    return answer(response, seen, now)
