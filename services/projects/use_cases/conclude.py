"""Part of several use cases: a decision is closed, and does what it was for, in one transaction."""

from collections.abc import Collection
from datetime import datetime
from typing import Final

from sqlalchemy.ext.asyncio import AsyncSession

from services.projects.model.decision import Decision
from services.projects.model.standing import Standing
from services.projects.model.verdict import Verdict
from services.projects.queries.handovers import open_handover_of
from services.projects.use_cases.take_effect import Consequences, take_effect
from shared.actor import Actor
from shared.contracts.projects import (
    ChangeLead,
    DecisionAdopted,
    DecisionEvent,
    DecisionLapsed,
    DecisionRejected,
    HandoverAgreed,
    HandoverRefused,
)
from shared.messaging.outbox import announce
from shared.refusals import Refusal

FACTS: Final[dict[Verdict, type[DecisionEvent]]] = {
    "adopted": DecisionAdopted,
    "rejected": DecisionRejected,
    "lapsed": DecisionLapsed,
}


async def conclude(
    session: AsyncSession,
    decision: Decision,
    verdict: Verdict,
    *,
    reason: str | None = None,
    standing: Standing,
    actor: Actor,
    now: datetime,
) -> Standing:
    """Close a decision that is locked, together with its project, and let it have its effect.

    What has changed since it was opened may stand in the way of the effect. Then the decision
    stands, its `hindrance` names the rule, and nothing else happens.

    Returns:
        How things stand after it: whatever follows in the same transaction must begin with that.
    """
    before = decision.state()
    consequences = Consequences(standing, [])
    if verdict == "adopted":
        try:
            consequences = await take_effect(
                session, decision, standing=standing, actor=actor, now=now
            )
        except Refusal as refused:
            decision.hindrance = refused.code
    decision.close(verdict, reason, at=now)
    audience = decision.project.audience(consequences.standing.places)
    announce(
        session,
        FACTS[verdict].about(decision.state(), before=before, by=actor, at=now, audience=audience),
    )
    for event in consequences.events:
        announce(session, event)
    await end_handover_of(session, decision, audience=audience, actor=actor, now=now)
    return consequences.standing


async def end_handover_of(
    session: AsyncSession,
    decision: Decision,
    *,
    audience: Collection[str],
    actor: Actor,
    now: datetime,
) -> None:
    """Let a handover end with the decision about it."""
    if not isinstance(decision.effect, ChangeLead):
        return
    handover = await open_handover_of(session, decision.project)
    if handover is None or handover.decision_id != decision.id:
        return
    before = handover.state()
    is_agreed = decision.status == "adopted" and decision.hindrance is None
    handover.conclude(is_agreed=is_agreed, at=now)
    kind = HandoverAgreed if is_agreed else HandoverRefused
    announce(
        session, kind.about(handover.state(), before=before, by=actor, at=now, audience=audience)
    )
