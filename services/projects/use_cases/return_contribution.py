"""Use case: the accountable member gives a contribution back."""

from datetime import datetime
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from services.projects.queries.milestones import MilestoneSeen, milestone_for_change
from shared.actor import Actor
from shared.contracts.projects import ContributionReturned
from shared.http.preconditions import ensure_version
from shared.messaging.outbox import announce


async def return_contribution(
    session: AsyncSession,
    milestone_id: UUID,
    contribution_id: UUID,
    *,
    actor: Actor,
    now: datetime,
    expected: int | None,
    reason: str,
) -> MilestoneSeen:
    """Return a delivered contribution to its member, which delivers it again.

    Raises:
        MilestoneNotFound: for the actor there is none.
        ContributionNotFound: the milestone has no such contribution.
        MissingScope, MemberNotActive, NotAccountable, NotParticipating: the actor may not.
        VersionStale: the milestone is not at the expected version.
        ProjectEnded, ProjectNotActive, MilestoneEnded: there is no work to do.
        NothingDelivered: it waits for its member, or was accepted before.
    """
    milestone, standing = await milestone_for_change(session, milestone_id, actor=actor)
    contribution = milestone.contribution(contribution_id)
    milestone.ensure_accountable(standing)
    before = milestone.state()
    ensure_version(expected, before)
    milestone.give_back(contribution, reason, by=standing, at=now)
    announce(
        session,
        ContributionReturned.about(
            milestone.state(),
            before=before,
            by=actor,
            at=now,
            audience=milestone.project.audience(standing.places),
        ),
    )
    return milestone, standing
