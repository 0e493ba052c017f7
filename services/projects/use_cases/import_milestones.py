"""Use case: the lead enters the milestones of a project as a table."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial
from typing import Any, Literal
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from services.projects.model.milestone import Milestone, no_milestone
from services.projects.model.milestone_row import (
    MilestoneRow,
    Reference,
    changes_of,
    ensure_complete,
    ensure_here,
    ensure_known,
    ensure_the_rest_stays,
    missing,
    reports_progress,
    unknown,
)
from services.projects.model.plan import Dependency, Plan
from services.projects.model.rewording import reworded
from services.projects.queries.milestones_together import milestones_for_change
from services.projects.queries.projects import ProjectSeen, project_for_change
from services.projects.use_cases.change_dependencies import change_dependencies
from services.projects.use_cases.change_milestone import change_milestone
from services.projects.use_cases.in_turn import Change, Stage, Step, make_in_turn, move, stay, wait
from services.projects.use_cases.plan_milestone import plan_milestone
from services.projects.use_cases.report_progress import report_progress
from shared.actor import Actor
from shared.http.preconditions import ensure_version
from shared.refusals import Refusal

Result = Literal[
    "planned", "changed", "progress_reported", "rescheduled", "dependencies_changed", "unchanged"
]


@dataclass(frozen=True, slots=True)
class Entered:
    """What a row did, and to which milestone."""

    milestone_id: UUID
    results: tuple[Result, ...]


async def import_milestones(
    session: AsyncSession,
    project_id: UUID,
    *,
    actor: Actor,
    now: datetime,
    rows: Sequence[MilestoneRow],
    keep: bool,
) -> list[Entered | Refusal]:
    """Plan the milestones of rows without an id, and change those that the others name.

    Each goes through the use cases that do the same alone, whatever the order of the rows.

    Args:
        session: of the request.
        project_id: that all rows belong to.
        actor: who asks.
        now: the instant.
        rows: each milestone and each key at most once.
        keep: else it is only tried.

    Returns:
        What came of each row, in their order. With any refusal among them nothing is changed.

    Raises:
        ProjectNotFound: for the actor there is none.
        MissingScope, MemberNotActive, NotProjectLead: the actor may not.
    """
    seen = await project_for_change(session, project_id, actor=actor)
    project, standing, _ = seen
    project.ensure_led_by(standing)
    named = [row.id for row in rows if row.id is not None]
    found = await milestones_for_change(session, project_id, named)
    entering = Entering(session, seen, found, rows, actor=actor, now=now)
    return await make_in_turn(
        session, project_id, [entering.change_by(row) for row in rows], keep=keep
    )


class Entering:
    """The rows of a table on their way into a project.

    Args:
        session: in which the project is locked.
        seen: the project, loaded for change.
        found: the milestones that rows name, as they are before all of them.
        rows: the table.
        actor: who enters it.
        now: when.
    """

    def __init__(
        self,
        session: AsyncSession,
        seen: ProjectSeen,
        found: Mapping[UUID, Milestone],
        rows: Sequence[MilestoneRow],
        *,
        actor: Actor,
        now: datetime,
    ) -> None:
        self._session = session
        self._seen = seen
        self._progress = seen[2]
        self._found = found
        self._about: dict[str, Any] = {"actor": actor, "now": now}
        self._ids = {row.key: row.id for row in rows if row.key is not None and row.id is not None}
        self._yet_to_plan = {row.key for row in rows if row.key is not None and row.id is None}

    def change_by(self, row: MilestoneRow) -> Change[Entered] | Refusal:
        """Say what a row is to do, or why it cannot."""
        try:
            ensure_here(row, self._seen[0].id)
            if row.id is None:
                return self._planning(row)
            milestone = self._found.get(row.id)
            if milestone is None:
                return no_milestone(row.id)
            return self._changing(row, milestone)
        except Refusal as refusal:
            return refusal

    def _planning(self, row: MilestoneRow) -> Change[Entered]:
        project, standing, _ = self._seen
        title = reworded(None, row.title)
        if not title:
            raise missing("title")
        due_on, time_zone, accountable = ensure_complete(row)
        ensure_known(row.depends_on or (), self._ids.keys() | self._yet_to_plan)
        description = reworded(None, row.description) or None
        planned: list[Milestone] = []

        async def plan() -> None:
            milestone, _ = await plan_milestone(
                self._session,
                project.id,
                title=title,
                description=description,
                due_on=due_on,
                time_zone=time_zone,
                accountable=accountable,
                seen=(project, standing, self._progress),
                **self._about,
            )
            self._progress = replace(self._progress, milestones=self._progress.milestones + 1)
            planned.append(milestone)
            if row.key is not None:
                self._ids[row.key] = milestone.id

        async def report() -> None:
            await self._report(row, planned[0])

        async def depend(plan: Plan) -> None:
            await change_dependencies(
                self._session,
                planned[0].id,
                expected=None,
                depends_on=self._resolved(row.depends_on or ()),
                seen=(planned[0], standing),
                plan=plan,
                **self._about,
            )

        async def outcome() -> Entered:
            return Entered(planned[0].id, ("planned",))

        steps = [Step(Stage.FREE, plan)]
        if row.progress_percent or row.forecast_on is not None:
            steps.append(Step(Stage.FREE, report))
        if row.depends_on:
            steps.append(Step(Stage.BIND, depend))
        return Change(None, steps, outcome)

    def _changing(self, row: MilestoneRow, milestone: Milestone) -> Change[Entered]:
        ensure_version(row.version, milestone.state())
        ensure_the_rest_stays(row, milestone)
        seen = (milestone, self._seen[1])
        steps: list[Step] = []
        results: list[Result] = []
        if changes := changes_of(row, milestone):
            reword = partial(change_milestone, changes=changes, expected=None, seen=seen)
            steps.append(
                Step(Stage.FREE, partial(reword, self._session, milestone.id, **self._about))
            )
            results.append("changed")
        if reports_progress(row, milestone):
            steps.append(Step(Stage.FREE, partial(self._report, row, milestone)))
            results.append("progress_reported")
        deadline = (row.due_on or milestone.due_on, row.time_zone or milestone.time_zone)
        wanted = {"due_on": deadline[0], "time_zone": deadline[1], **self._about}
        if deadline != (milestone.due_on, milestone.time_zone):
            steps.append(move(self._session, seen, **wanted))
            results.append("rescheduled")
        if row.due_on is not None or row.time_zone is not None:
            steps.append(stay(self._session, seen, **wanted))
        if waiting := self._waiting(row, milestone):
            steps += waiting
            results.append("dependencies_changed")

        async def outcome() -> Entered:
            return Entered(milestone.id, tuple(results) or ("unchanged",))

        return Change(milestone.id, steps, outcome)

    def _waiting(self, row: MilestoneRow, milestone: Milestone) -> list[Step]:
        """The steps to what a row waits for, if that is new."""
        if row.depends_on is None:
            return []
        ensure_known(row.depends_on, self._ids.keys() | self._yet_to_plan)
        planned = [each for each in row.depends_on if each.to in self._yet_to_plan]
        on = self._resolved(each for each in row.depends_on if each not in planned)
        if not planned and dict(on) == dict(milestone.dependencies):
            return []
        return wait(
            self._session,
            (milestone, self._seen[1]),
            on=on,
            and_on=partial(self._resolved, planned) if planned else None,
            **self._about,
        )

    async def _report(self, row: MilestoneRow, milestone: Milestone) -> None:
        percent = row.progress_percent
        await report_progress(
            self._session,
            milestone.id,
            expected=None,
            progress_percent=milestone.progress_percent if percent is None else percent,
            forecast_on=row.forecast_on if row.has_forecast_on else milestone.forecast_on,
            seen=(milestone, self._seen[1]),
            **self._about,
        )

    def _resolved(self, references: Iterable[Reference]) -> list[Dependency]:
        """Find the milestones that are meant; of one that is named twice the longer lag counts.

        Raises:
            DependencyUnknown: that of a key has not been planned.
        """
        lags: dict[UUID, int] = {}
        for to, lag_days in references:
            found = self._ids.get(to) if isinstance(to, str) else to
            if found is None:
                raise unknown(to)
            lags[found] = max(lag_days, lags.get(found, 0))
        return [Dependency(*each) for each in lags.items()]
