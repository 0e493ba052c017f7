"""Decisions over HTTP: questions to the members of a project, and what they say."""

from datetime import datetime
from typing import Annotated, Literal
from uuid import UUID

from fastapi import APIRouter, Query, Request, Response, status
from pydantic import Field
from sqlalchemy.ext.asyncio import AsyncSession

from services.projects.http.deadline_warnings import DeadlineWarningOut, warnings_out
from services.projects.http.fields import Description, ReasonIn, Remark
from services.projects.model.decision import (
    EFFECTS,
    AskedAlready,
    ClosesTooLate,
    ClosesTooSoon,
    CountedOut,
    DecisionClosed,
    DecisionNotFound,
    NotAsked,
    NotProposer,
    NotSettled,
    Question,
    RuleOverrulesAffected,
    TooManyOpen,
)
from services.projects.model.milestone import (
    MilestoneEnded,
    MilestoneUnknown,
    NotLeadOrAccountable,
)
from services.projects.model.participation import (
    AlreadyInvited,
    InvitedMemberNotActive,
    MemberUnknown,
)
from services.projects.model.plan import DeadlineTooEarly, MovedOutsideCalendar, TooManyMoved
from services.projects.model.project import (
    NobodyToAsk,
    ProjectEnded,
    ProjectNotFound,
    ProjectNotUnderWay,
)
from services.projects.model.standing import MemberNotActive, NotParticipating
from services.projects.queries.deadline_warnings import closed_among
from services.projects.queries.decisions import (
    DecisionSeen,
    decision_seen,
    list_decisions,
    list_positions,
)
from services.projects.queries.sorting import DecisionSort
from services.projects.use_cases.close_decision import close_decision
from services.projects.use_cases.open_decision import open_decision
from services.projects.use_cases.take_position import take_position
from services.projects.use_cases.withdraw_decision import withdraw_decision
from shared.actor import MissingScope
from shared.contracts.projects import DecisionRule, DecisionState, DecisionStatus, PositionTaken
from shared.fields import Day, Input, Instant, Lines, Output, Slug, ZoneName
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

router = APIRouter(prefix="/api/v1", tags=["decisions"], route_class=Route)

ASKING = (
    NobodyToAsk,
    TooManyOpen,
    ClosesTooSoon,
    ClosesTooLate,
    NotParticipating,
    NotLeadOrAccountable,
    RuleOverrulesAffected,
    AskedAlready,
)
TO_PROPOSER = (
    DecisionNotFound,
    MissingScope,
    MemberNotActive,
    NotProposer,
    VersionRequired,
    VersionStale,
    DecisionClosed,
    KeyInUse,
    KeyReused,
)


class RescheduleIn(Input):
    """Moves the deadline of a milestone, and what waits for it no further than it must."""

    kind: Literal["reschedule_milestone"]
    milestone_id: UUID
    due_on: Day
    time_zone: ZoneName


class CancellationIn(Input):
    """Cancels a milestone."""

    kind: Literal["cancel_milestone"]
    milestone_id: UUID
    reason: Remark


class AdmissionIn(Input):
    """Invites a member; whether it takes part it answers itself."""

    kind: Literal["admit_member"]
    member: Slug
    role: Literal["participant", "observer"] = "participant"


class CharterIn(Input):
    """Gives the project another charter."""

    kind: Literal["amend_charter"]
    charter: Description


class ClosureIn(Input):
    """Ends the project."""

    kind: Literal["close_project"]
    status: Literal["completed", "cancelled"]
    reason: Remark


EffectIn = Annotated[
    RescheduleIn | CancellationIn | AdmissionIn | CharterIn | ClosureIn,
    Field(discriminator="kind"),
]


class DecisionIn(Input):
    """A question, the rule it stands under, and until when it can be answered."""

    title: Lines
    text: Description
    rule: DecisionRule
    closes_on: Annotated[Day, Field(description="It closes at the end of this day.")]
    time_zone: Annotated[ZoneName, Field(description="Where that day ends.")]
    effect: Annotated[
        EffectIn | None,
        Field(description="What happens with it. The lead changes by a handover instead."),
    ] = None

    @property
    def question(self) -> Question:
        effect = None
        if self.effect is not None:
            effect = EFFECTS.validate_python(self.effect.model_dump())
        return Question(
            self.title,
            self.text,
            rule=self.rule,
            closes_on=self.closes_on,
            time_zone=self.time_zone,
            effect=effect,
        )


class PositionIn(Input):
    """What the caller's member thinks."""

    position: PositionTaken
    reason: Remark | None = None


class PositionOut(Output):
    """What a member said at a time."""

    member: str
    position: PositionTaken
    reason: str | None
    taken_at: datetime
    taken_by: Annotated[str | None, Field(description="The official or client that said it.")]


class DecisionOut(DecisionState):
    """A decision as clients see it."""

    allowed_actions: Annotated[list[str], Field(description="What this caller may do to it now.")]
    warnings: list[DeadlineWarningOut] | None = None
    """Of the day on which it closes; only where it opens."""


def decision_out(seen: DecisionSeen, now: datetime) -> DecisionOut:
    decision, standing = seen
    return DecisionOut.model_validate(
        {**vars(decision.state()), "allowed_actions": decision.allowed_actions(standing, now)}
    )


def answer(response: Response, seen: DecisionSeen, now: datetime) -> DecisionOut:
    out = decision_out(seen, now)
    show_version(response, out.version)
    return out


async def closing_warned(session: AsyncSession, out: DecisionOut) -> DecisionOut:
    """Give the answer to who asks with those in `warnings` that are closed when it closes."""
    asked = [elector.member for elector in out.electorate]
    found = await closed_among(session, asked, out.closes_on, out.time_zone)
    return out.model_copy(update={"warnings": warnings_out(found)})


@router.post(
    "/projects/{project_id}/decisions",
    status_code=status.HTTP_201_CREATED,
    dependencies=[Idempotent],
    responses=refusals(
        ProjectNotFound,
        MissingScope,
        MemberNotActive,
        ProjectEnded,
        ProjectNotUnderWay,
        *ASKING,
        MilestoneUnknown,
        MilestoneEnded,
        DeadlineTooEarly,
        TooManyMoved,
        MovedOutsideCalendar,
        MemberUnknown,
        AlreadyInvited,
        InvitedMemberNotActive,
        KeyInUse,
        KeyReused,
    ),
)
async def post_project_decision(
    project_id: UUID,
    body: DecisionIn,
    response: Response,
    session: Transaction,
    actor: CurrentActor,
    now: Now,
) -> DecisionOut:
    """Put a question to members. Any member that takes part may.

    Who is asked follows from the effect, and is fixed from here on: whoever is affected by what
    happens to a milestone, and else all who take part.
    """
    seen = await open_decision(session, project_id, body.question, actor=actor, now=now)
    response.headers["Location"] = f"{router.prefix}/decisions/{seen[0].id}"
    return await closing_warned(session, answer(response, seen, now))


@router.get(
    "/projects/{project_id}/decisions",
    responses=refusals(MissingScope, ProjectNotFound, CursorUnknown),
)
async def get_project_decisions(
    project_id: UUID,
    request: Request,
    response: Response,
    reading: CurrentReading,
    actor: CurrentActor,
    now: Now,
    paging: CurrentPaging,
    status: DecisionStatus | None = None,
    updated_since: Instant | None = None,
    sort: DecisionSort = "created",
) -> Page[DecisionOut]:
    """List the decisions of a project."""
    found, cursor = await list_decisions(
        reading,
        paging,
        actor=actor,
        sort=sort,
        project_id=project_id,
        status=status,
        updated_since=updated_since,
    )
    return page(request, response, [decision_out(seen, now) for seen in found], cursor)


@router.get("/decisions", responses=refusals(MissingScope, CursorUnknown))
async def get_decisions(
    request: Request,
    response: Response,
    reading: CurrentReading,
    actor: CurrentActor,
    now: Now,
    paging: CurrentPaging,
    member: Annotated[Slug | None, Query(description="Is asked by it.")] = None,
    status: DecisionStatus | None = None,
    updated_since: Instant | None = None,
    sort: DecisionSort = "created",
) -> Page[DecisionOut]:
    """List decisions of all projects that the caller may see."""
    found, cursor = await list_decisions(
        reading,
        paging,
        actor=actor,
        sort=sort,
        member=member,
        status=status,
        updated_since=updated_since,
    )
    return page(request, response, [decision_out(seen, now) for seen in found], cursor)


@router.get("/decisions/{decision_id}", responses=refusals(MissingScope, DecisionNotFound))
async def get_decision(
    decision_id: UUID, response: Response, reading: CurrentReading, actor: CurrentActor, now: Now
) -> DecisionOut:
    """Read a decision with what each member says now."""
    return answer(response, await decision_seen(reading, decision_id, actor=actor), now)


@router.post(
    "/decisions/{decision_id}/positions",
    status_code=status.HTTP_201_CREATED,
    dependencies=[Idempotent],
    responses=refusals(
        DecisionNotFound,
        MissingScope,
        MemberNotActive,
        NotAsked,
        CountedOut,
        DecisionClosed,
        KeyInUse,
        KeyReused,
    ),
)
async def post_decision_position(
    decision_id: UUID,
    body: PositionIn,
    response: Response,
    session: Transaction,
    actor: CurrentActor,
    now: Now,
) -> DecisionOut:
    """Say what the caller's own member thinks, or that it thinks differently now.

    What was said before stays on record. Nobody else can say it for the member.
    """
    seen = await take_position(session, decision_id, actor=actor, now=now, **dict(body))
    return answer(response, seen, now)


@router.get(
    "/decisions/{decision_id}/positions",
    responses=refusals(MissingScope, DecisionNotFound, CursorUnknown),
)
async def get_decision_positions(
    decision_id: UUID,
    request: Request,
    response: Response,
    reading: CurrentReading,
    actor: CurrentActor,
    paging: CurrentPaging,
    member: Slug | None = None,
) -> Page[PositionOut]:
    """List all that was ever said to a decision, oldest first."""
    found, cursor = await list_positions(reading, paging, decision_id, actor=actor, member=member)
    return page(request, response, [PositionOut.model_validate(each) for each in found], cursor)


@router.post(
    "/decisions/{decision_id}/closing",
    dependencies=[Idempotent],
    responses=refusals(*TO_PROPOSER, NotSettled),
)
async def post_decision_closing(
    decision_id: UUID,
    response: Response,
    session: Transaction,
    actor: CurrentActor,
    now: Now,
    expected: ExpectedVersion,
) -> DecisionOut:
    """Close a decision whose rule is met, whatever the silent members say. Only its proposer may.

    Its effect happens with it; `hindrance` says what stood in its way, if something did.
    """
    seen = await close_decision(session, decision_id, actor=actor, now=now, expected=expected)
    return answer(response, seen, now)


@router.post(
    "/decisions/{decision_id}/withdrawal",
    dependencies=[Idempotent],
    responses=refusals(*TO_PROPOSER),
)
async def post_decision_withdrawal(
    decision_id: UUID,
    body: ReasonIn,
    response: Response,
    session: Transaction,
    actor: CurrentActor,
    now: Now,
    expected: ExpectedVersion,
) -> DecisionOut:
    """Take the question back. Only its proposer may."""
    seen = await withdraw_decision(
        session, decision_id, actor=actor, now=now, expected=expected, reason=body.reason
    )
    return answer(response, seen, now)
