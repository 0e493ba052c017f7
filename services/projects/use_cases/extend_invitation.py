"""Use case: the lead gives an invited member more time."""

from datetime import date, datetime
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from services.projects.queries.participations import (
    ParticipationSeen,
    participation_for_change,
)
from shared.actor import Actor
from shared.contracts.projects import InvitationExtended
from shared.http.preconditions import ensure_version
from shared.messaging.outbox import announce


async def extend_invitation(
    session: AsyncSession,
    participation_id: UUID,
    *,
    actor: Actor,
    now: datetime,
    expected: int | None,
    answer_by_on: date,
    time_zone: str,
) -> ParticipationSeen:
    """Let a member answer until the end of a later day.

    Raises:
        ParticipationNotFound: for the actor there is none.
        MissingScope, MemberNotActive, NotProjectLead: the actor may not.
        VersionStale: the participation is not at the expected version.
        InvitationAnswered, InvitationExpired, ProjectEnded: nobody can answer any more.
        AnswerTimePast: the day to answer by has ended.
        AnswerTimeNotLonger: the time would end no later than it does.
    """
    participation, standing = await participation_for_change(session, participation_id, actor=actor)
    project = participation.project
    project.ensure_led_by(standing)
    before = participation.state()
    ensure_version(expected, before)
    participation.extend(answer_by_on, time_zone, by=standing, at=now)
    audience = project.audience(standing.places)
    announce(
        session,
        InvitationExtended.about(
            participation.state(), before=before, by=actor, at=now, audience=audience
        ),
    )
    return participation, standing
