"""Several milestones changed in one request."""

from abc import abstractmethod
from collections.abc import Awaitable, Callable
from datetime import datetime
from functools import partial
from typing import Annotated, Any, Final, Literal, cast
from uuid import UUID

from fastapi import APIRouter
from pydantic import Field, model_validator
from sqlalchemy.ext.asyncio import AsyncSession

from services.projects.http.fields import Description, Remark
from services.projects.http.milestones import MilestoneOut, milestone_out
from services.projects.model.milestone import MilestoneChanges
from services.projects.model.project import ProjectNotFound
from services.projects.model.standing import MemberNotActive
from services.projects.queries.milestones import MilestoneSeen
from services.projects.use_cases.cancel_milestone import cancel_milestone
from services.projects.use_cases.change_milestone import change_milestone
from services.projects.use_cases.change_milestones_together import change_milestones_together
from services.projects.use_cases.complete_milestone import complete_milestone
from services.projects.use_cases.reschedule_milestone import reschedule_milestone
from services.projects.use_cases.start_milestone import start_milestone
from shared.actor import Actor, MissingScope
from shared.fields import INT4_MAX, OMITTED, Day, Input, Lines, Output, ZoneName
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
    def done_in(
        self, session: AsyncSession, actor: Actor, now: datetime
    ) -> Callable[[], Awaitable[MilestoneSeen]]:
        """Name the use case with all that it needs."""

    def _about(self, session: AsyncSession, actor: Actor, now: datetime) -> dict[str, Any]:
        return {
            "session": session,
            "milestone_id": self.id,
            "actor": actor,
            "now": now,
            "expected": None,  # compared before the first of them changes anything
        }


class Rewording(ChangeIn):
    """Other words."""

    action: Literal["change"]
    title: Lines = OMITTED
    description: Description | None = OMITTED

    @model_validator(mode="after")
    def names_something(self) -> "Rewording":
        if not self.model_fields_set & {"title", "description"}:
            raise ValueError("must name at least one field")
        return self

    def done_in(
        self, session: AsyncSession, actor: Actor, now: datetime
    ) -> Callable[[], Awaitable[MilestoneSeen]]:
        changes = self.model_dump(include={"title", "description"}, exclude_unset=True)
        return partial(
            change_milestone,
            **self._about(session, actor, now),
            changes=cast(MilestoneChanges, changes),
        )


class Rescheduling(ChangeIn):
    """Another deadline."""

    action: Literal["reschedule"]
    due_on: Day
    time_zone: ZoneName

    def done_in(
        self, session: AsyncSession, actor: Actor, now: datetime
    ) -> Callable[[], Awaitable[MilestoneSeen]]:
        return partial(
            reschedule_milestone,
            **self._about(session, actor, now),
            due_on=self.due_on,
            time_zone=self.time_zone,
        )


class Start(ChangeIn):
    """The beginning of the work."""

    action: Literal["start"]

    def done_in(
        self, session: AsyncSession, actor: Actor, now: datetime
    ) -> Callable[[], Awaitable[MilestoneSeen]]:
        return partial(start_milestone, **self._about(session, actor, now))


class Completion(ChangeIn):
    """The end of the work."""

    action: Literal["complete"]

    def done_in(
        self, session: AsyncSession, actor: Actor, now: datetime
    ) -> Callable[[], Awaitable[MilestoneSeen]]:
        return partial(complete_milestone, **self._about(session, actor, now))


class Cancellation(ChangeIn):
    """The end without a result."""

    action: Literal["cancel"]
    reason: Remark

    def done_in(
        self, session: AsyncSession, actor: Actor, now: datetime
    ) -> Callable[[], Awaitable[MilestoneSeen]]:
        return partial(cancel_milestone, **self._about(session, actor, now), reason=self.reason)


AnyChange = Annotated[
    Rewording | Rescheduling | Start | Completion | Cancellation, Field(discriminator="action")
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
    """The milestones in the order in which they were named."""

    items: list[MilestoneOut]


@router.post(
    "/bulk",
    dependencies=[Idempotent],
    responses=refusals(
        ProjectNotFound, MissingScope, MemberNotActive, SomeRefused, KeyInUse, KeyReused
    ),
)
async def post_milestones_bulk(
    project_id: UUID, body: ChangesIn, session: Transaction, actor: CurrentActor, now: Now
) -> MilestonesOut:
    """Change several milestones of a project: all of them, or none.

    If any is refused, `problems` holds the problem of each refused one with its `index`, as the
    address of that verb would answer it, but without `current`.
    """
    outcomes = await change_milestones_together(
        session,
        project_id,
        actor=actor,
        changes={item.id: item.done_in(session, actor, now) for item in body.items},
        versions={item.id: item.version for item in body.items},
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
    return MilestonesOut(
        items=[milestone_out(seen, now) for seen in outcomes if not isinstance(seen, Refusal)]
    )
