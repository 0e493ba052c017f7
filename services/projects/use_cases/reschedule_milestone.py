"""Use case: a deadline moves, at once where nobody else is touched, else by consent of those."""

from dataclasses import dataclass
from datetime import date, datetime
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from services.projects.model.decision import Question
from services.projects.model.milestone import affected_by
from services.projects.model.plan import Plan
from services.projects.queries.decisions import DecisionSeen
from services.projects.queries.milestones import MilestoneSeen, milestone_for_change, plan_of
from services.projects.use_cases.give_way import give_way
from services.projects.use_cases.put_to_members import put_to_members
from services.projects.use_cases.who_is_asked import who_is_asked
from shared.actor import Actor
from shared.contracts.projects import MilestoneRescheduled
from shared.http.preconditions import ensure_version
from shared.messaging.outbox import announce


@dataclass(frozen=True, slots=True)
class Foreseen:
    """What a new deadline would touch.

    Attributes:
        milestone: with how the actor stands to it, as it is.
        moved: the days to which milestones that wait for it would move.
        waiting: all open milestones that wait for it, nearest first.
        affected: the members besides the lead that would have to agree.
    """

    milestone: MilestoneSeen
    moved: dict[UUID, date]
    waiting: list[UUID]
    affected: list[str]


async def foresee_reschedule(
    session: AsyncSession,
    milestone_id: UUID,
    *,
    actor: Actor,
    expected: int | None,
    due_on: date,
    time_zone: str,
) -> Foreseen:
    """Say what a new deadline would touch, and change nothing.

    Raises:
        MilestoneNotFound: for the actor there is none.
        MissingScope, MemberNotActive, NotProjectLead: the actor may not.
        VersionStale: the milestone is not at the expected version.
        ProjectEnded, ProjectNotUnderWay, MilestoneEnded: nothing here changes now.
        DeadlineTooEarly: it waits for something that is due later.
        TooManyMoved, MovedOutsideCalendar: what waits for it cannot move with it.
    """
    milestone, standing = await milestone_for_change(session, milestone_id, actor=actor)
    milestone.project.ensure_led_by(standing)
    ensure_version(expected, milestone.state())
    milestone.ensure_plannable()
    plan = await plan_of(session, milestone.project_id)
    plan.ensure_late_enough(milestone.step, due_on, time_zone)
    return Foreseen(
        (milestone, standing),
        moved=plan.moved(milestone.id, due_on, time_zone),
        waiting=[step.id for step in plan.following(milestone.id)],
        affected=affected_by(milestone, plan, standing),
    )


async def reschedule_milestone(
    session: AsyncSession,
    milestone_id: UUID,
    *,
    actor: Actor,
    now: datetime,
    expected: int | None,
    due_on: date,
    time_zone: str,
    seen: MilestoneSeen | None = None,
    plan: Plan | None = None,
) -> MilestoneSeen:
    """Let a milestone be due at the end of another day, and what waits for it no earlier.

    `seen` is the milestone as it was loaded for change in this transaction, if it was, and `plan`
    that of its project, which knows of the move afterwards.

    Raises:
        MilestoneNotFound: for the actor there is none.
        MissingScope, MemberNotActive, NotProjectLead: the actor may not.
        VersionStale: the milestone is not at the expected version.
        ProjectEnded, ProjectNotUnderWay, MilestoneEnded: nothing here changes now.
        DeadlineTooEarly: it waits for something that is due later.
        TooManyMoved, MovedOutsideCalendar: what waits for it cannot move with it.
        OthersAreAffected: another member is accountable or contributes, here or behind it.
    """
    milestone, standing = seen or await milestone_for_change(session, milestone_id, actor=actor)
    milestone.project.ensure_led_by(standing)
    before = milestone.state()
    ensure_version(expected, before)
    if plan is None:
        plan = await plan_of(session, milestone.project_id)
    moved = milestone.reschedule(due_on, time_zone, plan=plan, by=standing, at=now)
    plan.note_due(milestone.id, due_on, time_zone)
    for each, day in moved.items():
        plan.note_due(each, day, plan.steps[each].time_zone)
    audience = milestone.project.audience(standing.places)
    announce(
        session,
        MilestoneRescheduled.about(
            milestone.state(), before=before, by=actor, at=now, audience=audience
        ),
    )
    for fact in await give_way(
        session, milestone.project, moved, audience=audience, actor=actor, now=now
    ):
        announce(session, fact)
    return milestone, standing


async def ask_to_reschedule(
    session: AsyncSession,
    milestone_id: UUID,
    question: Question,
    *,
    actor: Actor,
    now: datetime,
    expected: int | None,
) -> DecisionSeen:
    """Ask the members that a new deadline touches.

    Args:
        session: in which it becomes true.
        milestone_id: whose deadline is to move.
        question: with the new deadline as its effect.
        actor: who asks.
        now: when.
        expected: the version of the milestone that the actor has seen.

    Raises:
        MilestoneNotFound: for the actor there is none.
        VersionStale: the milestone is not at the expected version.
        Refusal: see `open_decision`.
    """
    milestone, standing = await milestone_for_change(session, milestone_id, actor=actor)
    milestone.ensure_lead_or_accountable(standing)
    ensure_version(expected, milestone.state())
    project = milestone.project
    decision = await put_to_members(
        session,
        project,
        question,
        electorate=await who_is_asked(session, project, question, standing=standing),
        proposer=standing.member,
        standing=standing,
        actor=actor,
        now=now,
    )
    return decision, standing
