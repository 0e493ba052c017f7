"""Use case: the lead takes the offer of its place back."""

from datetime import datetime
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from services.projects.queries.handovers import HandoverSeen, handover_for_change
from shared.actor import Actor
from shared.contracts.projects import HandoverWithdrawn
from shared.http.preconditions import ensure_version
from shared.messaging.outbox import announce


async def withdraw_lead_offer(
    session: AsyncSession,
    handover_id: UUID,
    *,
    actor: Actor,
    now: datetime,
    expected: int | None,
) -> HandoverSeen:
    """Take the offer back before it is answered. Final.

    Once it is answered, the decision about it can be withdrawn instead.

    Raises:
        HandoverNotFound: for the actor there is none.
        MissingScope, MemberNotActive, NotProjectLead: the actor may not.
        VersionStale: the handover is not at the expected version.
        HandoverAnswered, ProjectEnded: there is nothing to take back.
    """
    handover, standing = await handover_for_change(session, handover_id, actor=actor)
    handover.project.ensure_led_by(standing)
    before = handover.state()
    ensure_version(expected, before)
    handover.withdraw(by=standing, at=now)
    announce(
        session,
        HandoverWithdrawn.about(
            handover.state(),
            before=before,
            by=actor,
            at=now,
            audience=handover.project.audience(standing.places),
        ),
    )
    return handover, standing
