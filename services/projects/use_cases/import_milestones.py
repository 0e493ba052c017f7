"""Use case: the lead enters the milestones of a project as a table."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from functools import partial
from typing import Literal
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from services.projects.model.milestone import Milestone, MilestoneChanges, no_milestone
from services.projects.model.rewording import reworded
from services.projects.queries.milestones_together import milestones_for_change
from services.projects.queries.projects import project_for_change
from services.projects.use_cases.change_milestone import change_milestone
from services.projects.use_cases.plan_milestone import plan_milestone
from services.projects.use_cases.reschedule_milestone import reschedule_milestone
from shared.actor import Actor
from shared.all_or_nothing import all_or_nothing
from shared.http.preconditions import ensure_version
from shared.refusals import Conflict, Invalid, Refusal

Result = Literal["planned", "changed", "rescheduled", "unchanged"]


class FieldMissing(Invalid):
    code = "field-missing"
    title = "The milestone cannot be without this"


class NotChangedHere(Conflict):
    code = "not-changed-here"
    title = "A table changes the words and the deadline of a milestone, and nothing else"


@dataclass(frozen=True, slots=True, kw_only=True)
class MilestoneRow:
    """What a table says of one milestone; nothing where it says nothing.

    Words are by language, and nothing in a language ends what was written in it.
    """

    id: UUID | None = None
    version: int | None = None
    title: Mapping[str, str | None] = field(default_factory=dict)
    description: Mapping[str, str | None] = field(default_factory=dict)
    due_on: date | None = None
    time_zone: str | None = None
    project_id: UUID | None = None
    accountable: str | None = None
    status: str | None = None


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

    Each goes through the use case that does the same alone.

    Args:
        session: of the request.
        project_id: that all rows belong to.
        actor: who asks.
        now: the instant.
        rows: each milestone at most once.
        keep: else it is only tried.

    Returns:
        What came of each row, in their order. With any refusal among them nothing is changed.

    Raises:
        ProjectNotFound: for the actor there is none.
        MissingScope, MemberNotActive, NotProjectLead: the actor may not.
    """
    project, standing, progress = await project_for_change(session, project_id, actor=actor)
    project.ensure_led_by(standing)
    named = [row.id for row in rows if row.id is not None]
    found = await milestones_for_change(session, project_id, named)
    # A row may move what another one is about, so versions are those of before all of them.
    before = {milestone.id: milestone.state() for milestone in found.values()}
    planned: list[UUID] = []

    async def enter(row: MilestoneRow) -> Entered:
        ensure_here(row, project_id)
        if row.id is None:
            return await plan(row)
        milestone = found.get(row.id)
        if milestone is None:
            raise no_milestone(row.id)
        return await change(row, milestone)

    async def plan(row: MilestoneRow) -> Entered:
        title = reworded(None, row.title)
        if not title:
            raise missing("title")
        due_on, time_zone, accountable = ensure_complete(row)
        milestone, _ = await plan_milestone(
            session,
            project_id,
            actor=actor,
            now=now,
            title=title,
            description=reworded(None, row.description) or None,
            due_on=due_on,
            time_zone=time_zone,
            accountable=accountable,
            seen=(
                project,
                standing,
                replace(progress, milestones=progress.milestones + len(planned)),
            ),
        )
        planned.append(milestone.id)
        return Entered(milestone.id, ("planned",))

    async def change(row: MilestoneRow, milestone: Milestone) -> Entered:
        ensure_version(row.version, before[milestone.id])
        ensure_the_rest_stays(row, milestone)
        results: list[Result] = []
        deadline = (row.due_on or milestone.due_on, row.time_zone or milestone.time_zone)
        is_moved = deadline != (milestone.due_on, milestone.time_zone)
        if changes := changes_of(row, milestone):
            await change_milestone(
                session,
                milestone.id,
                actor=actor,
                now=now,
                expected=None,
                changes=changes,
                seen=(milestone, standing),
            )
            results.append("changed")
        if is_moved:
            due_on, time_zone = deadline
            await reschedule_milestone(
                session,
                milestone.id,
                actor=actor,
                now=now,
                expected=None,
                due_on=due_on,
                time_zone=time_zone,
                seen=(milestone, standing),
            )
            results.append("rescheduled")
        return Entered(milestone.id, tuple(results) or ("unchanged",))

    return await all_or_nothing(session, [partial(enter, row) for row in rows], keep=keep)


def ensure_here(row: MilestoneRow, project_id: UUID) -> None:
    """Refuse a row of another project.

    Raises:
        NotChangedHere: the row names another one.
    """
    if row.project_id not in {None, project_id}:
        raise not_changed("project_id")


def ensure_the_rest_stays(row: MilestoneRow, milestone: Milestone) -> None:
    """Refuse a row in which somebody has changed what a table does not change.

    Raises:
        NotChangedHere: something else than words and deadline is different.
    """
    if row.accountable not in {None, milestone.accountable}:
        raise not_changed("accountable")
    if row.status not in {None, milestone.status}:
        raise not_changed("status")


def not_changed(column: str) -> NotChangedHere:
    return NotChangedHere("Leave it as it is, or empty.", members={"column": column})


def changes_of(row: MilestoneRow, milestone: Milestone) -> MilestoneChanges:
    """What of the words in a row is new.

    Raises:
        FieldMissing: no title would be left.
        TextsTooLong: with what stays it is too much.
    """
    changes = MilestoneChanges()
    title = reworded(milestone.title, row.title)
    description = reworded(milestone.description, row.description)
    if not title:
        raise missing("title")
    if title != milestone.title:
        changes["title"] = title
    if description != (milestone.description or {}):
        changes["description"] = description or None
    return changes


def ensure_complete(row: MilestoneRow) -> tuple[date, str, str]:
    """Refuse a new milestone without what it needs.

    Returns:
        Its day, its time zone, and who is accountable.

    Raises:
        FieldMissing: something is not there.
        NotChangedHere: it is said to be further than planned.
    """
    if row.status not in {None, "planned"}:
        raise not_changed("status")
    if row.due_on is None:
        raise missing("due_on")
    if row.time_zone is None:
        raise missing("time_zone")
    if row.accountable is None:
        raise missing("accountable")
    return row.due_on, row.time_zone, row.accountable


def missing(column: str) -> FieldMissing:
    return FieldMissing(f"There is no {column}.", members={"column": column})
