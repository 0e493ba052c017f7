"""Several changes to one plan: only their sum counts, not the order in which they are written."""

from datetime import date, timedelta
from itertools import pairwise, permutations
from typing import Any

import pytest
from httpx2 import Response

from services.projects.http.tables.dependencies import dependencies_written, references_read
from services.projects.model.milestone import Milestone
from services.projects.model.milestone_row import Reference
from services.projects.model.plan import Dependency
from shared.database import Sessions
from tests.projects.conftest import Cities, announced
from tests.projects.scenes import Scene, working
from tests.projects.test_imports import enter, problems, results, stored, table
from tests.projects.test_milestones_together import bulk, item

FIRST = date(2026, 9, 1)
MOVES = {
    "later": ("2026-11-01", "2026-11-08", "2026-12-01"),
    "earlier": ("2026-06-01", "2026-06-08", "2026-06-30"),
    "closer": ("2026-09-15", "2026-09-22", "2026-09-29"),
    "further": ("2026-08-01", "2026-09-09", "2026-12-01"),
}


def chain() -> tuple[Scene, list[Milestone]]:
    """Three milestones, each a week or more after the one that it waits for."""
    scene = working()
    milestones = [scene.plan(due_on=FIRST + timedelta(days=15 * place)) for place in range(3)]
    for needed, waiting in pairwise(milestones):
        scene.wait(waiting, needed, lag_days=7)
    return scene, milestones


async def together(
    cities: Cities, scene: Scene, items: list[dict[str, Any]], query: str = ""
) -> Response:
    return await cities.call("tokyo", "POST", bulk(scene) + query, {"items": items})


def waits(milestone: Milestone, *needed: Milestone) -> dict[str, Any]:
    depends_on = [{"milestone_id": str(each.id)} for each in needed]
    return item(milestone, {"action": "change_dependencies", "depends_on": depends_on})


async def waiting_for(sessions: Sessions) -> list[list[int]]:
    """For each milestone, which ones it waits for, by their places."""
    found = await stored(sessions)
    places = {str(milestone.id): place for place, milestone in enumerate(found)}
    return [[places[each["milestone_id"]] for each in one.depends_on] for one in found]


@pytest.mark.parametrize("days", MOVES.values(), ids=MOVES)
async def test_a_chain_moves_together_in_any_order(
    cities: Cities, sessions: Sessions, days: tuple[str, ...]
) -> None:
    scene, milestones = chain()
    await scene.store(sessions)
    wanted = list(zip(milestones, days, strict=True))
    move = {"action": "reschedule", "time_zone": "Asia/Tokyo"}

    for order in permutations(wanted):
        items = [item(milestone, {**move, "due_on": day}) for milestone, day in order]
        tried = await together(cities, scene, items, "?dry_run=true")
        assert tried.status_code == 200, tried.text
        assert [each["due_on"] for each in tried.json()["items"]] == [day for _, day in order]
        assert [each["version"] for each in tried.json()["items"]] == [
            milestone.version + 1 for milestone, _ in order
        ]
    for order in permutations(wanted):
        rows = table(*({"id": milestone.id, "due_on": day} for milestone, day in order))
        tried = await enter(cities, scene, rows, query="?dry_run=true")
        assert tried.json()["problems"] == []
    done = await enter(cities, scene, rows)

    assert done.status_code == 200, done.text
    assert [each.due_on.isoformat() for each in await stored(sessions)] == list(days)
    assert len(await announced(sessions)) == 3


@pytest.mark.parametrize("turned", [False, True])
async def test_what_had_to_give_way_against_its_row_is_refused(
    cities: Cities, sessions: Sessions, turned: bool
) -> None:
    scene, (first, second, _) = chain()
    await scene.store(sessions)
    rows = [{"id": first.id, "due_on": "2026-10-01"}, {"id": second.id, "due_on": second.due_on}]

    refused = await enter(cities, scene, table(*(rows[::-1] if turned else rows)))

    assert problems(refused) == [(2 if turned else 3, None, "deadline-too-early")]
    assert refused.json()["problems"][0]["detail"] == "It can be due on 2026-10-08 at the earliest."
    assert [each.due_on for each in await stored(sessions)] == [
        each.due_on for each in scene.milestones
    ]
    assert await announced(sessions) == []


@pytest.mark.parametrize("turned", [False, True])
async def test_dependencies_change_together_in_any_order(
    cities: Cities, sessions: Sessions, turned: bool
) -> None:
    scene = working()
    first, second, third = (scene.plan() for _ in range(3))
    scene.wait(second, first)
    scene.wait(third, second)
    await scene.store(sessions)
    items = [waits(first, second), waits(second, third), waits(third)]

    answer = await together(cities, scene, items[::-1] if turned else items)

    assert answer.status_code == 200, answer.text
    assert await waiting_for(sessions) == [[1], [2], []]


@pytest.mark.parametrize("turned", [False, True])
async def test_a_circle_is_refused_in_any_order(
    cities: Cities, sessions: Sessions, turned: bool
) -> None:
    scene = working()
    first, second = scene.plan(), scene.plan()
    await scene.store(sessions)
    items = [waits(first, second), waits(second, first)]

    refused = await together(cities, scene, items[::-1] if turned else items)

    assert [each["type"] for each in refused.json()["problems"]] == ["/problems/dependency-cycle"]
    assert await waiting_for(sessions) == [[], []]


@pytest.mark.parametrize("turned", [False, True])
async def test_what_is_no_longer_waited_for_moves_nothing(
    cities: Cities, sessions: Sessions, turned: bool
) -> None:
    scene, (first, second, third) = chain()
    await scene.store(sessions)
    rows: list[dict[str, Any]] = [
        {"id": first.id, "due_on": "2026-12-01", "depends_on": f"{second.id} + 14"},
        {"id": second.id, "due_on": "2026-08-01", "depends_on": ""},
        {"id": third.id, "due_on": third.due_on, "depends_on": f"{second.id}+7"},
    ]

    answer = await enter(cities, scene, table(*(rows[::-1] if turned else rows)))

    assert answer.status_code == 200, answer.text
    assert [row["results"] for row in answer.json()["rows"]][:: -1 if turned else 1] == [
        ["rescheduled", "dependencies_changed"],
        ["rescheduled", "dependencies_changed"],
        ["unchanged"],
    ]
    assert await waiting_for(sessions) == [[1], [], [1]]
    assert [each.due_on.isoformat() for each in await stored(sessions)] == [
        "2026-12-01",
        "2026-08-01",
        "2026-10-01",
    ]
    assert len(await announced(sessions)) == 4


async def test_what_is_waited_for_is_completed_first(cities: Cities, sessions: Sessions) -> None:
    scene = working()
    first, second = scene.begin(), scene.begin()
    scene.wait(second, first)
    await scene.store(sessions)
    complete = {"action": "complete"}

    answer = await together(cities, scene, [item(second, complete), item(first, complete)])

    assert answer.status_code == 200, answer.text
    assert [each["status"] for each in answer.json()["items"]] == ["completed", "completed"]


@pytest.mark.parametrize("turned", [False, True])
async def test_new_rows_wait_for_each_other_by_their_keys(
    cities: Cities, sessions: Sessions, turned: bool
) -> None:
    scene = working()
    there = scene.plan()
    await scene.store(sessions)
    new = {"due_on": "2026-09-30", "time_zone": "Asia/Tokyo", "accountable": "tokyo"}
    rows: list[dict[str, Any]] = [
        {"id": there.id, "key": "A", **new, "title[en]": "There", "depends_on": "第2"},
        {"id": "", "key": "第2", **new, "title[en]": "New", "depends_on": "last step"},
        {"id": "", "key": "last step", **new, "title[en]": "Other", "depends_on": ""},
        {"id": "", "key": "", **new, "title[en]": "End", "depends_on": f"A;{there.id};第2"},
    ]

    answer = await enter(cities, scene, table(*(rows[::-1] if turned else rows)))

    assert answer.status_code == 200, answer.text
    titles = {str(each.id): each.title["en"] for each in await stored(sessions)}
    assert {
        each.title["en"]: [titles[one["milestone_id"]] for one in each.depends_on]
        for each in await stored(sessions)
    } == {"There": ["New"], "New": ["Other"], "Other": [], "End": ["There", "New"]}


async def test_a_row_waits_only_for_what_is_there(cities: Cities, sessions: Sessions) -> None:
    scene, other = working(), working()
    other.project.reference = "other"
    elsewhere = other.plan()
    of_seoul = scene.plan("seoul")
    own = scene.plan()
    await scene.store(sessions)
    await other.store(sessions)
    new = {"id": "", "key": "", "due_on": "2026-09-30", "time_zone": "Asia/Tokyo"}
    new |= {"accountable": "tokyo", "title[en]": "New", "depends_on": ""}
    content = table(
        new | {"key": "A", "depends_on": "B"},
        new | {"key": "B", "depends_on": "A"},
        new | {"depends_on": "C"},
        new | {"depends_on": str(elsewhere.id)},
        new | {"depends_on": f"{own.id}+7"},
        new | {"id": of_seoul.id, "accountable": "", "depends_on": str(own.id)},
        new | {"id": own.id, "depends_on": str(own.id)},
        new | {"key": "A"},
        new | {"depends_on": "A+many"},
        new | {"key": "x;y"},
        new | {"depends_on": "A+3651"},
    )

    refused = await enter(cities, scene, content)

    assert problems(refused) == [
        (3, None, "dependency-cycle"),
        (4, "depends_on", "dependency-unknown"),
        (5, None, "dependency-unknown"),
        (6, None, "deadline-too-early"),
        (7, None, "others-are-affected"),
        (8, None, "dependency-cycle"),
        (9, "key", "row-repeated"),
        (10, "depends_on", "cell-invalid"),
        (11, "key", "cell-invalid"),
        (12, "depends_on", "cell-invalid"),
    ]
    assert len(await stored(sessions)) == 3
    assert await announced(sessions) == []


async def test_a_table_reports_the_progress_of_who_enters_it(
    cities: Cities, sessions: Sessions
) -> None:
    scene = working()
    own, forgotten, of_seoul = scene.plan(), scene.plan(), scene.plan("seoul")
    forgotten.report_progress(10, FIRST, by=scene.as_("tokyo"), at=own.created_at)
    await scene.store(sessions)
    said = table(
        {"id": own.id, "progress_percent": 30, "forecast_on": "2026-10-02"},
        {"id": forgotten.id, "progress_percent": "", "forecast_on": ""},
    )
    new = {"title[en]": "New", "due_on": "2026-12-01", "time_zone": "Asia/Tokyo"}
    new |= {"accountable": "tokyo", "progress_percent": "5"}

    refused = await enter(
        cities, scene, table({"id": of_seoul.id, "progress_percent": 30}, {"id": own.id})
    )
    answer = await enter(cities, scene, said)
    planned = await enter(cities, scene, table(new))

    assert problems(refused) == [(2, None, "not-accountable")]
    assert answer.status_code == 200, answer.text
    assert results(answer) == {2: ["progress_reported"], 3: ["progress_reported"]}
    assert results(planned) == {2: ["planned"]}
    assert [
        (each.progress_percent, each.forecast_on and each.forecast_on.isoformat())
        for each in await stored(sessions)
    ] == [(30, "2026-10-02"), (10, None), (0, None), (5, None)]


def test_a_cell_holds_what_is_waited_for() -> None:
    first, second = (
        Dependency(each.id, lag_days)
        for each, lag_days in zip((working().plan(), working().plan()), (0, 30), strict=True)
    )
    written = f"{first.milestone_id};{second.milestone_id}+30"

    assert dependencies_written([first, second]) == written
    assert references_read(written) == (Reference(*first), Reference(*second))
    assert references_read(" A + 7 ;; B1 ") == (Reference("A", 7), Reference("B1", 0))
    for odd in ("A+", "+7", "A+7+7", "A+-7", "A+3651", ";".join("A" * 51)):
        with pytest.raises(ValueError, match="must"):
            references_read(odd)
