"""Use case: the lead or the accountable member asks another member to contribute."""

from datetime import datetime
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from services.projects.queries.milestones import MilestoneSeen, milestone_for_change
from shared.actor import Actor
from shared.contracts.projects import ContributionRequested
from shared.messaging.outbox import announce


async def request_contribution(
    session: AsyncSession,
    milestone_id: UUID,
    *,
    actor: Actor,
    now: datetime,
    member: str,
    description: str,
) -> MilestoneSeen:
    """Ask a participating member to contribute to a milestone.

    Raises:
        MilestoneNotFound: for the actor there is none.
        MissingScope, MemberNotActive, NotLeadOrAccountable, NotParticipating: the actor may not.
        ProjectEnded, ProjectNotUnderWay, MilestoneEnded: nothing here changes now.
        TooManyContributions: the milestone has as many as it can have.
        AccountableOwesAll: the member is accountable for the whole.
        MemberNotParticipating: the member has not accepted to take part.
    """
    milestone, standing = await milestone_for_change(session, milestone_id, actor=actor)
    before = milestone.state()
    milestone.request_contribution(member=member, description=description, by=standing, at=now)
    announce(
        session,
        ContributionRequested.about(
            milestone.state(),
            before=before,
            by=actor,
            at=now,
            audience=milestone.project.audience(standing.places),
        ),
    )
    return milestone, standing
