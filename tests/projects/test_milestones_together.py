"""Several milestones changed in one request: all of them, or none with every reason why not."""

import asyncio
from itertools import cycle
from typing import Any

import pytest
from sqlalchemy import select, text

from services.projects.model.milestone import Milestone
from shared.database import Sessions
from tests.projects.conftest import Cities, announced
from tests.projects.scenes import Scene, working

LATER = {"action": "reschedule", "due_on": "2026-12-01", "time_zone": "Asia/Tokyo"}


def item(milestone: Milestone, change: dict[str, Any]) -> dict[str, Any]:
    return {"id": str(milestone.id), "version": milestone.version, **change}


def bulk(scene: Scene) -> str:
    return f"/projects/{scene.project.id}/milestones/bulk"


async def versions(sessions: Sessions) -> list[int]:
    async with sessions() as session:
        return list(await session.scalars(select(Milestone.version).order_by(Milestone.id)))


async def test_every_kind_of_change_is_made_and_announced(
    cities: Cities, sessions: Sessions
) -> None:
    scene = working()
    milestones = [*(scene.plan() for _ in range(3)), scene.begin()]
    milestones += [scene.plan() for _ in range(3)]
    await scene.store(sessions)
    changes: list[dict[str, Any]] = [
        {"action": "change", "title": {"en": "Report"}},
        LATER,
        {"action": "start"},
        {"action": "complete"},
        {"action": "cancel", "reason": "Other duties."},
        {"action": "report_progress", "progress_percent": 30, "forecast_on": "2026-10-02"},
        {
            "action": "change_dependencies",
            "depends_on": [{"milestone_id": str(milestones[0].id), "lag_days": 0}],
        },
    ]
    items = [item(*each) for each in zip(milestones, changes, strict=True)]

    answer = await cities.call("tokyo", "POST", bulk(scene), {"items": items}, key="once")
    again = await cities.call("tokyo", "POST", bulk(scene), {"items": items}, key="once")

    assert answer.status_code == 200
    assert again.json() == answer.json()
    done = answer.json()["items"]
    assert [each["id"] for each in done] == [str(milestone.id) for milestone in milestones]
    assert [each["version"] for each in done] == [2, 2, 2, 3, 2, 2, 2]
    assert done[0]["title"] == {"en": "Report"}
    assert done[1]["due_at"] == "2026-12-01T15:00:00Z"
    assert (done[5]["progress_percent"], done[5]["forecast_on"]) == (30, "2026-10-02")
    assert done[6]["depends_on"] == changes[6]["depends_on"]
    assert [each["status"] for each in done[2:5]] == ["in_progress", "completed", "cancelled"]
    read = await cities.get("tokyo", f"/milestones/{milestones[2].id}")
    assert done[2] == {**read, "warnings": None}
    assert [(event.subject, event.type) for event in await announced(sessions)] == [
        (str(milestones[number].id), f"renkei.milestone.{happened}.v1")
        for number, happened in (
            (0, "changed"),
            (2, "started"),
            (3, "completed"),
            (4, "cancelled"),
            (5, "progress_reported"),
            (1, "rescheduled"),
            (6, "dependencies_changed"),
        )
    ]


async def test_with_one_refusal_nothing_is_changed_and_every_refusal_is_named(
    cities: Cities, sessions: Sessions
) -> None:
    scene, other = working(), working()
    fine, of_seoul, stale = scene.plan(), scene.plan("seoul"), scene.plan()
    other.project.reference = "other"
    elsewhere = other.plan()
    await scene.store(sessions)
    await other.store(sessions)
    before = await versions(sessions)
    items = [
        item(fine, LATER),
        item(of_seoul, LATER),
        item(stale, {"action": "start", "version": 9}),
        item(elsewhere, {"action": "start"}),
        item(of_seoul, {"id": "0199c7a0-0000-7000-8000-000000000001", "action": "start"}),
    ]

    refused = await cities.call("tokyo", "POST", bulk(scene), {"items": items})

    assert refused.status_code == 409
    assert refused.json()["type"] == "/problems/some-refused"
    assert refused.json()["detail"] == "Refused are 4 of 5."
    assert refused.json()["problems"] == [
        {
            "index": 1,
            "type": "/problems/others-are-affected",
            "title": "What other members promised cannot be changed over their heads",
            "status": 409,
            "detail": "It touches seoul.",
            "affected_members": ["seoul"],
        },
        {
            "index": 2,
            "type": "/problems/version-stale",
            "title": "It has changed since you read it",
            "status": 412,
            "detail": "You read version 9; it is at version 1 now.",
        },
        *(
            {
                "index": index,
                "type": "/problems/milestone-not-found",
                "title": "There is no such milestone",
                "status": 404,
                "detail": f"You see no milestone with the id {items[index]['id']}.",
            }
            for index in (3, 4)
        ),
    ]
    assert await versions(sessions) == before
    assert await announced(sessions) == []


async def test_a_dry_run_says_what_would_come_of_each_and_keeps_nothing(
    cities: Cities, sessions: Sessions
) -> None:
    scene = working()
    moved, completed, of_seoul = scene.plan(), scene.begin(), scene.plan("seoul")
    await scene.store(sessions)
    before = await versions(sessions)
    fine = [item(moved, LATER), item(completed, {"action": "complete"})]
    path = f"{bulk(scene)}?dry_run=true"

    tried = await cities.call("tokyo", "POST", path, {"items": fine})
    refused = await cities.call(
        "tokyo", "POST", path, {"items": [*fine, item(of_seoul, {"action": "start"})]}
    )

    assert tried.status_code == 200, tried.text
    assert tried.json()["dry_run"] is True
    shown = tried.json()["items"]
    assert (shown[0]["due_on"], shown[0]["version"]) == ("2026-12-01", 2)
    assert (shown[1]["status"], shown[1]["allowed_actions"]) == ("completed", [])
    assert refused.status_code == 409
    assert [(each["index"], each["type"]) for each in refused.json()["problems"]] == [
        (2, "/problems/not-accountable")
    ]
    assert await versions(sessions) == before
    assert await announced(sessions) == []


async def test_each_member_may_what_it_may_alone(cities: Cities, sessions: Sessions) -> None:
    scene = working()
    own, of_tokyo = scene.plan("seoul"), scene.plan()
    await scene.store(sessions)
    start = {"action": "start"}

    both = await cities.call(
        "seoul", "POST", bulk(scene), {"items": [item(own, start), item(of_tokyo, start)]}
    )
    one = await cities.call("seoul", "POST", bulk(scene), {"items": [item(own, start)]})

    assert [(each["index"], each["type"]) for each in both.json()["problems"]] == [
        (1, "/problems/not-accountable")
    ]
    assert one.status_code == 200
    assert len(await announced(sessions)) == 1


@pytest.mark.parametrize(
    ("member", "scopes", "status", "code"),
    [
        ("delhi", "projects:read projects:write", 404, "project-not-found"),
        ("seoul", "projects:read projects:contribute", 403, "missing-scope"),
        ("paris", "projects:read projects:write", 409, "some-refused"),
    ],
)
async def test_others_change_nothing(
    cities: Cities, sessions: Sessions, member: str, scopes: str, status: int, code: str
) -> None:
    scene = working()
    body = {"items": [item(scene.plan(), {"action": "start"})]}
    await scene.store(sessions)

    refused = await cities.call(member, "POST", bulk(scene), body, scopes=scopes)

    assert refused.status_code == status
    assert refused.json()["type"] == f"/problems/{code}"
    assert await announced(sessions) == []


@pytest.mark.parametrize(
    "odd",
    [
        [],
        [{}],
        [{"action": "start"}],
        [{"action": "reopen", "version": 1}],
        [{"action": "start", "version": "1"}],
        [{"action": "start", "version": 0}],
        [{"action": "start", "version": 1, "reason": "x"}],
        [{"action": "change", "version": 1}],
        [{"action": "change", "version": 1, "title": None}],
        [{"action": "reschedule", "version": 1, "due_on": "soon", "time_zone": "UTC"}],
        [{"action": "cancel", "version": 1}],
        [{"action": "report_progress", "version": 1, "progress_percent": 101}],
        [{"action": "change_dependencies", "version": 1}],
        [{"action": "start", "version": 1}] * 2,
        [{"action": "start", "version": 1, "id": f"{n:032x}"} for n in range(101)],
    ],
    ids=str,
)
async def test_what_is_not_understood_is_refused(
    cities: Cities, sessions: Sessions, odd: list[dict[str, Any]]
) -> None:
    scene = working()
    milestone = scene.plan()
    await scene.store(sessions)
    items = [{"id": str(milestone.id)} | each if each else each for each in odd]

    refused = await cities.call("tokyo", "POST", bulk(scene), {"items": items})

    assert refused.status_code == 422
    assert await versions(sessions) == [1]


async def test_those_who_change_the_same_at_once_never_wait_for_each_other(
    cities: Cities, sessions: Sessions
) -> None:
    scene = working()
    milestones = [scene.plan() for _ in range(6)]
    await scene.store(sessions)
    orders = cycle([milestones, milestones[::-1], milestones[3:] + milestones[:3]])
    change = {"action": "change", "title": {"en": "Report"}}

    async with asyncio.TaskGroup() as tasks:
        asked = [
            tasks.create_task(
                cities.call(
                    "tokyo", "POST", bulk(scene), {"items": [item(m, change) for m in each]}
                )
            )
            for each, _ in zip(orders, range(6), strict=False)
        ]
        asked += [
            tasks.create_task(
                cities.call("tokyo", "PATCH", f"/milestones/{m.id}", {"title": {"en": "Paper"}})
            )
            for m in milestones * 2
        ]

    bulks, singles = asked[:6], asked[6:]
    assert {task.result().status_code for task in singles} == {200}
    assert {task.result().status_code for task in bulks} <= {200, 409}
    changed = 12 + 6 * sum(task.result().status_code == 200 for task in bulks)
    assert len(await announced(sessions)) == changed
    async with sessions() as session:
        deadlocks = await session.scalar(
            text("SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()")
        )
    assert deadlocks == 0
