"""Use case: a milestone waits for others, or for others than before."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from services.projects.model.plan import Dependency, Plan
from services.projects.queries.milestones import MilestoneSeen, milestone_for_change, plan_of
from shared.actor import Actor
from shared.contracts.projects import MilestoneDependenciesChanged
from shared.http.preconditions import ensure_version
from shared.messaging.outbox import announce


async def change_dependencies(
    session: AsyncSession,
    milestone_id: UUID,
    *,
    actor: Actor,
    now: datetime,
    expected: int | None,
    depends_on: Sequence[Dependency],
    seen: MilestoneSeen | None = None,
    plan: Plan | None = None,
) -> MilestoneSeen:
    """Let a milestone depend on these milestones of its project and no others.

    `seen` is the milestone as it was loaded for change in this transaction, if it was, and `plan`
    that of its project, which knows of the change afterwards.

    Raises:
        MilestoneNotFound: for the actor there is none.
        MissingScope, MemberNotActive, NotLeadOrAccountable, NotParticipating: the actor may not.
        VersionStale: the milestone is not at the expected version.
        ProjectEnded, ProjectNotUnderWay, MilestoneEnded: nothing here changes now.
        OthersAreAffected: the lead asks, and another member is accountable; or it would wait no
            longer, or less, and others planned with it.
        DependencyUnknown: the project has no such milestone.
        TooManyDependencies: the project has as many as it can have.
        DependencyCycle: one of them waits for this milestone, or is it.
        DeadlineTooEarly: the milestone is due before it could be done.
    """
    milestone, standing = seen or await milestone_for_change(session, milestone_id, actor=actor)
    milestone.ensure_lead_or_accountable(standing)
    before = milestone.state()
    ensure_version(expected, before)
    if plan is None:
        plan = await plan_of(session, milestone.project_id)
    milestone.wait_for(depends_on, plan=plan, by=standing, at=now)
    plan.note_waiting(milestone.id, depends_on)
    announce(
        session,
        MilestoneDependenciesChanged.about(
            milestone.state(),
            before=before,
            by=actor,
            at=now,
            audience=milestone.project.audience(standing.places),
        ),
    )
    return milestone, standing
