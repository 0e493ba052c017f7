"""Milestones over HTTP."""

from datetime import date, datetime
from typing import Annotated, Literal, TypedDict, cast
from uuid import UUID

from fastapi import APIRouter, Query, Request, Response, status
from pydantic import Field, field_validator, model_validator

from services.projects.http.deadline_warnings import DeadlineWarningOut, warned, warnings_out
from services.projects.http.decisions import ASKING, DecisionOut, closing_warned, decision_out
from services.projects.http.fields import Description, ReasonIn
from services.projects.model.decision import Question
from services.projects.model.milestone import (
    ContributionsOpen,
    MemberNotParticipating,
    MilestoneChanges,
    MilestoneEnded,
    MilestoneNotFound,
    MilestoneNotStarted,
    MilestoneStartedBefore,
    NotAccountable,
    NotLeadOrAccountable,
    OthersAreAffected,
    PredecessorsOpen,
    TooManyMilestones,
)
from services.projects.model.plan import (
    DEPENDENCIES_MAX,
    LAG_DAYS_MAX,
    DeadlineTooEarly,
    Dependency,
    DependencyCycle,
    DependencyUnknown,
    MovedOutsideCalendar,
    TooManyDependencies,
    TooManyMoved,
)
from services.projects.model.project import (
    NotProjectLead,
    ProjectEnded,
    ProjectNotActive,
    ProjectNotFound,
    ProjectNotUnderWay,
)
from services.projects.model.standing import MemberNotActive, NotParticipating
from services.projects.queries.deadline_warnings import deadline_warnings
from services.projects.queries.milestones import (
    MilestoneSeen,
    list_milestones,
    list_milestones_of_project,
    milestone_seen,
)
from services.projects.queries.sorting import MilestoneSort
from services.projects.use_cases.cancel_milestone import cancel_milestone
from services.projects.use_cases.change_dependencies import change_dependencies
from services.projects.use_cases.change_milestone import change_milestone
from services.projects.use_cases.complete_milestone import complete_milestone
from services.projects.use_cases.plan_milestone import plan_milestone
from services.projects.use_cases.report_progress import report_progress
from services.projects.use_cases.reschedule_milestone import (
    Foreseen,
    ask_to_reschedule,
    foresee_reschedule,
    reschedule_milestone,
)
from services.projects.use_cases.start_milestone import start_milestone
from shared.actor import MissingScope
from shared.contracts.projects import (
    ContributionState,
    MilestoneState,
    MilestoneStatus,
    RescheduleMilestone,
)
from shared.fields import OMITTED, Day, Input, Instant, Lines, Output, Slug, Whole, ZoneName
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

router = APIRouter(prefix="/api/v1", tags=["milestones"], route_class=Route)

CHANGING = (
    MilestoneNotFound,
    MissingScope,
    MemberNotActive,
    VersionRequired,
    VersionStale,
    KeyInUse,
    KeyReused,
    ProjectEnded,
    MilestoneEnded,
)
PLANNING = (*CHANGING, NotProjectLead, ProjectNotUnderWay)
MOVING = (DeadlineTooEarly, TooManyMoved, MovedOutsideCalendar)
WORKING = (*CHANGING, NotAccountable, NotParticipating, ProjectNotActive)


class MilestoneIn(Input):
    """A result to be owed by the end of a local day."""

    title: Lines
    description: Description | None = None
    due_on: Day
    time_zone: Annotated[ZoneName, Field(description="Where the day ends.")]
    accountable: Annotated[Slug, Field(description="The lead or an invited participant.")]


class MilestonePatch(Input):
    """What is to change; fields that are left out stay as they are."""

    title: Lines = OMITTED
    description: Description | None = OMITTED

    @model_validator(mode="after")
    def names_something(self) -> "MilestonePatch":
        if not self.model_fields_set:
            raise ValueError("must name at least one field")
        return self


class DeadlineIn(Input):
    """Another deadline."""

    due_on: Day
    time_zone: ZoneName


class ConsentIn(Input):
    """How the members that a new deadline touches are asked, if it touches any."""

    title: Lines
    text: Description
    rule: Annotated[
        Literal["unanimity", "silence"],
        Field(description="One objection is enough under either."),
    ] = "unanimity"
    closes_on: Day
    time_zone: ZoneName


class RescheduleIn(DeadlineIn):
    """Another deadline, and how to ask for it where that is needed."""

    ask: Annotated[
        ConsentIn | None,
        Field(description="Opens a decision if others are touched; without it that is refused."),
    ] = None


class ProgressIn(Input):
    """How far it is."""

    progress_percent: Annotated[Whole, Field(le=100)]
    forecast_on: Annotated[
        Day | None, Field(description="When it is expected to be done, where it is due.")
    ] = None


class DependencyIn(Input):
    """What it waits for."""

    milestone_id: UUID
    lag_days: Annotated[Whole, Field(le=LAG_DAYS_MAX, description="How many days longer.")] = 0


class DependenciesIn(Input):
    """All that it waits for."""

    depends_on: Annotated[tuple[DependencyIn, ...], Field(max_length=DEPENDENCIES_MAX)]

    @field_validator("depends_on")
    @classmethod
    def names_each_once(cls, value: tuple[DependencyIn, ...]) -> tuple[DependencyIn, ...]:
        if len({one.milestone_id for one in value}) < len(value):
            raise ValueError("must name each milestone once")
        return value

    def dependencies(self) -> list[Dependency]:
        return [Dependency(one.milestone_id, one.lag_days) for one in self.depends_on]


class MovedOut(Output):
    """A milestone that would have to move with another."""

    milestone_id: UUID
    due_on: date


class RescheduleForeseen(Output):
    """What a new deadline would touch. Nothing has been changed."""

    milestone_id: UUID
    due_on: date
    time_zone: str
    moved: Annotated[list[MovedOut], Field(description="Those that would have to move with it.")]
    waiting: Annotated[list[UUID], Field(description="All open milestones that wait for it.")]
    affected_members: Annotated[list[str], Field(description="Besides the lead.")]
    needs_decision: Annotated[bool, Field(description="Whether they have to be asked.")]
    warnings: Annotated[list[DeadlineWarningOut], Field(description="Of the new deadline.")]


class Deadline(TypedDict):
    due_on: date
    time_zone: str


class ContributionOut(ContributionState):
    """What one member owes to a milestone, as clients see it."""

    allowed_actions: Annotated[list[str], Field(description="What this caller may do to it now.")]


class MilestoneOut(MilestoneState):
    """A milestone as clients see it."""

    contributions: tuple[ContributionOut, ...]
    allowed_actions: Annotated[list[str], Field(description="What this caller may do to it now.")]
    warnings: list[DeadlineWarningOut] | None = None
    """Of the deadline; only where one milestone is planned, rescheduled or read."""


def milestone_out(seen: MilestoneSeen, now: datetime) -> MilestoneOut:
    milestone, standing = seen
    state = milestone.state()
    contributions = [
        {
            **vars(shown),
            "allowed_actions": milestone.allowed_actions_on(contribution, standing),
        }
        for shown, contribution in zip(state.contributions, milestone.contributions, strict=True)
    ]
    return MilestoneOut.model_validate(
        {
            **vars(state),
            "contributions": contributions,
            "allowed_actions": milestone.allowed_actions(standing, now),
        }
    )


def answer(response: Response, seen: MilestoneSeen, now: datetime) -> MilestoneOut:
    out = milestone_out(seen, now)
    show_version(response, out.version)
    return out


@router.post(
    "/projects/{project_id}/milestones",
    status_code=status.HTTP_201_CREATED,
    dependencies=[Idempotent],
    responses=refusals(
        ProjectNotFound,
        MissingScope,
        MemberNotActive,
        NotProjectLead,
        ProjectEnded,
        ProjectNotUnderWay,
        MemberNotParticipating,
        TooManyMilestones,
        KeyInUse,
        KeyReused,
    ),
)
async def post_project_milestone(
    project_id: UUID,
    body: MilestoneIn,
    response: Response,
    session: Transaction,
    actor: CurrentActor,
    now: Now,
) -> MilestoneOut:
    """Plan a milestone. Only the lead may."""
    seen = await plan_milestone(session, project_id, actor=actor, now=now, **dict(body))
    response.headers["Location"] = f"{router.prefix}/milestones/{seen[0].id}"
    return await warned(session, seen[0], answer(response, seen, now))


@router.get(
    "/projects/{project_id}/milestones",
    responses=refusals(MissingScope, ProjectNotFound, CursorUnknown),
)
async def get_project_milestones(
    project_id: UUID,
    request: Request,
    response: Response,
    reading: CurrentReading,
    actor: CurrentActor,
    now: Now,
    paging: CurrentPaging,
    status: MilestoneStatus | None = None,
    overdue: bool | None = None,
    updated_since: Instant | None = None,
    sort: MilestoneSort = "created",
) -> Page[MilestoneOut]:
    """List the milestones of a project with what is contributed to them."""
    found, cursor = await list_milestones_of_project(
        reading,
        paging,
        project_id,
        actor=actor,
        sort=sort,
        status=status,
        overdue=overdue,
        updated_since=updated_since,
    )
    return page(request, response, [milestone_out(seen, now) for seen in found], cursor)


@router.get("/milestones", responses=refusals(MissingScope, CursorUnknown))
async def get_milestones(
    request: Request,
    response: Response,
    reading: CurrentReading,
    actor: CurrentActor,
    now: Now,
    paging: CurrentPaging,
    member: Annotated[
        Slug | None, Query(description="Is accountable for it or contributes to it.")
    ] = None,
    status: MilestoneStatus | None = None,
    due_before: Instant | None = None,
    overdue: bool | None = None,
    updated_since: Instant | None = None,
    sort: MilestoneSort = "created",
) -> Page[MilestoneOut]:
    """List milestones of all projects that the caller may see."""
    found, cursor = await list_milestones(
        reading,
        paging,
        actor=actor,
        sort=sort,
        member=member,
        status=status,
        due_before=due_before,
        overdue=overdue,
        updated_since=updated_since,
    )
    return page(request, response, [milestone_out(seen, now) for seen in found], cursor)


@router.get("/milestones/{milestone_id}", responses=refusals(MissingScope, MilestoneNotFound))
async def get_milestone(
    milestone_id: UUID, response: Response, reading: CurrentReading, actor: CurrentActor, now: Now
) -> MilestoneOut:
    """Read a milestone."""
    seen = await milestone_seen(reading, milestone_id, actor=actor)
    return await warned(reading, seen[0], answer(response, seen, now))


@router.patch("/milestones/{milestone_id}", responses=refusals(*PLANNING))
async def patch_milestone(
    milestone_id: UUID,
    body: MilestonePatch,
    response: Response,
    session: Transaction,
    actor: CurrentActor,
    now: Now,
    expected: ExpectedVersion,
) -> MilestoneOut:
    """Word a milestone differently. Only the lead may."""
    changes = cast(MilestoneChanges, body.model_dump(exclude_unset=True))
    seen = await change_milestone(
        session, milestone_id, actor=actor, now=now, expected=expected, changes=changes
    )
    return answer(response, seen, now)


@router.post(
    "/milestones/{milestone_id}/reschedule",
    dependencies=[Idempotent],
    responses={
        202: {"model": DecisionOut, "description": "The members that it touches are asked"},
        **refusals(*PLANNING, *MOVING, OthersAreAffected, *ASKING),
    },
)
async def post_milestone_reschedule(
    milestone_id: UUID,
    body: RescheduleIn,
    response: Response,
    session: Transaction,
    actor: CurrentActor,
    now: Now,
    expected: ExpectedVersion,
    dry_run: Annotated[bool, Query(description="Say what it would touch, and do nothing.")] = False,
) -> MilestoneOut | DecisionOut | RescheduleForeseen:
    """Move the deadline, or ask those whom it touches. What waits for it moves as far as it must.

    The lead may move alone only what touches no other member. Where others are accountable or
    contribute, here or in what waits for it, exactly those are asked.
    """
    wanted: Deadline = {"due_on": body.due_on, "time_zone": body.time_zone}
    foreseen = await foresee_reschedule(
        session, milestone_id, actor=actor, expected=expected, **wanted
    )
    if dry_run:
        found = await deadline_warnings(session, foreseen.milestone[0], **wanted)
        return foreseen_out(foreseen, warnings_out(found), **wanted)
    if foreseen.affected and body.ask is not None:
        effect = RescheduleMilestone(milestone_id=milestone_id, **wanted)
        asked = await ask_to_reschedule(
            session,
            milestone_id,
            Question(**dict(body.ask), effect=effect),
            actor=actor,
            now=now,
            expected=expected,
        )
        response.status_code = status.HTTP_202_ACCEPTED
        response.headers["Location"] = f"{router.prefix}/decisions/{asked[0].id}"
        return await closing_warned(session, decision_out(asked, now))
    seen = await reschedule_milestone(
        session, milestone_id, actor=actor, now=now, expected=expected, **wanted
    )
    return await warned(session, seen[0], answer(response, seen, now))


def foreseen_out(
    foreseen: Foreseen, warnings: list[DeadlineWarningOut], *, due_on: date, time_zone: str
) -> RescheduleForeseen:
    return RescheduleForeseen(
        milestone_id=foreseen.milestone[0].id,
        due_on=due_on,
        time_zone=time_zone,
        moved=[MovedOut(milestone_id=one, due_on=day) for one, day in foreseen.moved.items()],
        waiting=foreseen.waiting,
        affected_members=foreseen.affected,
        needs_decision=bool(foreseen.affected),
        warnings=warnings,
    )


@router.put(
    "/milestones/{milestone_id}/dependencies",
    responses=refusals(
        *CHANGING,
        NotLeadOrAccountable,
        NotParticipating,
        ProjectNotUnderWay,
        OthersAreAffected,
        DependencyUnknown,
        TooManyDependencies,
        DependencyCycle,
        DeadlineTooEarly,
    ),
)
async def put_milestone_dependencies(
    milestone_id: UUID,
    body: DependenciesIn,
    response: Response,
    session: Transaction,
    actor: CurrentActor,
    now: Now,
    expected: ExpectedVersion,
) -> MilestoneOut:
    """Say what it waits for. The accountable member may, and the lead where nobody else is.

    Where others contribute, or promised what waits for it, it goes on waiting for what is not
    completed.
    """
    seen = await change_dependencies(
        session,
        milestone_id,
        actor=actor,
        now=now,
        expected=expected,
        depends_on=body.dependencies(),
    )
    return answer(response, seen, now)


@router.put("/milestones/{milestone_id}/progress", responses=refusals(*WORKING))
async def put_milestone_progress(
    milestone_id: UUID,
    body: ProgressIn,
    response: Response,
    session: Transaction,
    actor: CurrentActor,
    now: Now,
    expected: ExpectedVersion,
) -> MilestoneOut:
    """Say how far it is and when it is expected. Only the accountable member may."""
    seen = await report_progress(
        session, milestone_id, actor=actor, now=now, expected=expected, **dict(body)
    )
    return answer(response, seen, now)


@router.post(
    "/milestones/{milestone_id}/start",
    dependencies=[Idempotent],
    responses=refusals(*WORKING, MilestoneStartedBefore),
)
async def post_milestone_start(
    milestone_id: UUID,
    response: Response,
    session: Transaction,
    actor: CurrentActor,
    now: Now,
    expected: ExpectedVersion,
) -> MilestoneOut:
    """Begin with a milestone. Only the accountable member may."""
    return answer(
        response,
        await start_milestone(session, milestone_id, actor=actor, now=now, expected=expected),
        now,
    )


@router.post(
    "/milestones/{milestone_id}/completion",
    dependencies=[Idempotent],
    responses=refusals(*WORKING, MilestoneNotStarted, ContributionsOpen, PredecessorsOpen),
)
async def post_milestone_completion(
    milestone_id: UUID,
    response: Response,
    session: Transaction,
    actor: CurrentActor,
    now: Now,
    expected: ExpectedVersion,
) -> MilestoneOut:
    """Declare a milestone done, finally. Only the accountable member may."""
    return answer(
        response,
        await complete_milestone(session, milestone_id, actor=actor, now=now, expected=expected),
        now,
    )


@router.post(
    "/milestones/{milestone_id}/cancellation",
    dependencies=[Idempotent],
    responses=refusals(*PLANNING, OthersAreAffected),
)
async def post_milestone_cancellation(
    milestone_id: UUID,
    body: ReasonIn,
    response: Response,
    session: Transaction,
    actor: CurrentActor,
    now: Now,
    expected: ExpectedVersion,
) -> MilestoneOut:
    """Owe a result no longer. The lead may do so alone only where no other member is touched."""
    seen = await cancel_milestone(
        session, milestone_id, actor=actor, now=now, expected=expected, reason=body.reason
    )
    return answer(response, seen, now)
