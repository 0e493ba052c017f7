"""Use case: the lead takes back an invitation."""

from datetime import datetime
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from services.projects.queries.participations import (
    ParticipationSeen,
    participation_for_change,
)
from shared.actor import Actor
from shared.contracts.event import EVERYONE
from shared.contracts.projects import InvitationRevoked
from shared.http.preconditions import ensure_version
from shared.messaging.outbox import announce


async def revoke_invitation(
    session: AsyncSession,
    participation_id: UUID,
    *,
    actor: Actor,
    now: datetime,
    expected: int | None,
    note: str | None,
) -> ParticipationSeen:
    """Take back an invitation that nobody has answered; its member then sees no more.

    Raises:
        ParticipationNotFound: for the actor there is none.
        MissingScope, MemberNotActive, NotProjectLead: the actor may not.
        VersionStale: the participation is not at the expected version.
        InvitationAnswered, InvitationExpired, ProjectEnded: nobody can answer any more.
    """
    participation, standing = await participation_for_change(session, participation_id, actor=actor)
    project = participation.project
    project.ensure_led_by(standing)
    before = participation.state()
    ensure_version(expected, before)
    participation.revoke(note=note, by=standing, at=now)
    standing = standing.with_place(participation.member, participation.place)
    audience = project.audience(standing.places)
    if audience != EVERYONE:
        audience = (*audience, participation.member)
    announce(
        session,
        InvitationRevoked.about(
            participation.state(), before=before, by=actor, at=now, audience=audience
        ),
    )
    return participation, standing
