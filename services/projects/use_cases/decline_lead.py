"""Use case: a member does not want to lead."""

from datetime import datetime
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from services.projects.queries.handovers import HandoverSeen, handover_for_change
from shared.actor import Actor
from shared.contracts.projects import HandoverDeclined
from shared.http.preconditions import ensure_version
from shared.messaging.outbox import announce


async def decline_lead(
    session: AsyncSession,
    handover_id: UUID,
    *,
    actor: Actor,
    now: datetime,
    expected: int | None,
    note: str | None,
) -> HandoverSeen:
    """Decline to lead a project. Final.

    Raises:
        HandoverNotFound: for the actor there is none.
        MissingScope, MemberNotActive, NotCandidate: the actor may not.
        VersionStale: the handover is not at the expected version.
        CandidateNotTakingPart: the member takes part no longer.
        HandoverAnswered, ProjectEnded: there is nothing to answer.
    """
    handover, standing = await handover_for_change(session, handover_id, actor=actor)
    handover.ensure_answered_by(standing)
    before = handover.state()
    ensure_version(expected, before)
    handover.decline(note=note, by=standing, at=now)
    announce(
        session,
        HandoverDeclined.about(
            handover.state(),
            before=before,
            by=actor,
            at=now,
            audience=handover.project.audience(standing.places),
        ),
    )
    return handover, standing
