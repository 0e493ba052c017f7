"""Use case: a member answers that it takes part."""

from datetime import datetime
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from services.projects.queries.participations import (
    ParticipationSeen,
    participation_for_change,
)
from shared.actor import Actor
from shared.contracts.projects import ParticipationAccepted
from shared.http.preconditions import ensure_version
from shared.messaging.outbox import announce


async def accept_invitation(
    session: AsyncSession,
    participation_id: UUID,
    *,
    actor: Actor,
    now: datetime,
    expected: int | None,
    reservation: str | None,
    note: str | None,
) -> ParticipationSeen:
    """Take part in a project, in the name of the actor's own member.

    Raises:
        ParticipationNotFound: for the actor there is none.
        MissingScope, MemberNotActive, NotYourInvitation: the actor may not.
        VersionStale: the participation is not at the expected version.
        InvitationAnswered, InvitationExpired: the member has answered before, or is too late.
        ProjectEnded, ProjectNotUnderWay: the project is not open for answers.
    """
    participation, standing = await participation_for_change(session, participation_id, actor=actor)
    project = participation.project
    participation.ensure_answered_by(standing)
    before = participation.state()
    ensure_version(expected, before)
    participation.accept(reservation=reservation, note=note, by=standing, at=now)
    standing = standing.with_place(participation.member, participation.place)
    audience = project.audience(standing.places)
    announce(
        session,
        ParticipationAccepted.about(
            participation.state(), before=before, by=actor, at=now, audience=audience
        ),
    )
    return participation, standing
