"""Use case: a member changes several milestones of a project at once."""

from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from services.projects.model.milestone import no_milestone
from services.projects.model.standing import MAY_WRITE
from services.projects.queries.milestones import MilestoneSeen
from services.projects.queries.milestones_together import milestones_for_change
from services.projects.queries.projects import project_for_change
from shared.actor import Actor
from shared.all_or_nothing import all_or_nothing
from shared.http.preconditions import ensure_version
from shared.refusals import Refusal

Change = Callable[[], Awaitable[MilestoneSeen]]
"""One of the use cases that change one milestone, with all that it needs."""


async def change_milestones_together(
    session: AsyncSession,
    project_id: UUID,
    *,
    actor: Actor,
    changes: Mapping[UUID, Change],
    versions: Mapping[UUID, int | None],
) -> list[MilestoneSeen | Refusal]:
    """Make changes to milestones of one project: all of them, or none.

    Args:
        session: of the request.
        project_id: of the project that they all belong to.
        actor: who asks.
        changes: by the milestone that each is about.
        versions: of the milestones as the actor has seen them. They are compared with how things
            were before all of the changes, as one may move what another one is about.

    Returns:
        What came of each change, in their order: the milestone, or why not. With any refusal
        among them nothing is changed.

    Raises:
        ProjectNotFound: for the actor there is none.
        MissingScope, MemberNotActive: the actor may not write.
    """
    _, standing, _ = await project_for_change(session, project_id, actor=actor)
    standing.ensure_may_write(MAY_WRITE)
    found = await milestones_for_change(session, project_id, changes)
    before = {milestone.id: milestone.state() for milestone in found.values()}

    async def made(milestone_id: UUID, change: Change) -> MilestoneSeen:
        if milestone_id not in found:
            raise no_milestone(milestone_id)
        ensure_version(versions[milestone_id], before[milestone_id])
        return await change()

    return await all_or_nothing(session, [partial(made, *each) for each in changes.items()])
