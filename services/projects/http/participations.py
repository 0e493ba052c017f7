"""Participations over HTTP: invitations and what members answer."""

from collections.abc import Iterable
from datetime import date, datetime
from typing import Annotated, Literal
from uuid import UUID

from fastapi import APIRouter, Query, Request, Response, status
from pydantic import Field, TypeAdapter

from services.projects.http.fields import Remark
from services.projects.model.answer_time import AnswerTimePast
from services.projects.model.duty import Duty
from services.projects.model.participation import (
    AlreadyInvited,
    AnswerTimeNotLonger,
    InvitationAnswered,
    InvitationExpired,
    InvitedMemberNotActive,
    LeadCannotWithdraw,
    MemberUnknown,
    NotTakingPart,
    NotYourInvitation,
    NotYourParticipation,
    NoWithdrawalAnnounced,
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
from services.projects.queries.duties import duties_left, duties_seen
from services.projects.queries.participations import (
    ParticipationSeen,
    list_participations,
    list_participations_of_project,
    participation_seen,
)
from services.projects.queries.sorting import Sort
from services.projects.use_cases.accept_invitation import accept_invitation
from services.projects.use_cases.decline_invitation import decline_invitation
from services.projects.use_cases.extend_invitation import extend_invitation
from services.projects.use_cases.invite_member import invite_member
from services.projects.use_cases.retract_withdrawal import retract_withdrawal
from services.projects.use_cases.revoke_invitation import revoke_invitation
from services.projects.use_cases.withdraw_participation import withdraw_participation
from shared.actor import MissingScope
from shared.contracts.projects import (
    ContributionStatus,
    MilestoneStatus,
    ParticipationState,
    ParticipationStatus,
)
from shared.fields import Day, Input, Instant, Output, Slug, ZoneName
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
    InvitationExpired,
    ProjectEnded,
    ProjectNotUnderWay,
    KeyInUse,
    KeyReused,
)
INVITING = (
    ParticipationNotFound,
    MissingScope,
    MemberNotActive,
    NotProjectLead,
    VersionRequired,
    VersionStale,
    InvitationAnswered,
    InvitationExpired,
    ProjectEnded,
    KeyInUse,
    KeyReused,
)
LEAVING = (
    ParticipationNotFound,
    MissingScope,
    MemberNotActive,
    NotYourParticipation,
    VersionRequired,
    VersionStale,
    NotTakingPart,
    LeadCannotWithdraw,
    ProjectEnded,
    KeyInUse,
    KeyReused,
)

OnDay = Annotated[
    Day | None,
    Query(
        description="Only those who took part on this day: who had accepted by then and had not"
        " withdrawn from that day or an earlier one on, each where it is."
    ),
]


class InvitationIn(Input):
    """Whom the lead asks to take part."""

    member: Slug
    role: Literal["participant", "observer"] = "participant"
    note: Remark | None = None
    answer_by_on: Annotated[
        Day | None, Field(description="The last day to answer; thirty days from now if left out.")
    ] = None
    time_zone: Annotated[
        ZoneName | None,
        Field(description="Where that day ends; where the invited member is if left out."),
    ] = None


class ExtensionIn(Input):
    """Until when an invited member may answer."""

    answer_by_on: Day
    time_zone: Annotated[ZoneName, Field(description="Where the day ends.")]


class RevocationIn(Input):
    """What the lead says when it takes an invitation back."""

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
        Day | None,
        Field(
            description="The first day without it, where the member is; at once if left out. For a"
            " day that has not come this is notice: until then the member keeps its place."
        ),
    ] = None
    note: Remark


class RetractionIn(Input):
    """What a member says when it stays after all."""

    note: Remark | None = None


class MilestoneDutyOut(Output):
    """A milestone that the member is accountable for, and that is not done."""

    kind: Literal["complete_milestone"]
    id: UUID
    title: dict[str, str]
    due_on: date
    time_zone: str
    due_at: datetime
    status: MilestoneStatus


class ContributionDutyOut(Output):
    """A contribution that the member has to deliver, for the first time or again."""

    kind: Literal["deliver_contribution"]
    id: UUID
    milestone_id: UUID
    title: Annotated[dict[str, str], Field(description="Of the milestone.")]
    description: str
    due_on: date
    time_zone: str
    due_at: datetime
    status: ContributionStatus


class AcceptanceDutyOut(Output):
    """A delivered contribution that the member has to accept or to return."""

    kind: Literal["accept_contribution"]
    id: UUID
    milestone_id: UUID
    title: Annotated[dict[str, str], Field(description="Of the milestone.")]
    description: str
    from_member: str
    due_on: date
    time_zone: str
    due_at: datetime


class PositionDutyOut(Output):
    """A question that the member has not answered; it closes at the end of `due_on`."""

    kind: Literal["take_position"]
    id: UUID
    title: dict[str, str]
    due_on: date
    time_zone: str
    due_at: datetime


DutyOut = Annotated[
    MilestoneDutyOut | ContributionDutyOut | AcceptanceDutyOut | PositionDutyOut,
    Field(discriminator="kind"),
]
DUTIES: TypeAdapter[list[DutyOut]] = TypeAdapter(list[DutyOut])


class DutiesOut(Output):
    """What a member owes to a project now, the most urgent first; more kinds may come."""

    items: list[DutyOut]


class ParticipationOut(ParticipationState):
    """A member's place in a project as clients see it."""

    allowed_actions: Annotated[list[str], Field(description="What this caller may do to it now.")]


class WithdrawalOut(ParticipationOut):
    """A place that its member gives up, and what it leaves behind."""

    duties: Annotated[list[DutyOut], Field(description="What it owes to the project now.")]


def participation_out(seen: ParticipationSeen, now: datetime) -> ParticipationOut:
    participation, standing = seen
    actions = participation.allowed_actions(standing, now)
    return ParticipationOut.model_validate(
        {**vars(participation.state()), "allowed_actions": actions}
    )


def answer(response: Response, seen: ParticipationSeen, now: datetime) -> ParticipationOut:
    out = participation_out(seen, now)
    show_version(response, out.version)
    return out


def duties_out(duties: Iterable[Duty]) -> list[DutyOut]:
    return DUTIES.validate_python(list(duties), from_attributes=True)


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
        AnswerTimePast,
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
    return answer(response, seen, now)


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
    now: Now,
    status: ParticipationStatus | None = None,
    on: OnDay = None,
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
        on=on,
        updated_since=updated_since,
    )
    return page(request, response, [participation_out(seen, now) for seen in found], cursor)


@router.get("/participations", responses=refusals(MissingScope, CursorUnknown))
async def get_participations(
    request: Request,
    response: Response,
    reading: CurrentReading,
    actor: CurrentActor,
    paging: CurrentPaging,
    now: Now,
    member: Annotated[
        Slug | None,
        Query(
            description="Of this member; the caller's own if neither this nor a project is given."
        ),
    ] = None,
    status: ParticipationStatus | None = None,
    project_id: UUID | None = None,
    on: OnDay = None,
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
        on=on,
        updated_since=updated_since,
    )
    return page(request, response, [participation_out(seen, now) for seen in found], cursor)


@router.get(
    "/participations/{participation_id}", responses=refusals(MissingScope, ParticipationNotFound)
)
async def get_participation(
    participation_id: UUID,
    response: Response,
    reading: CurrentReading,
    actor: CurrentActor,
    now: Now,
) -> ParticipationOut:
    """Read a participation."""
    return answer(response, await participation_seen(reading, participation_id, actor=actor), now)


@router.get(
    "/participations/{participation_id}/duties",
    responses=refusals(MissingScope, ParticipationNotFound),
)
async def get_participation_duties(
    participation_id: UUID, reading: CurrentReading, actor: CurrentActor
) -> DutiesOut:
    """List what a member owes to the project now: what it leaves behind if it withdraws."""
    duties = await duties_seen(reading, participation_id, actor=actor)
    return DutiesOut(items=duties_out(duties))


@router.post(
    "/participations/{participation_id}/extension",
    dependencies=[Idempotent],
    responses=refusals(*INVITING, AnswerTimePast, AnswerTimeNotLonger),
)
async def post_participation_extension(
    participation_id: UUID,
    body: ExtensionIn,
    response: Response,
    session: Transaction,
    actor: CurrentActor,
    now: Now,
    expected: ExpectedVersion,
) -> ParticipationOut:
    """Give an invited member more time to answer. Only the lead may."""
    seen = await extend_invitation(
        session,
        participation_id,
        actor=actor,
        now=now,
        expected=expected,
        answer_by_on=body.answer_by_on,
        time_zone=body.time_zone,
    )
    return answer(response, seen, now)


@router.post(
    "/participations/{participation_id}/revocation",
    dependencies=[Idempotent],
    responses=refusals(*INVITING),
)
async def post_participation_revocation(
    participation_id: UUID,
    body: RevocationIn,
    response: Response,
    session: Transaction,
    actor: CurrentActor,
    now: Now,
    expected: ExpectedVersion,
) -> ParticipationOut:
    """Take back an invitation that nobody has answered. Only the lead may."""
    seen = await revoke_invitation(
        session, participation_id, actor=actor, now=now, expected=expected, note=body.note
    )
    return answer(response, seen, now)


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
    return answer(response, seen, now)


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
    return answer(response, seen, now)


@router.post(
    "/participations/{participation_id}/withdrawal",
    dependencies=[Idempotent],
    responses=refusals(*LEAVING, WithdrawalInThePast),
)
async def post_participation_withdrawal(
    participation_id: UUID,
    body: WithdrawalIn,
    response: Response,
    session: Transaction,
    actor: CurrentActor,
    now: Now,
    expected: ExpectedVersion,
) -> WithdrawalOut:
    """Take part no longer, at once or from a later day on. Only the member itself may."""
    seen = await withdraw_participation(
        session,
        participation_id,
        actor=actor,
        now=now,
        expected=expected,
        withdrawn_on=body.withdrawn_on,
        note=body.note,
    )
    out = answer(response, seen, now)
    duties = await duties_left(session, seen[0])
    return WithdrawalOut.model_validate({**vars(out), "duties": duties_out(duties)})


@router.post(
    "/participations/{participation_id}/retraction",
    dependencies=[Idempotent],
    responses=refusals(*LEAVING, NoWithdrawalAnnounced),
)
async def post_participation_retraction(
    participation_id: UUID,
    body: RetractionIn,
    response: Response,
    session: Transaction,
    actor: CurrentActor,
    now: Now,
    expected: ExpectedVersion,
) -> ParticipationOut:
    """Stay after all, before the announced day. Only the participating member itself may."""
    seen = await retract_withdrawal(
        session, participation_id, actor=actor, now=now, expected=expected, note=body.note
    )
    return answer(response, seen, now)
