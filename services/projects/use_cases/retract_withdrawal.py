"""Use case: a member that announced its withdrawal stays."""

from datetime import datetime
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from services.projects.queries.participations import (
    ParticipationSeen,
    participation_for_change,
)
from shared.actor import Actor
from shared.contracts.projects import WithdrawalRetracted
from shared.http.preconditions import ensure_version
from shared.messaging.outbox import announce


async def retract_withdrawal(
    session: AsyncSession,
    participation_id: UUID,
    *,
    actor: Actor,
    now: datetime,
    expected: int | None,
    note: str | None,
) -> ParticipationSeen:
    """Stay in a project after all, before the announced day.

    Raises:
        ParticipationNotFound: for the actor there is none.
        MissingScope, MemberNotActive, NotYourParticipation: the actor may not.
        VersionStale: the participation is not at the expected version.
        NotTakingPart, LeadCannotWithdraw, ProjectEnded: there is nothing to withdraw from.
        NoWithdrawalAnnounced: the member has given no notice.
    """
    participation, standing = await participation_for_change(session, participation_id, actor=actor)
    project = participation.project
    participation.ensure_withdrawn_by(standing)
    before = participation.state()
    ensure_version(expected, before)
    participation.retract_withdrawal(note=note, by=standing, at=now)
    audience = project.audience(standing.places)
    announce(
        session,
        WithdrawalRetracted.about(
            participation.state(), before=before, by=actor, at=now, audience=audience
        ),
    )
    return participation, standing
