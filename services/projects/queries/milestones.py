"""Every SELECT of milestones and their contributions."""

from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime
from typing import Final
from uuid import UUID

from sqlalchemy import ARRAY, Boolean, Text, Uuid, any_, bindparam, exists, func, or_, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import contains_eager, selectinload

from services.projects.model.contribution import Contribution
from services.projects.model.milestone import Milestone, no_milestone
from services.projects.model.plan import OPEN, Plan, Step, dependencies_in, local_day
from services.projects.model.project import ENDED, Project
from services.projects.model.standing import Standing
from services.projects.queries.projects import ensure_project_seen
from services.projects.queries.sorting import MilestoneSort, sorts_of
from services.projects.queries.standings import (
    HOME,
    INSTANT,
    MEMBER,
    PLACES,
    PROJECT_ID,
    VISIBLE,
    ensure_may_read,
    parameters,
    reading_from,
    standing_from,
    standing_in,
)
from shared.actor import Actor
from shared.contracts.projects import MilestoneStatus
from shared.http.paging import Listing, Paging
from shared.reading import Question, Reading, Row

MilestoneSeen = tuple[Milestone, Standing]

_IS_MEANT: Final = Milestone.id == bindparam("milestone_id", type_=Uuid())
_SEEN: Final = select(Milestone, HOME).join(Milestone.project).where(VISIBLE)
_ONE_SEEN: Final = Question(_SEEN.where(_IS_MEANT))
_WITH_PROJECT: Final = (
    select(Milestone)
    .select_from(Project)
    .join(Milestone, Milestone.project_id == Project.id)
    .options(contains_eager(Milestone.project), selectinload(Milestone.contributions))
)
_FOR_CHANGE: Final = _WITH_PROJECT.where(_IS_MEANT).with_for_update(key_share=True)
_PROJECT: Final = Question(select(Project, PLACES).where(Project.id == PROJECT_ID))
_PROJECTS: Final = Question(
    select(Project, PLACES).where(Project.id == any_(bindparam("projects", type_=ARRAY(Uuid()))))
)
_CONTRIBUTIONS: Final = Question(
    select(Contribution)
    .where(Contribution.milestone_id == any_(bindparam("milestones", type_=ARRAY(Uuid()))))
    .order_by(Contribution.id)
)


_STEP: Final = (
    Milestone.id,
    Milestone.due_on,
    Milestone.time_zone,
    Milestone.status,
    Milestone.accountable,
    Milestone.depends_on,
    Milestone.forecast_on,
    Milestone.completed_at,
)
_NEEDED: Final = Question(
    select(*_STEP).where(Milestone.id == any_(bindparam("milestones", type_=ARRAY(Uuid()))))
)
_PLAN: Final = Question(
    select(
        *_STEP,
        select(func.array_agg(Contribution.member))
        .where(Contribution.milestone_id == Milestone.id)
        .correlate(Milestone)
        .scalar_subquery(),
    )
    .where(Milestone.project_id == PROJECT_ID)
    .order_by(Milestone.created_at, Milestone.id)
)


def _step(row: Row) -> Step:
    milestone_id, due_on, time_zone, status, accountable, depends_on, forecast_on, done_at = row[:8]
    return Step(
        milestone_id,
        due_on=due_on,
        time_zone=time_zone,
        status=status,
        accountable=accountable,
        contributors=tuple(row[8] or ()) if len(row) > 8 else (),
        depends_on=dependencies_in(depends_on),
        forecast_on=forecast_on,
        completed_on=None if done_at is None else local_day(done_at, time_zone),
    )


async def give_needed(
    milestones: Sequence[Milestone], ask: Callable[[list[UUID]], Awaitable[Sequence[Row]]]
) -> None:
    """Let milestones know those that they depend on: one question, and none if they depend on none.

    Args:
        milestones: that were just loaded.
        ask: asks `_NEEDED`.
    """
    needed = {one.milestone_id for milestone in milestones for one in milestone.dependencies}
    if not needed:
        return
    steps = {step.id: step for step in map(_step, await ask(list(needed)))}
    for milestone in milestones:
        milestone.knows([steps[one.milestone_id] for one in milestone.dependencies])


async def give_needed_now(session: AsyncSession, milestones: Sequence[Milestone]) -> None:
    """Let milestones know how those that they depend on are after what this transaction did."""
    await session.flush()
    await give_needed(milestones, lambda ids: _NEEDED.asked_in(session, {"milestones": ids}))


async def plan_of(session: AsyncSession, project_id: UUID) -> Plan:
    """Load the plan of a project that is locked, with what this transaction has changed in it."""
    await session.flush()
    return Plan(map(_step, await _PLAN.asked_in(session, {"project_id": project_id})))


async def plan_seen(reading: Reading, project_id: UUID, *, actor: Actor) -> Plan:
    """Load the plan of a project that the actor may see.

    Raises:
        ClientRevoked, OfficialMayNotAct, SessionOver, MissingScope: the actor may not read.
        ProjectNotFound: for the actor there is no such project.
    """
    await ensure_project_seen(reading, project_id, actor=actor)
    return Plan(map(_step, await reading.rows(_PLAN, {"project_id": project_id})))


async def milestone_seen(reading: Reading, milestone_id: UUID, *, actor: Actor) -> MilestoneSeen:
    """Load a milestone of a project that the actor may see.

    Raises:
        ClientRevoked, OfficialMayNotAct, SessionOver, MissingScope: the actor may not read.
        MilestoneNotFound: for the actor there is none.
    """
    found = await reading.rows(_ONE_SEEN, parameters(actor, milestone_id=milestone_id))
    if not found:
        await ensure_may_read(reading, actor=actor)
        raise no_milestone(milestone_id)
    [seen] = await _with_what_belongs(reading, found, actor=actor)
    return seen


async def milestone_for_change(
    session: AsyncSession, milestone_id: UUID, *, actor: Actor
) -> MilestoneSeen:
    """Load a milestone that the actor may see; its project and it stay locked, in this order.

    The project comes first, here and in whatever changes several of its milestones: locks are taken
    in the order of the tables in the statement.

    Raises:
        MilestoneNotFound: for the actor there is none.
    """
    milestone = await session.scalar(_FOR_CHANGE, {"milestone_id": milestone_id})
    if milestone is None:
        raise no_milestone(milestone_id)
    standing = await standing_in(session, milestone.project_id, actor=actor)
    if not milestone.project.is_seen_by(standing):
        raise no_milestone(milestone_id)
    await give_needed([milestone], lambda ids: _NEEDED.asked_in(session, {"milestones": ids}))
    return milestone, standing


async def milestones_to_note_as_overdue(
    session: AsyncSession, now: datetime, *, limit: int
) -> list[MilestoneSeen]:
    """Load open milestones whose deadline has passed unnoticed, locked with their projects.

    What another transaction holds is left out, and found again next time.
    """
    found = await session.scalars(
        _WITH_PROJECT.where(
            Milestone.status.in_(sorted(OPEN)),
            Milestone.is_overdue.is_(False),
            Milestone.due_at <= now,
            Project.status.not_in(sorted({*ENDED, "draft"})),
        )
        .order_by(Milestone.due_at)
        .limit(limit)
        .with_for_update(key_share=True, skip_locked=True)
    )
    milestones = found.all()
    rows = await session.execute(
        select(Project.id, PLACES).where(
            Project.id.in_({milestone.project_id for milestone in milestones})
        )
    )
    standings = {
        project_id: standing_from(Actor.CLOCK, None, places) for project_id, places in rows
    }
    return [(milestone, standings[milestone.project_id]) for milestone in milestones]


_LISTED: Final = Listing(
    _SEEN,
    filters={
        "project_id": Milestone.project_id == PROJECT_ID,
        "member": or_(
            Milestone.accountable == MEMBER,
            exists()
            .where(Contribution.milestone_id == Milestone.id, Contribution.member == MEMBER)
            .correlate(Milestone),
        ),
        "status": Milestone.status == bindparam("status", type_=Text()),
        "due_before": Milestone.due_at < bindparam("due_before", type_=INSTANT),
        "overdue": Milestone.is_overdue == bindparam("overdue", type_=Boolean()),
        "updated_since": Milestone.updated_at >= bindparam("updated_since", type_=INSTANT),
    },
    sorts=sorts_of(Milestone),
)


async def list_milestones(
    reading: Reading,
    paging: Paging,
    *,
    actor: Actor,
    sort: MilestoneSort = "created",
    project_id: UUID | None = None,
    member: str | None = None,
    status: MilestoneStatus | None = None,
    due_before: datetime | None = None,
    overdue: bool | None = None,
    updated_since: datetime | None = None,
) -> tuple[list[MilestoneSeen], str | None]:
    """List milestones of projects that the actor may see, with what is contributed to them.

    `member` is accountable or contributes; before `due_before` the deadline is over.

    Raises:
        ClientRevoked, OfficialMayNotAct, SessionOver, MissingScope: the actor may not read.
        CursorUnknown: the cursor was not made by this list.
    """
    filters = {
        "project_id": project_id,
        "member": member,
        "status": status,
        "due_before": due_before,
        "overdue": overdue,
        "updated_since": updated_since,
    }
    rows, cursor = await _LISTED.read(
        reading, paging, sort=sort, filters=filters, parameters=parameters(actor)
    )
    if not rows and project_id is None:
        await ensure_may_read(reading, actor=actor)
    return await _with_what_belongs(reading, rows, actor=actor), cursor


async def list_milestones_of_project(
    reading: Reading,
    paging: Paging,
    project_id: UUID,
    *,
    actor: Actor,
    sort: MilestoneSort = "created",
    status: MilestoneStatus | None = None,
    overdue: bool | None = None,
    updated_since: datetime | None = None,
) -> tuple[list[MilestoneSeen], str | None]:
    """List the milestones of one project.

    Raises:
        ClientRevoked, OfficialMayNotAct, SessionOver, MissingScope: the actor may not read.
        ProjectNotFound: for the actor there is no such project.
    """
    found, cursor = await list_milestones(
        reading,
        paging,
        actor=actor,
        sort=sort,
        project_id=project_id,
        status=status,
        overdue=overdue,
        updated_since=updated_since,
    )
    if not found:
        await ensure_project_seen(reading, project_id, actor=actor)
    return found, cursor


async def _with_what_belongs(
    reading: Reading, rows: Sequence[Row], *, actor: Actor
) -> list[MilestoneSeen]:
    """Give milestones their projects and contributions: one question each, however many."""
    if not rows:
        return []
    milestones: dict[UUID, Milestone] = {milestone.id: milestone for milestone, _ in rows}
    projects = list({milestone.project_id for milestone in milestones.values()})
    # For an array the database makes a plan each time; the one for a key it keeps.
    question = _PROJECT if len(projects) == 1 else _PROJECTS
    around = {
        project.id: (project, reading_from(actor, rows[0][1], places))
        for project, places in await reading.rows(
            question, {"project_id": projects[0], "projects": projects}
        )
    }
    contributions: dict[UUID, list[Contribution]] = {each: [] for each in milestones}
    for (contribution,) in await reading.rows(_CONTRIBUTIONS, {"milestones": list(milestones)}):
        contributions[contribution.milestone_id].append(contribution)
    await give_needed(
        list(milestones.values()), lambda ids: reading.rows(_NEEDED, {"milestones": ids})
    )
    seen = []
    for milestone in milestones.values():
        project, standing = around[milestone.project_id]
        milestone.project = project
        milestone.contributions = contributions[milestone.id]
        seen.append((milestone, standing))
    return seen
