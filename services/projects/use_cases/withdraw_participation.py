"""Use case: a member leaves a project, or says when it will."""

from datetime import date, datetime
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from services.projects.queries.participations import (
    ParticipationSeen,
    participation_for_change,
)
from services.projects.use_cases.count_out import count_out
from shared.actor import Actor
from shared.contracts.event import EVERYONE
from shared.contracts.projects import ParticipationWithdrawn, WithdrawalAnnounced
from shared.http.preconditions import ensure_version
from shared.messaging.outbox import announce


async def withdraw_participation(
    session: AsyncSession,
    participation_id: UUID,
    *,
    actor: Actor,
    now: datetime,
    expected: int | None,
    withdrawn_on: date | None,
    note: str,
) -> ParticipationSeen:
    """Leave a project, which the member may then see no longer; or announce the day.

    Raises:
        ParticipationNotFound: for the actor there is none.
        MissingScope, MemberNotActive, NotYourParticipation: the actor may not.
        VersionStale: the participation is not at the expected version.
        NotTakingPart: the member has not accepted, or the day that it announced has come.
        LeadCannotWithdraw: the member leads the project.
        ProjectEnded: the project is over.
        WithdrawalInThePast: the day has passed where the member is.
    """
    participation, standing = await participation_for_change(session, participation_id, actor=actor)
    project = participation.project
    participation.ensure_withdrawn_by(standing)
    before = participation.state()
    ensure_version(expected, before)
    participation.withdraw(on=withdrawn_on, note=note, by=standing, at=now)
    standing = standing.with_place(participation.member, participation.place)
    audience = project.audience(standing.places)
    if audience != EVERYONE:
        audience = (*audience, participation.member)
    kind = WithdrawalAnnounced if participation.place else ParticipationWithdrawn
    announce(
        session,
        kind.about(participation.state(), before=before, by=actor, at=now, audience=audience),
    )
    if participation.place is None:
        standing = await count_out(
            session, project, participation.member, standing=standing, actor=actor, now=now
        )
    return participation, standing
