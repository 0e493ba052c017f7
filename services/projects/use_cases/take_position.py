"""Use case: a member says what it thinks of a question."""

from datetime import datetime
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from services.projects.queries.decisions import DecisionSeen, decision_for_change
from services.projects.use_cases.conclude import conclude
from shared.actor import Actor
from shared.contracts.projects import PositionStated, PositionTaken
from shared.messaging.outbox import announce


async def take_position(
    session: AsyncSession,
    decision_id: UUID,
    *,
    actor: Actor,
    now: datetime,
    position: PositionTaken,
    reason: str | None,
) -> DecisionSeen:
    """Take a position in the name of the actor's own member, or another one than before.

    Where the rule can be met no longer after it, the decision is rejected at once.

    Raises:
        DecisionNotFound: for the actor there is none.
        MissingScope, MemberNotActive, NotAsked: the actor may not.
        CountedOut: its member has withdrawn.
        DecisionClosed: it is closed.
    """
    decision, standing = await decision_for_change(session, decision_id, actor=actor)
    before = decision.state()
    session.add(decision.take_position(position, reason, by=standing, at=now))
    announce(
        session,
        PositionStated.about(
            decision.state(),
            before=before,
            by=actor,
            at=now,
            audience=decision.project.audience(standing.places),
        ),
    )
    verdict = decision.verdict(now)
    if verdict is not None:
        await conclude(session, decision, verdict, standing=standing, actor=actor, now=now)
    return decision, standing
