"""Part of opening a decision: who must be asked, given what it is to do."""

from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from services.projects.model.decision import (
    CONSENT,
    AskedAlready,
    Question,
    RuleOverrulesAffected,
)
from services.projects.model.milestone import (
    Milestone,
    MilestoneUnknown,
    affected_by,
)
from services.projects.model.participation import ensure_can_be_admitted
from services.projects.model.project import Project
from services.projects.model.standing import Standing
from services.projects.queries.decisions import open_decisions_of
from services.projects.queries.milestones import plan_of
from services.projects.queries.milestones_together import milestones_for_change
from services.projects.queries.standings import known_members
from shared.contracts.projects import AdmitMember, CancelMilestone, RescheduleMilestone


async def who_is_asked(
    session: AsyncSession, project: Project, question: Question, *, standing: Standing
) -> set[str]:
    """Find the electorate of a question in a project that is locked.

    What touches promises asks exactly those whose promises it touches; everything else asks all
    who take part.

    Raises:
        MilestoneUnknown: the project has no such milestone.
        NotLeadOrAccountable: the actor's member neither leads nor is accountable for it.
        ProjectEnded, ProjectNotUnderWay, MilestoneEnded: nothing about it changes now.
        DeadlineTooEarly: it waits for something that is due later.
        TooManyMoved, MovedOutsideCalendar: what waits for it cannot move with it.
        RuleOverrulesAffected: the rule would let most decide over one.
        AskedAlready: an open decision asks the same.
        MemberUnknown, AlreadyInvited, InvitedMemberNotActive: the member cannot be admitted.
    """
    effect = question.effect
    if isinstance(effect, RescheduleMilestone | CancelMilestone):
        if question.rule not in CONSENT:
            raise RuleOverrulesAffected(f"The rule can be {' or '.join(sorted(CONSENT))}.")
        milestone = await _milestone(session, project, effect.milestone_id)
        milestone.ensure_lead_or_accountable(standing)
        milestone.ensure_plannable()
        await _ensure_not_asked(session, project, effect.milestone_id)
        plan = await plan_of(session, project.id)
        if isinstance(effect, RescheduleMilestone):
            plan.ensure_late_enough(milestone.step, effect.due_on, effect.time_zone)
            plan.moved(milestone.id, effect.due_on, effect.time_zone)  # or say why they cannot
        return _asked_by(standing, affected_by(milestone, plan, standing), project)
    if isinstance(effect, AdmitMember):
        known = await known_members(session, [effect.member])
        ensure_can_be_admitted(project, effect.member, known[0] if known else None, standing.places)
    return project.those_who_take_part(standing)


async def _milestone(session: AsyncSession, project: Project, milestone_id: UUID) -> Milestone:
    found = await milestones_for_change(session, project.id, [milestone_id])
    if milestone_id not in found:
        raise MilestoneUnknown(f"The project has no milestone {milestone_id}.")
    return found[milestone_id]


async def _ensure_not_asked(session: AsyncSession, project: Project, milestone_id: UUID) -> None:
    for decision in await open_decisions_of(session, project):
        effect = decision.effect
        if (
            isinstance(effect, RescheduleMilestone | CancelMilestone)
            and effect.milestone_id == milestone_id
        ):
            raise AskedAlready(
                "Another decision about the milestone is open.",
                members={"decision_id": str(decision.id)},
            )


def _asked_by(standing: Standing, affected: list[str], project: Project) -> set[str]:
    """The others that are affected; the lead among them when another member asks."""
    return {*affected, project.lead} - {standing.member}
