"""Use case: the proposer takes a question back."""

from datetime import datetime
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from services.projects.queries.decisions import DecisionSeen, decision_for_change
from services.projects.use_cases.conclude import end_handover_of
from shared.actor import Actor
from shared.contracts.projects import DecisionWithdrawn
from shared.http.preconditions import ensure_version
from shared.messaging.outbox import announce


async def withdraw_decision(
    session: AsyncSession,
    decision_id: UUID,
    *,
    actor: Actor,
    now: datetime,
    expected: int | None,
    reason: str,
) -> DecisionSeen:
    """Take a question back before it is decided. Final.

    Raises:
        DecisionNotFound: for the actor there is none.
        MissingScope, MemberNotActive, NotProposer: the actor may not.
        VersionStale: the decision is not at the expected version.
        DecisionClosed: it is closed.
    """
    decision, standing = await decision_for_change(session, decision_id, actor=actor)
    decision.ensure_proposed_by(standing)
    before = decision.state()
    ensure_version(expected, before)
    decision.withdraw(reason, by=standing, at=now)
    audience = decision.project.audience(standing.places)
    announce(
        session,
        DecisionWithdrawn.about(
            decision.state(), before=before, by=actor, at=now, audience=audience
        ),
    )
    await end_handover_of(session, decision, audience=audience, actor=actor, now=now)
    return decision, standing
