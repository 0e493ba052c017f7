"""Every SELECT of an export: whole projects in pages, however many there are.

Which projects it is about is settled first, by their ids; what they hold is read page by page, each
page a transaction of its own, so that no connection and no snapshot waits for a slow client. Every
page asks again who may see it: what the actor stops seeing meanwhile does not come.
"""

from collections import deque
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from itertools import groupby
from typing import Final
from uuid import UUID

from sqlalchemy import ARRAY, BigInteger, Uuid, any_, bindparam, func, select, tuple_
from sqlalchemy.orm import InstrumentedAttribute

from services.projects.model.contribution import Contribution
from services.projects.model.milestone import Milestone
from services.projects.model.participation import Participation
from services.projects.model.project import Project
from services.projects.queries.standings import (
    HOME,
    INSTANT,
    VISIBLE,
    parameters,
    reading_from,
)
from shared.actor import Actor
from shared.reading import Question, Reading

PROJECTS_AT_ONCE: Final = 100
MILESTONES_AT_ONCE: Final = 500

Readings = Callable[[], AbstractAsyncContextManager[Reading]]
"""Opens a connection for a moment."""

_IDS: Final = any_(bindparam("projects", type_=ARRAY(Uuid())))

_PROJECTS: Final = Question(
    select(Project, HOME).where(Project.id == _IDS, VISIBLE).order_by(Project.id)
)

_MILESTONES: Final = Question(
    select(Milestone)
    .join(Milestone.project)
    .where(
        Milestone.project_id == _IDS,
        VISIBLE,
        tuple_(Milestone.project_id, Milestone.created_at, Milestone.id)
        > tuple_(
            bindparam("after_project_id", type_=Uuid()),
            bindparam("after_created_at", type_=INSTANT),
            bindparam("after_id", type_=Uuid()),
        ),
    )
    .order_by(Milestone.project_id, Milestone.created_at, Milestone.id)
    .limit(bindparam("limit", type_=BigInteger()))
)

_CONTRIBUTIONS: Final = Question(
    select(Contribution)
    .where(Contribution.milestone_id == any_(bindparam("milestones", type_=ARRAY(Uuid()))))
    .order_by(Contribution.id)
)

_PARTICIPATIONS: Final = Question(
    select(Participation)
    .join(Participation.project)
    .where(Participation.project_id == _IDS, VISIBLE)
    .order_by(Participation.project_id, Participation.created_at, Participation.id)
)

_SIZE: Final = Question(
    select(
        select(func.count()).where(Milestone.project_id == _IDS).scalar_subquery(),
        select(func.count())
        .select_from(Contribution)
        .join(Milestone, Contribution.milestone_id == Milestone.id)
        .where(Milestone.project_id == _IDS)
        .scalar_subquery(),
        select(func.count()).where(Participation.project_id == _IDS).scalar_subquery(),
    )
)


def _languages_of(texts: InstrumentedAttribute[dict[str, str]]) -> Question:
    """The languages that the milestones of some projects are written in, and how often."""
    written = (
        select(func.jsonb_object_keys(texts).label("language"))
        .where(Milestone.project_id == _IDS)
        .subquery()
    )
    return Question(select(written.c.language, func.count()).group_by(written.c.language))


_TITLES: Final = _languages_of(Milestone.title)
_DESCRIPTIONS: Final = _languages_of(Milestone.description)  # type: ignore[arg-type]

NOBODY: Final = UUID(int=0)
BEGINNING: Final = datetime.min.replace(tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Part:
    """A project, and some of its milestones with what is contributed to them.

    The first part of a project has its participations, if they were asked for.
    """

    project: Project
    milestones: Sequence[Milestone]
    is_first: bool
    participations: Sequence[Participation] = ()


async def size_of(
    reading: Reading, projects: Sequence[UUID], *, with_participations: bool = False
) -> int:
    """Count the milestones and contributions of projects."""
    [(milestones, contributions, places)] = await reading.rows(_SIZE, {"projects": projects})
    return int(milestones + contributions + (places if with_participations else 0))


async def languages_of_milestones(
    reading: Reading, projects: Sequence[UUID]
) -> tuple[dict[str, int], dict[str, int]]:
    """Tell in which languages titles and descriptions are written, and how often in each."""
    titles = await reading.rows(_TITLES, {"projects": projects})
    descriptions = await reading.rows(_DESCRIPTIONS, {"projects": projects})
    return dict(titles), dict(descriptions)


async def parts_of(
    readings: Readings,
    projects: Sequence[UUID],
    *,
    actor: Actor,
    with_participations: bool = False,
) -> AsyncIterator[list[Part]]:
    """Read projects in the order of their ids, which is that of their making.

    Yields:
        Parts that belong together only in that they were read at once; the milestones of a
        project, in the order of their making, may need several.

    Raises:
        ClientRevoked, OfficialMayNotAct, SessionOver, MissingScope: the actor may not read any
            more.
    """
    ordered = sorted(projects)
    for start in range(0, len(ordered), PROJECTS_AT_ONCE):
        ids = ordered[start : start + PROJECTS_AT_ONCE]
        async with readings() as reading:
            rows = await reading.rows(_PROJECTS, parameters(actor, projects=ids))
            milestones = await _milestones_after(reading, ids, None, actor=actor)
            places = await _participations(reading, ids if with_participations else (), actor=actor)
        for _, home in rows[:1]:
            reading_from(actor, home, None)
        waiting = deque(
            Part(project, [], is_first=True, participations=places.get(project.id, ()))
            for project, _ in rows
        )
        current: Project | None = None
        while milestones:
            parts = _parts(waiting, current, milestones)
            yield parts
            if len(milestones) < MILESTONES_AT_ONCE:
                break
            current = parts[-1].project if parts else current
            async with readings() as reading:
                milestones = await _milestones_after(reading, ids, milestones[-1], actor=actor)
        if waiting:
            yield list(waiting)


def _parts(
    waiting: deque[Part], current: Project | None, milestones: Sequence[Milestone]
) -> list[Part]:
    """Put milestones to their projects, and before them the projects that have none.

    Args:
        waiting: beginnings of projects, in order; those that begin are taken from it.
        current: the project that began last, which may go on.
        milestones: in the order of their projects.
    """
    parts = []
    for project_id, found in groupby(milestones, key=lambda milestone: milestone.project_id):
        while waiting and waiting[0].project.id < project_id:
            parts.append(waiting.popleft())
        if waiting and waiting[0].project.id == project_id:
            parts.append(replace(waiting.popleft(), milestones=list(found)))
        elif current is not None and current.id == project_id:
            parts.append(Part(current, list(found), is_first=False))
        # What is left came into sight between two statements, without its project.
    return parts


async def _participations(
    reading: Reading, projects: Sequence[UUID], *, actor: Actor
) -> dict[UUID, list[Participation]]:
    """Read who was asked into projects, by project."""
    found: dict[UUID, list[Participation]] = {}
    if projects:
        rows = await reading.rows(_PARTICIPATIONS, parameters(actor, projects=projects))
        for (participation,) in rows:
            found.setdefault(participation.project_id, []).append(participation)
    return found


async def _milestones_after(
    reading: Reading, projects: Sequence[UUID], last: Milestone | None, *, actor: Actor
) -> list[Milestone]:
    """Read the milestones that follow on `last`, with what is contributed to them."""
    after = (
        {"after_project_id": NOBODY, "after_created_at": BEGINNING, "after_id": NOBODY}
        if last is None
        else {
            "after_project_id": last.project_id,
            "after_created_at": last.created_at,
            "after_id": last.id,
        }
    )
    rows = await reading.rows(
        _MILESTONES, parameters(actor, projects=projects, limit=MILESTONES_AT_ONCE, **after)
    )
    contributions: dict[UUID, list[Contribution]] = {milestone.id: [] for (milestone,) in rows}
    for (contribution,) in await reading.rows(_CONTRIBUTIONS, {"milestones": list(contributions)}):
        contributions[contribution.milestone_id].append(contribution)
    for (milestone,) in rows:
        milestone.contributions = contributions[milestone.id]
    return [milestone for (milestone,) in rows]
