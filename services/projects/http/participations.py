"""Participations over HTTP: invitations and what members answer."""

from typing import Annotated, Literal
from uuid import UUID

from fastapi import APIRouter, Query, Request, Response, status
from pydantic import Field

from services.projects.http.fields import Remark
from services.projects.model.participation import (
    AlreadyInvited,
    InvitationAnswered,
    InvitedMemberNotActive,
    MemberUnknown,
    NotTakingPart,
    NotYourInvitation,
    NotYourParticipation,
    ParticipationNotFound,
    WithdrawalInThePast,
)
from services.projects.model.project import (
    NotProjectLead,
    ProjectEnded,
    ProjectNotFound,
    ProjectNotUnderWay,
)
from services.projects.model.standing import MemberNotActive
from services.projects.queries.participations import (
    ParticipationSeen,
    list_participations,
    list_participations_of_project,
    participation_seen,
)
from services.projects.queries.sorting import Sort
from services.projects.use_cases.accept_invitation import accept_invitation
from services.projects.use_cases.decline_invitation import decline_invitation
from services.projects.use_cases.invite_member import invite_member
from services.projects.use_cases.withdraw_participation import withdraw_participation
from shared.actor import MissingScope
from shared.contracts.projects import ParticipationState, ParticipationStatus
from shared.fields import Day, Input, Instant, Slug
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

router = APIRouter(prefix="/api/v1", tags=["participations"], route_class=Route)

ANSWERING = (
    ParticipationNotFound,
    MissingScope,
    MemberNotActive,
    NotYourInvitation,
    VersionRequired,
    VersionStale,
    InvitationAnswered,
    ProjectEnded,
    ProjectNotUnderWay,
    KeyInUse,
    KeyReused,
)


class InvitationIn(Input):
    """Whom the lead asks to take part."""

    member: Slug
    role: Literal["participant", "observer"] = "participant"
    note: Remark | None = None


class AcceptanceIn(Input):
    """How a member accepts."""

    reservation: Annotated[
        Remark | None, Field(description="What the member does not agree to, if anything.")
    ] = None
    note: Remark | None = None


class DeclinationIn(Input):
    """How a member declines."""

    note: Remark | None = None


class WithdrawalIn(Input):
    """Why and from when on a member takes part no longer."""

    withdrawn_on: Annotated[
        Day | None, Field(description="The day to record; today where the member is if left out.")
    ] = None
    note: Remark


class ParticipationOut(ParticipationState):
    """A member's place in a project as clients see it."""

    allowed_actions: Annotated[list[str], Field(description="What this caller may do to it now.")]


def participation_out(seen: ParticipationSeen) -> ParticipationOut:
    participation, standing = seen
    actions = participation.allowed_actions(standing)
    return ParticipationOut.model_validate(
        {**vars(participation.state()), "allowed_actions": actions}
    )


def answer(response: Response, seen: ParticipationSeen) -> ParticipationOut:
    out = participation_out(seen)
    show_version(response, out.version)
    return out


@router.post(
    "/projects/{project_id}/participations",
    status_code=status.HTTP_201_CREATED,
    dependencies=[Idempotent],
    responses=refusals(
        ProjectNotFound,
        MissingScope,
        MemberNotActive,
        NotProjectLead,
        ProjectEnded,
        ProjectNotUnderWay,
        MemberUnknown,
        AlreadyInvited,
        InvitedMemberNotActive,
        KeyInUse,
        KeyReused,
    ),
)
async def post_project_participation(
    project_id: UUID,
    body: InvitationIn,
    response: Response,
    session: Transaction,
    actor: CurrentActor,
    now: Now,
) -> ParticipationOut:
    """Invite a member. Only the lead may, and only the member itself can answer."""
    seen = await invite_member(session, project_id, actor=actor, now=now, **dict(body))
    response.headers["Location"] = f"{router.prefix}/participations/{seen[0].id}"
    return answer(response, seen)


@router.get(
    "/projects/{project_id}/participations",
    responses=refusals(MissingScope, ProjectNotFound, CursorUnknown),
)
async def get_project_participations(
    project_id: UUID,
    request: Request,
    response: Response,
    reading: CurrentReading,
    actor: CurrentActor,
    paging: CurrentPaging,
    status: ParticipationStatus | None = None,
    updated_since: Instant | None = None,
    sort: Sort = "created",
) -> Page[ParticipationOut]:
    """List who was invited to a project and what they answered. The lead has no line here."""
    found, cursor = await list_participations_of_project(
        reading,
        paging,
        project_id,
        actor=actor,
        sort=sort,
        status=status,
        updated_since=updated_since,
    )
    return page(request, response, [participation_out(seen) for seen in found], cursor)


@router.get("/participations", responses=refusals(MissingScope, CursorUnknown))
async def get_participations(
    request: Request,
    response: Response,
    reading: CurrentReading,
    actor: CurrentActor,
    paging: CurrentPaging,
    member: Annotated[
        Slug | None,
        Query(
            description="Of this member; the caller's own if neither this nor a project is given."
        ),
    ] = None,
    status: ParticipationStatus | None = None,
    project_id: UUID | None = None,
    updated_since: Instant | None = None,
    sort: Sort = "created",
) -> Page[ParticipationOut]:
    """List participations in the projects that the caller may see."""
    if member is None and project_id is None:
        member = actor.member
    found, cursor = await list_participations(
        reading,
        paging,
        actor=actor,
        sort=sort,
        project_id=project_id,
        member=member,
        status=status,
        updated_since=updated_since,
    )
    return page(request, response, [participation_out(seen) for seen in found], cursor)


@router.get(
    "/participations/{participation_id}", responses=refusals(MissingScope, ParticipationNotFound)
)
async def get_participation(
    participation_id: UUID, response: Response, reading: CurrentReading, actor: CurrentActor
) -> ParticipationOut:
    """Read a participation."""
    return answer(response, await participation_seen(reading, participation_id, actor=actor))


@router.post(
    "/participations/{participation_id}/acceptance",
    dependencies=[Idempotent],
    responses=refusals(*ANSWERING),
)
async def post_participation_acceptance(
    participation_id: UUID,
    body: AcceptanceIn,
    response: Response,
    session: Transaction,
    actor: CurrentActor,
    now: Now,
    expected: ExpectedVersion,
) -> ParticipationOut:
    """Take part. Only the invited member itself may answer."""
    seen = await accept_invitation(
        session,
        participation_id,
        actor=actor,
        now=now,
        expected=expected,
        reservation=body.reservation,
        note=body.note,
    )
    return answer(response, seen)


@router.post(
    "/participations/{participation_id}/declination",
    dependencies=[Idempotent],
    responses=refusals(*ANSWERING),
)
async def post_participation_declination(
    participation_id: UUID,
    body: DeclinationIn,
    response: Response,
    session: Transaction,
    actor: CurrentActor,
    now: Now,
    expected: ExpectedVersion,
) -> ParticipationOut:
    """Do not take part. Only the invited member itself may answer."""
    seen = await decline_invitation(
        session, participation_id, actor=actor, now=now, expected=expected, note=body.note
    )
    return answer(response, seen)


@router.post(
    "/participations/{participation_id}/withdrawal",
    dependencies=[Idempotent],
    responses=refusals(
        ParticipationNotFound,
        MissingScope,
        MemberNotActive,
        NotYourParticipation,
        VersionRequired,
        VersionStale,
        NotTakingPart,
        ProjectEnded,
        WithdrawalInThePast,
        KeyInUse,
        KeyReused,
    ),
)
async def post_participation_withdrawal(
    participation_id: UUID,
    body: WithdrawalIn,
    response: Response,
    session: Transaction,
    actor: CurrentActor,
    now: Now,
    expected: ExpectedVersion,
) -> ParticipationOut:
    """Take part no longer, at once. Only the participating member itself may."""
    seen = await withdraw_participation(
        session,
        participation_id,
        actor=actor,
        now=now,
        expected=expected,
        withdrawn_on=body.withdrawn_on,
        note=body.note,
    )
    return answer(response, seen)
