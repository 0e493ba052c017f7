"""Part of ending a project: what was still open in it ends with it."""

from datetime import datetime
from typing import Any

from sqlalchemy.ext.asyncio import AsyncSession

from services.projects.model.decision import Decision
from services.projects.model.project import Project
from services.projects.model.standing import Standing
from services.projects.queries.decisions import open_decisions_of
from services.projects.queries.handovers import open_handover_of
from shared.actor import Actor
from shared.contracts.event import Event
from shared.contracts.projects import DecisionLapsed, HandoverWithdrawn


async def end_with_project(
    session: AsyncSession,
    project: Project,
    *,
    besides: Decision | None = None,
    standing: Standing,
    actor: Actor,
    now: datetime,
) -> list[Event[Any]]:
    """Let the open decisions of a locked project lapse, and an offer of its lead end.

    `besides` is the decision that ends the project.

    Returns:
        The facts; nobody has been told yet.
    """
    facts: list[Event[Any]] = []
    audience = project.audience(standing.places)
    for decision in await open_decisions_of(session, project):
        if decision is besides:
            continue
        before = decision.state()
        decision.close("lapsed", "project-ended", at=now)
        facts.append(
            DecisionLapsed.about(
                decision.state(), before=before, by=actor, at=now, audience=audience
            )
        )
    handover = await open_handover_of(session, project)
    if handover is not None:
        offered = handover.state()
        handover.fall_through(at=now)
        facts.append(
            HandoverWithdrawn.about(
                handover.state(), before=offered, by=actor, at=now, audience=audience
            )
        )
    return facts
