"""Use case: the lead offers its place to another member."""

from datetime import date, datetime
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from services.projects.model.handover import Handover
from services.projects.queries.handovers import HandoverSeen, open_handover_of
from services.projects.queries.projects import project_for_change
from shared.actor import Actor
from shared.contracts.projects import DecisionRule, HandoverOffered
from shared.messaging.outbox import announce


async def offer_lead(
    session: AsyncSession,
    project_id: UUID,
    *,
    actor: Actor,
    now: datetime,
    candidate: str,
    note: str | None,
    rule: DecisionRule,
    closes_on: date,
    time_zone: str,
) -> HandoverSeen:
    """Offer the lead of a project to a member that takes part.

    Args:
        session: in which it becomes true.
        project_id: of the project.
        actor: who offers.
        now: when.
        candidate: the member that is to lead.
        note: why.
        rule: of the decision that asks all who take part, once the candidate has accepted.
        closes_on: day at whose end that decision closes.
        time_zone: where that day ends.

    Raises:
        ProjectNotFound: for the actor there is none.
        MissingScope, MemberNotActive, NotProjectLead: the actor may not.
        ProjectEnded: the project is over.
        CandidateNotTakingPart: the member has not accepted to take part.
        HandoverOpen: the lead has been offered already.
        ClosesTooSoon, ClosesTooLate: the decision about it could not close then.
    """
    project, standing, _ = await project_for_change(session, project_id, actor=actor)
    project.ensure_led_by(standing)
    handover = Handover.offer(
        project,
        candidate=candidate,
        note=note,
        rule=rule,
        closes_on=closes_on,
        time_zone=time_zone,
        is_another_open=await open_handover_of(session, project) is not None,
        by=standing,
        at=now,
    )
    session.add(handover)
    announce(
        session,
        HandoverOffered.about(
            handover.state(), by=actor, at=now, audience=project.audience(standing.places)
        ),
    )
    return handover, standing
