"""Use case: a contributing member says that its part is there."""

from datetime import datetime
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from services.projects.queries.milestones import MilestoneSeen, milestone_for_change
from shared.actor import Actor
from shared.contracts.projects import ContributionDelivered
from shared.http.preconditions import ensure_version
from shared.messaging.outbox import announce


async def deliver_contribution(
    session: AsyncSession,
    milestone_id: UUID,
    contribution_id: UUID,
    *,
    actor: Actor,
    now: datetime,
    expected: int | None,
    evidence: str,
    links: tuple[str, ...] = (),
) -> MilestoneSeen:
    """Deliver what the actor's own member owes to a milestone.

    Raises:
        MilestoneNotFound: for the actor there is none.
        ContributionNotFound: the milestone has no such contribution.
        MissingScope, MemberNotActive, NotYourContribution, NotParticipating: the actor may not.
        VersionStale: the milestone is not at the expected version.
        ProjectEnded, ProjectNotActive, MilestoneEnded: there is no work to do.
        NothingToDeliver: it has been delivered or accepted.
    """
    milestone, standing = await milestone_for_change(session, milestone_id, actor=actor)
    contribution = milestone.contribution(contribution_id)
    milestone.ensure_contributing(contribution, standing)
    before = milestone.state()
    ensure_version(expected, before)
    milestone.deliver(contribution, evidence, links, by=standing, at=now)
    announce(
        session,
        ContributionDelivered.about(
            milestone.state(),
            before=before,
            by=actor,
            at=now,
            audience=milestone.project.audience(standing.places),
        ),
    )
    return milestone, standing
