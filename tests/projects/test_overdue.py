"""Deadlines that pass become facts: once, by the clock, for those who may see them."""

import asyncio
from datetime import date, timedelta

import pytest
from sqlalchemy import select

from services.projects.model.milestone import Milestone
from services.projects.use_cases.note_overdue_milestones import note_overdue_milestones
from services.projects.worker import WORKER
from shared.database import Sessions
from tests.projects.conftest import announced
from tests.projects.scenes import NOON, Scene, working

DUE = date(2026, 5, 3)  # ends in Tokyo on the 3rd at 15:00 UTC, before NOON of the 4th


async def tick(sessions: Sessions) -> bool:
    async with sessions.begin() as session:
        return await note_overdue_milestones(session, NOON)


async def overdue(sessions: Sessions) -> set[Milestone]:
    async with sessions() as session:
        return set(await session.scalars(select(Milestone).where(Milestone.is_overdue)))


async def test_an_open_milestone_becomes_overdue_once(sessions: Sessions) -> None:
    scene = working()
    milestone = scene.plan(due_on=DUE)
    scene.plan(due_on=DUE + timedelta(days=30))
    await scene.store(sessions)

    first = await tick(sessions)
    await tick(sessions)

    [event] = await announced(sessions)
    assert first is False
    assert event.type == "renkei.milestone.became_overdue.v1"
    assert event.subject == str(milestone.id)
    assert event.actor is None
    assert event.actormember is None
    assert event.audience == ("paris", "seoul", "tokyo")
    assert event.data.previous["is_overdue"] is False
    assert {found.version for found in await overdue(sessions)} == {2}


async def test_a_deadline_ends_with_its_last_instant(sessions: Sessions) -> None:
    scene = working()
    milestone = scene.plan(due_on=DUE)
    await scene.store(sessions)

    async with sessions.begin() as session:
        await note_overdue_milestones(session, milestone.due_at - timedelta(microseconds=1))
    before = await announced(sessions)
    async with sessions.begin() as session:
        await note_overdue_milestones(session, milestone.due_at)

    assert before == []
    assert len(await announced(sessions)) == 1


async def test_two_ticks_at_once_note_each_milestone_once(sessions: Sessions) -> None:
    scene = working()
    for _ in range(3):
        scene.plan(due_on=DUE)
    await scene.store(sessions)

    await asyncio.gather(*(tick(sessions) for _ in range(4)))

    subjects = [event.subject for event in await announced(sessions)]
    assert sorted(subjects) == sorted(str(milestone.id) for milestone in scene.milestones)


async def test_many_are_noted_a_hundred_at_a_time(sessions: Sessions) -> None:
    scene = working()
    for _ in range(120):
        scene.plan(due_on=DUE)
    await scene.store(sessions)

    more = [await tick(sessions), await tick(sessions)]

    assert more == [True, False]
    assert len(await overdue(sessions)) == 120


@pytest.mark.parametrize("end", ["completed", "cancelled", "project"])
async def test_what_is_over_does_not_become_overdue(sessions: Sessions, end: str) -> None:
    scene: Scene = working()
    milestone = scene.plan(due_on=DUE)
    if end == "completed":
        milestone.start(by=scene.as_("tokyo"), at=NOON)
        milestone.complete(by=scene.as_("tokyo"), at=NOON)
    if end == "cancelled":
        milestone.cancel("No", by=scene.as_("tokyo"), at=NOON)
    if end == "project":
        scene.project.cancel("No", by=scene.as_("tokyo"), at=NOON)
    await scene.store(sessions)

    await tick(sessions)

    assert await announced(sessions) == []
    assert await overdue(sessions) == set()


async def test_a_milestone_is_overdue_also_while_its_project_rests(sessions: Sessions) -> None:
    scene = working()
    scene.plan(due_on=DUE)
    scene.project.suspend("Election", by=scene.as_("tokyo"), at=NOON)
    await scene.store(sessions)

    await tick(sessions)

    assert len(await announced(sessions)) == 1


async def test_a_milestone_that_somebody_is_changing_waits_for_the_next_time(
    sessions: Sessions,
) -> None:
    scene = working()
    milestone = scene.plan(due_on=DUE)
    await scene.store(sessions)

    async with sessions.begin() as other:
        await other.get(Milestone, milestone.id, with_for_update=True)
        await tick(sessions)
        meanwhile = await announced(sessions)
    await tick(sessions)

    assert meanwhile == []
    assert len(await announced(sessions)) == 1


def test_the_worker_looks_after_deadlines() -> None:
    assert "milestones-overdue" in [timer.name for timer in WORKER.timers]
