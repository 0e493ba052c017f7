"""Several milestones changed in one request."""

from abc import abstractmethod
from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime
from functools import partial
from typing import Annotated, Final, Literal, cast
from uuid import UUID

from fastapi import APIRouter, Query
from pydantic import Field, model_validator
from sqlalchemy.ext.asyncio import AsyncSession

from services.projects.http.fields import Description, Remark
from services.projects.http.milestones import (
    Deadline,
    DeadlineIn,
    DependenciesIn,
    MilestoneOut,
    ProgressIn,
    milestone_out,
)
from services.projects.model.milestone import MilestoneChanges
from services.projects.model.project import ProjectNotFound
from services.projects.model.standing import MemberNotActive
from services.projects.queries.milestones import MilestoneSeen
from services.projects.use_cases.cancel_milestone import cancel_milestone
from services.projects.use_cases.change_milestone import change_milestone
from services.projects.use_cases.change_milestones_together import change_milestones_together
from services.projects.use_cases.complete_milestone import complete_milestone
from services.projects.use_cases.in_turn import Stage, Step, move, stay, wait
from services.projects.use_cases.report_progress import report_progress
from services.projects.use_cases.start_milestone import start_milestone
from shared.actor import Actor, MissingScope
from shared.fields import INT4_MAX, OMITTED, Input, Lines, Output
from shared.http.idempotency import Idempotent, KeyInUse, KeyReused
from shared.http.identity import CurrentActor
from shared.http.problems import problem_among_others, refusals
from shared.http.transaction import Now, Route, Transaction
from shared.refusals import Conflict, Refusal

router = APIRouter(
    prefix="/api/v1/projects/{project_id}/milestones", tags=["tables"], route_class=Route
)

TOGETHER_MAX: Final = 100


class SomeRefused(Conflict):
    code = "some-refused"
    title = "Nothing was changed, because a part of it is refused"


class ChangeIn(Input):
    """What is to be done to one milestone, as the address of that verb would do it."""

    id: UUID
    version: Annotated[
        int, Field(strict=True, ge=1, le=INT4_MAX, description="As If-Match: the one you read.")
    ]

    @abstractmethod
    def steps(
        self, session: AsyncSession, seen: MilestoneSeen, *, actor: Actor, now: datetime
    ) -> Sequence[Step]:
        """Say how it is done."""


class Single(ChangeIn):
    """Something that one use case does, and that holds nothing up."""

    @abstractmethod
    def use_case(self) -> Callable[..., Awaitable[MilestoneSeen]]:
        """Name it, with what only it needs."""

    def steps(
        self, session: AsyncSession, seen: MilestoneSeen, *, actor: Actor, now: datetime
    ) -> Sequence[Step]:
        # The version was compared before the first of all changes was made.
        make = partial(self.use_case(), session, seen[0].id, actor=actor, now=now, expected=None)
        return [Step(Stage.FREE, make)]


class Rewording(Single):
    """Other words."""

    action: Literal["change"]
    title: Lines = OMITTED
    description: Description | None = OMITTED

    @model_validator(mode="after")
    def names_something(self) -> "Rewording":
        if not self.model_fields_set & {"title", "description"}:
            raise ValueError("must name at least one field")
        return self

    def use_case(self) -> Callable[..., Awaitable[MilestoneSeen]]:
        changes = self.model_dump(include={"title", "description"}, exclude_unset=True)
        return partial(change_milestone, changes=cast(MilestoneChanges, changes))


class Rescheduling(ChangeIn, DeadlineIn):
    """Another deadline."""

    action: Literal["reschedule"]

    def steps(
        self, session: AsyncSession, seen: MilestoneSeen, *, actor: Actor, now: datetime
    ) -> Sequence[Step]:
        wanted = Deadline(due_on=self.due_on, time_zone=self.time_zone)
        return [
            move(session, seen, actor=actor, now=now, **wanted),
            stay(session, seen, actor=actor, now=now, **wanted),
        ]


class Waiting(ChangeIn, DependenciesIn):
    """Other milestones to wait for."""

    action: Literal["change_dependencies"]

    def steps(
        self, session: AsyncSession, seen: MilestoneSeen, *, actor: Actor, now: datetime
    ) -> Sequence[Step]:
        return wait(session, seen, actor=actor, now=now, on=self.dependencies())


class Progress(Single, ProgressIn):
    """How far it is."""

    action: Literal["report_progress"]

    def use_case(self) -> Callable[..., Awaitable[MilestoneSeen]]:
        return partial(
            report_progress,
            progress_percent=self.progress_percent,
            forecast_on=self.forecast_on,
        )


class Start(Single):
    """The beginning of the work."""

    action: Literal["start"]

    def use_case(self) -> Callable[..., Awaitable[MilestoneSeen]]:
        return start_milestone


class Completion(Single):
    """The end of the work."""

    action: Literal["complete"]

    def use_case(self) -> Callable[..., Awaitable[MilestoneSeen]]:
        return complete_milestone


class Cancellation(Single):
    """The end without a result."""

    action: Literal["cancel"]
    reason: Remark

    def use_case(self) -> Callable[..., Awaitable[MilestoneSeen]]:
        return partial(cancel_milestone, reason=self.reason)


AnyChange = Annotated[
    Rewording | Rescheduling | Waiting | Progress | Start | Completion | Cancellation,
    Field(discriminator="action"),
]


class ChangesIn(Input):
    """What is to be done to milestones of one project, to each of them one thing."""

    items: Annotated[tuple[AnyChange, ...], Field(min_length=1, max_length=TOGETHER_MAX)]

    @model_validator(mode="after")
    def names_each_once(self) -> "ChangesIn":
        if len({item.id for item in self.items}) < len(self.items):
            raise ValueError("must name each milestone only once")
        return self


class MilestonesOut(Output):
    """The milestones in the order in which they were named, as they are or would be after all."""

    dry_run: bool
    items: list[MilestoneOut]


@router.post(
    "/bulk",
    dependencies=[Idempotent],
    responses=refusals(
        ProjectNotFound, MissingScope, MemberNotActive, SomeRefused, KeyInUse, KeyReused
    ),
)
async def post_milestones_bulk(
    project_id: UUID,
    body: ChangesIn,
    session: Transaction,
    actor: CurrentActor,
    now: Now,
    dry_run: Annotated[bool, Query(description="Only say what would happen.")] = False,
) -> MilestonesOut:
    """Change several milestones of a project: all of them, or none, whatever their order.

    If any is refused, `problems` holds the problem of each refused one with its `index`, as the
    address of that verb would answer it, but without `current`.
    """
    outcomes = await change_milestones_together(
        session,
        project_id,
        actor=actor,
        changes={
            item.id: partial(item.steps, session, actor=actor, now=now) for item in body.items
        },
        versions={item.id: item.version for item in body.items},
        shown=partial(milestone_out, now=now),
        keep=not dry_run,
    )
    refused = {
        index: outcome for index, outcome in enumerate(outcomes) if isinstance(outcome, Refusal)
    }
    if refused:
        problems = [
            {"index": index} | problem_among_others(each) for index, each in refused.items()
        ]
        raise SomeRefused(
            f"Refused are {len(refused)} of {len(outcomes)}.", members={"problems": problems}
        )
    done = [outcome for outcome in outcomes if not isinstance(outcome, Refusal)]
    return MilestonesOut(dry_run=dry_run, items=done)
