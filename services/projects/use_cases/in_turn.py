"""Part of changing several milestones at once: in which order they were named says nothing.

A change consists of steps, and the steps of all changes are made stage by stage. What was possible
in any order is possible in this one:

- Dependencies are first those of before that are wanted afterwards as well, and in the end those
  that are wanted. At no time are there others, so none stands in the way, and there is no circle
  unless there is one in the end.
- Of the deadlines that move later, those of what waits come first, so that nothing gives way that
  moves itself; of those that move earlier, those of what is waited for, so that nothing is in
  their way.
- What had to give way although somebody wants it to be due earlier is refused.
"""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from enum import IntEnum, auto
from functools import partial
from typing import Generic, NamedTuple, TypeVar, cast
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from services.projects.model.deadline import end_of_day
from services.projects.model.plan import Dependency, Plan, loosened
from services.projects.queries.milestones import MilestoneSeen, plan_of
from services.projects.use_cases.change_dependencies import change_dependencies
from services.projects.use_cases.reschedule_milestone import reschedule_milestone
from shared.actor import Actor
from shared.all_or_nothing import all_or_nothing
from shared.refusals import Refusal

T = TypeVar("T")


class Stage(IntEnum):
    """When something is done, if several milestones are changed at once."""

    FREE = auto()
    """What holds nothing up: words, progress, new milestones and the end of old ones."""
    LOOSEN = auto()
    LATER = auto()
    EARLIER = auto()
    BIND = auto()
    """New dependencies, when all deadlines are where they shall be."""
    SETTLE = auto()


Make = Callable[..., Awaitable[object]]
"""Takes the `plan` if it is made after the first stage, and notes there what it changes."""


class Step(NamedTuple):
    """A part of a change."""

    stage: Stage
    make: Make


@dataclass(frozen=True, slots=True)
class Change(Generic[T]):
    """What is to be done to one milestone.

    Attributes:
        milestone_id: that it is about; none if it is yet to be planned.
        steps: of different stages, or in the order in which they are made.
        outcome: what came of it, asked when all changes are made and nothing is undone yet.
    """

    milestone_id: UUID | None
    steps: Sequence[Step]
    outcome: Callable[[], Awaitable[T]]


async def make_in_turn(
    session: AsyncSession,
    project_id: UUID,
    changes: Sequence[Change[T] | Refusal],
    *,
    keep: bool,
) -> list[T | Refusal]:
    """Make changes to milestones of one project: all of them, or none.

    Args:
        session: in which the project is locked.
        project_id: of that project.
        changes: to different milestones; a refusal stands for one that was refused before.
        keep: else it is only tried.

    Returns:
        What came of each, in their order: its outcome, or the first refusal of its steps. With any
        refusal among them nothing is changed.
    """
    places = (await plan_of(session, project_id)).places
    plans: list[Plan] = []
    refused: dict[int, Refusal] = {}

    async def planned(make: Make) -> object:
        # Asking again for each deadline would take longer than all that follows from it.
        if not plans:
            plans.append(await plan_of(session, project_id))
        return await make(plan=plans[0])

    async def made(number: int, make: Make) -> object:
        if number in refused:
            raise refused[number]
        try:
            return await make()
        except Refusal as refusal:
            refused[number] = refusal
            raise

    turns: list[tuple[tuple[Stage, int], Make]] = []
    outcomes: list[Make] = []
    for number, change in enumerate(changes):
        if isinstance(change, Refusal):
            refused[number] = change
            outcomes.append(partial(made, number, _nothing))
            continue
        outcomes.append(partial(made, number, change.outcome))
        place = len(places)  # what is planned only now comes after all that is there
        if change.milestone_id is not None:
            place = places.get(change.milestone_id, place)
        for stage, make in change.steps:
            turn = (stage, -place if stage is Stage.LATER else place)
            one = make if stage is Stage.FREE else partial(planned, make)
            turns.append((turn, partial(made, number, one)))
    turns.sort(key=lambda each: each[0])
    found = await all_or_nothing(session, [*(make for _, make in turns), *outcomes], keep=keep)
    return cast(list[T | Refusal], found[len(turns) :])


async def _nothing() -> None:
    """Nothing is made where a refusal stands."""


def move(
    session: AsyncSession,
    seen: MilestoneSeen,
    *,
    actor: Actor,
    now: datetime,
    due_on: date,
    time_zone: str,
) -> Step:
    """Move a deadline. With another one, `stay` belongs to it."""
    milestone, _ = seen
    is_later = end_of_day(due_on, time_zone) > milestone.due_at
    return Step(
        Stage.LATER if is_later else Stage.EARLIER,
        partial(
            reschedule_milestone,
            session,
            milestone.id,
            actor=actor,
            now=now,
            expected=None,
            due_on=due_on,
            time_zone=time_zone,
            seen=seen,
        ),
    )


def stay(
    session: AsyncSession,
    seen: MilestoneSeen,
    *,
    actor: Actor,
    now: datetime,
    due_on: date,
    time_zone: str,
) -> Step:
    """Refuse if a milestone that somebody wants to be due then had to give way to another one."""
    milestone, _ = seen
    again = move(session, seen, actor=actor, now=now, due_on=due_on, time_zone=time_zone)

    async def stays(plan: Plan) -> None:
        if (milestone.due_on, milestone.time_zone) != (due_on, time_zone):
            await again.make(plan=plan)

    return Step(Stage.SETTLE, stays)


def wait(
    session: AsyncSession,
    seen: MilestoneSeen,
    *,
    actor: Actor,
    now: datetime,
    on: Sequence[Dependency],
    and_on: Callable[[], Sequence[Dependency]] | None = None,
) -> list[Step]:
    """Depend on these milestones and no others.

    Args:
        session: of the request.
        seen: the milestone, loaded for change.
        actor: who wants it.
        now: when.
        on: what is there before all changes.
        and_on: finds what is planned by another change, once it is.
    """
    milestone, _ = seen
    old = milestone.dependencies
    kept = loosened(old, on)
    become = partial(
        change_dependencies, session, milestone.id, actor=actor, now=now, expected=None, seen=seen
    )

    async def become_all(plan: Plan) -> None:
        await become(depends_on=[*on, *(and_on() if and_on else ())], plan=plan)

    if and_on is None and dict(kept) == dict(on) != dict(old):
        return [Step(Stage.LOOSEN, become_all)]
    steps = [Step(Stage.BIND, become_all)]
    if dict(kept) != dict(old):
        steps.insert(0, Step(Stage.LOOSEN, partial(become, depends_on=kept)))
    return steps
