"""Part of every way in which a member leaves a project: it is asked no longer."""

from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncSession

from services.projects.model.project import Project
from services.projects.model.standing import Standing
from services.projects.queries.decisions import open_decisions_of
from services.projects.queries.handovers import open_handover_of
from services.projects.use_cases.conclude import conclude
from shared.actor import Actor
from shared.contracts.projects import ElectorCountedOut, HandoverWithdrawn
from shared.messaging.outbox import announce


async def count_out(
    session: AsyncSession,
    project: Project,
    member: str,
    *,
    standing: Standing,
    actor: Actor,
    now: datetime,
) -> Standing:
    """Count a member that has left a locked project no longer, where it was asked.

    What can be decided no longer without it is closed. What was decided before it left, as the
    deadline had passed, is closed with it. An offer to lead, if it has not accepted it yet, ends.

    Returns:
        How things stand after it.
    """
    for decision in await open_decisions_of(session, project, asking=member):
        if decision.status != "open":
            continue  # one before it has ended the project, and with it this one
        if not decision.is_due(now):
            before = decision.state()
            decision.count_out(member, at=now)
            audience = project.audience(standing.places)
            announce(
                session,
                ElectorCountedOut.about(
                    decision.state(), before=before, by=actor, at=now, audience=audience
                ),
            )
        verdict = decision.verdict(now)
        if verdict is not None:
            standing = await conclude(
                session, decision, verdict, standing=standing, actor=actor, now=now
            )
    handover = await open_handover_of(session, project)
    if handover is not None and handover.candidate == member and handover.status == "offered":
        offered = handover.state()
        handover.fall_through(at=now)
        announce(
            session,
            HandoverWithdrawn.about(
                handover.state(),
                before=offered,
                by=actor,
                at=now,
                audience=project.audience(standing.places),
            ),
        )
    return standing
