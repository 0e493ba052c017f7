"""Every SELECT of decisions, of who is asked and of what was said."""

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Final
from uuid import UUID

from sqlalchemy import (
    ARRAY,
    Text,
    Uuid,
    any_,
    bindparam,
    exists,
    func,
    select,
)
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import contains_eager, selectinload
from sqlalchemy.orm.attributes import set_committed_value

from services.projects.model.decision import Decision, Elector, Position, no_decision
from services.projects.model.project import Project
from services.projects.model.standing import Standing
from services.projects.queries.projects import ensure_project_seen
from services.projects.queries.sorting import DecisionSort, sorts_of
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
from shared.contracts.projects import DecisionStatus
from shared.http.paging import Listing, Paging
from shared.reading import Question, Reading, Row

DecisionSeen = tuple[Decision, Standing]

DECISION_ID: Final = bindparam("decision_id", type_=Uuid())


_SEEN: Final = (
    select(Decision, Project, HOME, PLACES)
    .join(Project, Decision.project_id == Project.id)
    .where(VISIBLE)
)
_ONE_SEEN: Final = Question(_SEEN.where(Decision.id == DECISION_ID))
_ELECTORS: Final = Question(
    select(Elector)
    .where(Elector.decision_id == any_(bindparam("decisions", type_=ARRAY(Uuid()))))
    .order_by(Elector.member)
)


async def decision_seen(reading: Reading, decision_id: UUID, *, actor: Actor) -> DecisionSeen:
    """Load a decision in a project that the actor may see.

    Raises:
        ClientRevoked, OfficialMayNotAct, SessionOver, MissingScope: the actor may not read.
        DecisionNotFound: for the actor there is none.
    """
    found = await reading.rows(_ONE_SEEN, parameters(actor, decision_id=decision_id))
    if not found:
        await ensure_may_read(reading, actor=actor)
        raise no_decision(decision_id)
    [seen] = await _with_electorate(reading, found, actor=actor)
    return seen


async def decision_for_change(
    session: AsyncSession, decision_id: UUID, *, actor: Actor
) -> DecisionSeen:
    """Load a decision that the actor may see; its project and it stay locked, in this order.

    Raises:
        DecisionNotFound: for the actor there is none.
    """
    decision = await session.scalar(
        select(Decision)
        .select_from(Project)
        .join(Decision, Decision.project_id == Project.id)
        .options(contains_eager(Decision.project), selectinload(Decision.electorate))
        .where(Decision.id == decision_id)
        .with_for_update(key_share=True)
    )
    if decision is None:
        raise no_decision(decision_id)
    standing = await standing_in(session, decision.project_id, actor=actor)
    if not decision.project.is_seen_by(standing):
        raise no_decision(decision_id)
    return decision, standing


async def decisions_to_close(
    session: AsyncSession, now: datetime, *, limit: int
) -> list[DecisionSeen]:
    """Load open decisions whose time is over, locked with their projects.

    What another transaction holds is left out, and found again next time.
    """
    found = await session.scalars(
        select(Decision)
        .select_from(Project)
        .join(Decision, Decision.project_id == Project.id)
        .options(contains_eager(Decision.project), selectinload(Decision.electorate))
        .where(Decision.status == "open", Decision.closes_at <= now)
        .order_by(Decision.closes_at, Decision.id)
        .limit(limit)
        .with_for_update(key_share=True, skip_locked=True)
    )
    decisions = found.all()
    rows = await session.execute(
        select(Project.id, PLACES).where(Project.id.in_({each.project_id for each in decisions}))
    )
    standings = {
        project_id: standing_from(Actor.CLOCK, None, places) for project_id, places in rows
    }
    return [(decision, standings[decision.project_id]) for decision in decisions]


async def count_open_decisions(session: AsyncSession, project: Project) -> int:
    """Tell how many decisions are open in a project that is locked."""
    await session.flush()
    found = select(func.count()).where(Decision.project_id == project.id, Decision.status == "open")
    return (await session.scalars(found)).one()


async def open_decisions_of(
    session: AsyncSession, project: Project, *, asking: str | None = None
) -> list[Decision]:
    """Load the open decisions of a project that is locked; only those that ask a member, if any."""
    await session.flush()
    wanted = [Decision.project_id == project.id, Decision.status == "open"]
    if asking is not None:
        wanted.append(
            exists().where(
                Elector.decision_id == Decision.id,
                Elector.member == asking,
                Elector.counted_out_at.is_(None),
            )
        )
    found = await session.scalars(
        select(Decision)
        .options(selectinload(Decision.electorate))
        .where(*wanted)
        .order_by(Decision.id)
        .with_for_update(key_share=True)
    )
    decisions = list(found)
    for decision in decisions:
        set_committed_value(decision, "project", project)
    return decisions


_LISTED: Final = Listing(
    _SEEN,
    filters={
        "project_id": Decision.project_id == PROJECT_ID,
        "member": exists()
        .where(Elector.decision_id == Decision.id, Elector.member == MEMBER)
        .correlate(Decision),
        "status": Decision.status == bindparam("status", type_=Text()),
        "updated_since": Decision.updated_at >= bindparam("updated_since", type_=INSTANT),
    },
    sorts=sorts_of(Decision),
)


async def list_decisions(
    reading: Reading,
    paging: Paging,
    *,
    actor: Actor,
    sort: DecisionSort = "created",
    project_id: UUID | None = None,
    member: str | None = None,
    status: DecisionStatus | None = None,
    updated_since: datetime | None = None,
) -> tuple[list[DecisionSeen], str | None]:
    """List decisions of one project, or of all that the actor may see; `member` is asked by them.

    Raises:
        ClientRevoked, OfficialMayNotAct, SessionOver, MissingScope: the actor may not read.
        ProjectNotFound: for the actor there is no such project.
        CursorUnknown: the cursor was not made by this list.
    """
    filters = {
        "project_id": project_id,
        "member": member,
        "status": status,
        "updated_since": updated_since,
    }
    rows, cursor = await _LISTED.read(
        reading, paging, sort=sort, filters=filters, parameters=parameters(actor)
    )
    if not rows:
        if project_id is None:
            await ensure_may_read(reading, actor=actor)
        else:
            await ensure_project_seen(reading, project_id, actor=actor)
    return await _with_electorate(reading, rows, actor=actor), cursor


_POSITIONS: Final = Listing(
    select(Position).where(Position.decision_id == DECISION_ID),
    filters={"member": Position.member == MEMBER},
    sorts={"taken": (Position.taken_at, Position.id)},
)


async def list_positions(
    reading: Reading,
    paging: Paging,
    decision_id: UUID,
    *,
    actor: Actor,
    member: str | None = None,
) -> tuple[list[Position], str | None]:
    """List what was said to a decision, also what was said differently later, oldest first.

    Raises:
        ClientRevoked, OfficialMayNotAct, SessionOver, MissingScope: the actor may not read.
        DecisionNotFound: for the actor there is none.
        CursorUnknown: the cursor was not made by this list.
    """
    await decision_seen(reading, decision_id, actor=actor)
    rows, cursor = await _POSITIONS.read(
        reading,
        paging,
        sort="taken",
        filters={"member": member},
        parameters={"decision_id": decision_id},
    )
    return [position for (position,) in rows], cursor


async def _with_electorate(
    reading: Reading, rows: Sequence[Row], *, actor: Actor
) -> list[DecisionSeen]:
    """Give decisions their projects and who is asked: one question, however many."""
    electorates = await electorates_of(reading, [decision.id for decision, *_ in rows])
    seen = []
    for decision, project, home, places in rows:
        decision.project = project
        decision.electorate = electorates[decision.id]
        seen.append((decision, reading_from(actor, home, places)))
    return seen


async def electorates_of(
    reading: Reading, decisions: Collection[UUID]
) -> dict[UUID, list[Elector]]:
    """Who is asked, by decision."""
    found: dict[UUID, list[Elector]] = {each: [] for each in decisions}
    if found:
        for (elector,) in await reading.rows(_ELECTORS, {"decisions": list(found)}):
            found[elector.decision_id].append(elector)
    return found
