"""Use case: a member puts a question to the others."""

from datetime import datetime
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from services.projects.model.decision import Question
from services.projects.queries.decisions import DecisionSeen
from services.projects.queries.projects import project_for_change
from services.projects.use_cases.put_to_members import put_to_members
from services.projects.use_cases.who_is_asked import who_is_asked
from shared.actor import Actor


async def open_decision(
    session: AsyncSession, project_id: UUID, question: Question, *, actor: Actor, now: datetime
) -> DecisionSeen:
    """Open a decision. Who is asked follows from its effect and is fixed from here on.

    Raises:
        ProjectNotFound: for the actor there is none.
        MissingScope, MemberNotActive, NotParticipating: the actor may not.
        ProjectEnded: the project is over.
        NobodyToAsk: there is nobody besides the proposer.
        TooManyOpen: there are as many open decisions as there can be.
        ClosesTooSoon, ClosesTooLate: the deadline is none that members can answer by.
        MilestoneUnknown, NotLeadOrAccountable, ProjectNotUnderWay, MilestoneEnded,
        DeadlineTooEarly, TooManyMoved, MovedOutsideCalendar, RuleOverrulesAffected, AskedAlready:
            it is about a milestone, and cannot be asked.
        MemberUnknown, AlreadyInvited, InvitedMemberNotActive: it would admit a member that cannot
            be admitted.
    """
    project, standing, _ = await project_for_change(session, project_id, actor=actor)
    project.ensure_can_be_asked_in(standing)
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
