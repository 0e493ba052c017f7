"""Use case: the proposer closes a decision whose outcome is settled."""

from datetime import datetime
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from services.projects.queries.decisions import DecisionSeen, decision_for_change
from services.projects.use_cases.conclude import conclude
from shared.actor import Actor
from shared.http.preconditions import ensure_version


async def close_decision(
    session: AsyncSession,
    decision_id: UUID,
    *,
    actor: Actor,
    now: datetime,
    expected: int | None,
) -> DecisionSeen:
    """Close a decision before its deadline, as its rule is met whatever the others say. Final.

    Raises:
        DecisionNotFound: for the actor there is none.
        MissingScope, MemberNotActive, NotProposer: the actor may not.
        VersionStale: the decision is not at the expected version.
        DecisionClosed: it is closed.
        NotSettled: the rule is not met yet.
    """
    decision, standing = await decision_for_change(session, decision_id, actor=actor)
    decision.ensure_proposed_by(standing)
    ensure_version(expected, decision.state())
    decision.ensure_settled(now)
    await conclude(session, decision, "adopted", standing=standing, actor=actor, now=now)
    return decision, standing
