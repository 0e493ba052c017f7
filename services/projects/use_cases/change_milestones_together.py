"""Use case: a member changes several milestones of a project at once."""

from collections.abc import Callable, Mapping, Sequence
from typing import TypeVar
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from services.projects.model.milestone import no_milestone
from services.projects.model.standing import MAY_WRITE
from services.projects.queries.milestones import MilestoneSeen, give_needed_now
from services.projects.queries.milestones_together import milestones_for_change
from services.projects.queries.projects import project_for_change
from services.projects.use_cases.in_turn import Change, Step, make_in_turn
from shared.actor import Actor
from shared.http.preconditions import ensure_version
from shared.refusals import Refusal

T = TypeVar("T")


async def change_milestones_together(
    session: AsyncSession,
    project_id: UUID,
    *,
    actor: Actor,
    changes: Mapping[UUID, Callable[[MilestoneSeen], Sequence[Step]]],
    versions: Mapping[UUID, int | None],
    shown: Callable[[MilestoneSeen], T],
    keep: bool,
) -> list[T | Refusal]:
    """Make changes to milestones of one project: all of them, or none, whatever their order.

    Args:
        session: of the request.
        project_id: of the project that they all belong to.
        actor: who asks.
        changes: what is to be done, by the milestone that it is about.
        versions: of the milestones as the actor has seen them. They are compared with how things
            were before all of the changes, as one may move what another one is about.
        shown: what to say of a milestone, asked before anything is undone.
        keep: else it is only tried.

    Returns:
        What came of each change, in their order: what is said of the milestone as it is after all
        of them, or why not. With any refusal among them nothing is changed.

    Raises:
        ProjectNotFound: for the actor there is none.
        MissingScope, MemberNotActive: the actor may not write.
    """
    _, standing, _ = await project_for_change(session, project_id, actor=actor)
    standing.ensure_may_write(MAY_WRITE)
    found = await milestones_for_change(session, project_id, changes)

    def change_of(milestone_id: UUID) -> Change[T] | Refusal:
        milestone = found.get(milestone_id)
        if milestone is None:
            return no_milestone(milestone_id)
        try:
            ensure_version(versions[milestone_id], milestone.state())
        except Refusal as refusal:
            return refusal
        seen = (milestone, standing)

        async def outcome() -> T:
            await give_needed_now(session, [milestone])
            return shown(seen)

        return Change(milestone_id, changes[milestone_id](seen), outcome)

    return await make_in_turn(
        session, project_id, [change_of(milestone_id) for milestone_id in changes], keep=keep
    )
