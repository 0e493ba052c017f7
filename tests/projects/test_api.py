"""What the API of the projects service promises beyond who may do what."""

import asyncio
from typing import Any

import pytest
from sqlalchemy import func, select

from services.projects.model.project import Project
from services.projects.queries.everything import all_states
from shared.database import Sessions
from tests.projects.conftest import Cities, announced
from tests.projects.scenes import NOON, Scene, working

DRAFT = {
    "reference": "clean-air",
    "title": {"en": "Clean air", "ja": "きれいな空気"},
    "summary": {"en": "Less dust."},
    "objectives": ["common-issues"],
    "themes": [],
    "visibility": "network",
    "starts_on": "2026-04-01",
    "ends_on": "2027-03-31",
}


async def test_a_new_project_is_a_draft_led_by_its_creator(
    cities: Cities, sessions: Sessions
) -> None:
    response = await cities.call("seoul", "POST", "/projects", DRAFT, match=None)

    project = response.json()
    assert response.status_code == 201
    assert response.headers["location"] == f"/api/v1/projects/{project['id']}"
    assert response.headers["etag"] == '"1"'
    assert {name: project[name] for name in DRAFT} == DRAFT
    assert project["lead"] == "seoul"
    assert project["status"] == "draft"
    assert project["allowed_actions"] == ["change", "amend_charter", "propose", "cancel"]
    assert await cities.get("seoul", f"/projects/{project['id']}") == project
    [event] = await announced(sessions)
    assert event.audience == ("seoul",)
    assert event.actor == "client:seoul-main"


async def test_a_reference_is_taken_also_by_a_draft_that_one_may_not_see(
    cities: Cities, sessions: Sessions
) -> None:
    await cities.do("seoul", "POST", "/projects", DRAFT)

    refused = await cities.call("paris", "POST", "/projects", DRAFT, match=None, key="again")
    repeated = await cities.call("paris", "POST", "/projects", DRAFT, match=None, key="again")

    assert refused.status_code == repeated.status_code == 409
    assert refused.json() == repeated.json()
    assert refused.json()["type"] == "/problems/reference-taken"
    assert refused.json()["detail"] == "The reference 'clean-air' is taken."
    assert "seoul" not in refused.text
    assert len(await announced(sessions)) == 1


async def test_of_two_projects_with_one_reference_one_is_made(
    cities: Cities, sessions: Sessions
) -> None:
    answers = await asyncio.gather(
        *(cities.call(member, "POST", "/projects", DRAFT) for member in ("seoul", "paris"))
    )

    assert sorted(answer.status_code for answer in answers) == [201, 409]
    assert len(await announced(sessions)) == 1


async def test_the_same_key_makes_one_project(cities: Cities, sessions: Sessions) -> None:
    first = await cities.call("seoul", "POST", "/projects", DRAFT, match=None, key="once")
    again = await cities.call("seoul", "POST", "/projects", DRAFT, match=None, key="once")

    assert first.status_code == again.status_code == 201
    assert first.json() == again.json()
    assert first.headers["location"] == again.headers["location"]
    async with sessions() as session:
        assert await session.scalar(select(func.count()).select_from(Project)) == 1


@pytest.mark.parametrize(
    "odd",
    [
        {"reference": "Clean Air"},
        {"title": {}},
        {"title": {"english": "x"}},
        {"title": {"en": " "}},
        {"title": {"en": "two\nlines"}},
        {"summary": {"en": "x" * 20_001}},
        {"summary": {"en": "x" * 15_000, "ja": "x" * 15_000}},
        {"objectives": ["a"] * 21},
        {"visibility": "secret"},
        {"starts_on": "2027-04-01"},
        {"starts_on": 20260401},
        {"status": "active"},
        {"title": None},
    ],
    ids=str,
)
async def test_an_odd_project_is_refused(
    cities: Cities, sessions: Sessions, odd: dict[str, Any]
) -> None:
    response = await cities.call("seoul", "POST", "/projects", DRAFT | odd)

    assert response.status_code == 422
    assert await announced(sessions) == []


async def test_a_change_merges_the_given_fields(cities: Cities, sessions: Sessions) -> None:
    project = await cities.do("seoul", "POST", "/projects", DRAFT)
    here = f"/projects/{project['id']}"

    changed = await cities.call(
        "seoul", "PATCH", here, {"ends_on": None, "objectives": []}, match='"1"'
    )

    assert changed.status_code == 200
    assert changed.headers["etag"] == '"2"'
    assert changed.json()["ends_on"] is None
    assert changed.json()["objectives"] == []
    assert changed.json()["title"] == DRAFT["title"]
    _, event = await announced(sessions)
    assert event.data.previous == {
        "ends_on": "2027-03-31",
        "objectives": ["common-issues"],
        "updated_at": project["updated_at"],
    }


@pytest.mark.parametrize(
    ("body", "match", "status", "code"),
    [
        ({"title": {"en": "Air"}}, None, 428, "version-required"),
        ({"title": {"en": "Air"}}, '"7"', 412, "version-stale"),
        ({"title": None}, '"1"', 422, "invalid-request"),
        ({}, '"1"', 422, "invalid-request"),
        ({"lead": "paris"}, '"1"', 422, "invalid-request"),
        ({"ends_on": "2026-03-31"}, '"1"', 422, "period-reversed"),
    ],
)
async def test_a_change_that_is_not_understood_changes_nothing(
    cities: Cities, sessions: Sessions, body: Any, match: str | None, status: int, code: str
) -> None:
    project = await cities.do("seoul", "POST", "/projects", DRAFT)
    here = f"/projects/{project['id']}"

    refused = await cities.call("seoul", "PATCH", here, body, match=match)

    assert refused.status_code == status
    assert refused.json()["type"] == f"/problems/{code}"
    assert await cities.get("seoul", here) == project
    assert len(await announced(sessions)) == 1
    if status == 412:
        assert refused.json()["current"]["version"] == 1


async def test_who_may_not_change_it_is_told_so_before_the_version(
    cities: Cities, sessions: Sessions
) -> None:
    scene = await working().store(sessions)

    refused = await cities.call(
        "seoul", "PATCH", f"/projects/{scene.project.id}", {"title": {"en": "Air"}}, match='"9"'
    )

    assert refused.status_code == 403
    assert refused.json()["type"] == "/problems/not-project-lead"


@pytest.mark.parametrize(
    ("scopes", "method", "status"),
    [
        ("projects:write", "GET", 403),
        ("members:read", "GET", 403),
        ("projects:read", "GET", 200),
        ("projects:read projects:contribute", "PATCH", 403),
    ],
)
async def test_a_token_covers_what_its_scopes_say(
    cities: Cities, sessions: Sessions, scopes: str, method: str, status: int
) -> None:
    scene = await working().store(sessions)
    body = {"title": {"en": "Air"}} if method == "PATCH" else None

    response = await cities.call(
        "tokyo", method, f"/projects/{scene.project.id}", body, scopes=scopes
    )

    assert response.status_code == status
    if status == 403:
        assert response.json()["type"] == "/problems/missing-scope"
    assert await announced(sessions) == []


async def test_of_two_simultaneous_completions_one_succeeds(
    cities: Cities, sessions: Sessions
) -> None:
    scene = working()
    milestone = scene.begin()
    await scene.store(sessions)
    path = f"/milestones/{milestone.id}/completion"

    answers = await asyncio.gather(*(cities.call("tokyo", "POST", path) for _ in range(2)))

    assert sorted(answer.status_code for answer in answers) == [200, 409]
    [refused] = [answer for answer in answers if answer.status_code == 409]
    assert refused.json()["type"] == "/problems/milestone-ended"
    [event] = await announced(sessions)
    assert event.type == "renkei.milestone.completed.v1"


async def test_an_activation_waits_for_a_withdrawal_that_is_under_way(
    cities: Cities, sessions: Sessions
) -> None:
    scene = Scene().propose()
    scene.accept("seoul")
    await scene.store(sessions)
    leaving = f"/participations/{scene.participations['seoul'].id}/withdrawal"

    left, activated = await asyncio.gather(
        cities.call("seoul", "POST", leaving, {"note": "Other duties."}),
        cities.call("tokyo", "POST", f"/projects/{scene.project.id}/activation"),
    )

    types = [event.type for event in await announced(sessions)]
    assert left.status_code == 200
    assert (activated.status_code, types) in [
        (409, ["renkei.participation.withdrawn.v1"]),
        (200, ["renkei.project.activated.v1", "renkei.participation.withdrawn.v1"]),
    ]


async def test_a_reschedule_names_the_members_that_it_would_touch(
    cities: Cities, sessions: Sessions
) -> None:
    scene = working()
    milestone = scene.plan("seoul")
    await scene.store(sessions)

    refused = await cities.call(
        "tokyo",
        "POST",
        f"/milestones/{milestone.id}/reschedule",
        {"due_on": "2026-12-01", "time_zone": "Asia/Tokyo"},
    )

    assert refused.status_code == 409
    assert refused.json()["type"] == "/problems/others-are-affected"
    assert refused.json()["affected_members"] == ["seoul"]


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        ({"member": "atlantis"}, 422, "member-unknown"),
        ({"member": "seoul"}, 409, "already-invited"),
        ({"member": "tokyo"}, 409, "already-invited"),
        ({"member": "delhi", "role": "lead"}, 422, "invalid-request"),
    ],
)
async def test_an_invitation_that_makes_no_sense_is_refused(
    cities: Cities, sessions: Sessions, body: Any, status: int, code: str
) -> None:
    scene = await working().store(sessions)

    refused = await cities.call(
        "tokyo", "POST", f"/projects/{scene.project.id}/participations", body
    )

    assert refused.status_code == status
    assert refused.json()["type"] == f"/problems/{code}"
    assert await announced(sessions) == []


async def test_of_two_simultaneous_invitations_one_is_made(
    cities: Cities, sessions: Sessions
) -> None:
    scene = await working().store(sessions)
    path = f"/projects/{scene.project.id}/participations"

    answers = await asyncio.gather(
        *(cities.call("tokyo", "POST", path, {"member": "delhi"}) for _ in range(2))
    )

    assert sorted(answer.status_code for answer in answers) == [201, 409]
    assert len(await announced(sessions)) == 1


@pytest.mark.parametrize(
    ("query", "references"),
    [
        ("", ["one", "two", "three"]),
        ("sort=-created", ["three", "two", "one"]),
        ("sort=updated", ["one", "two", "three"]),
        ("status=active", ["one", "two"]),
        ("status=draft", ["three"]),
        ("member=paris", ["one", "two"]),
        ("member=tokyo", ["one", "two", "three"]),
        ("member=delhi", []),
        ("lead=tokyo", ["one", "two", "three"]),
        ("lead=seoul", []),
        ("objective=common-issues", ["one", "two", "three"]),
        ("objective=games", []),
        ("updated_since=2026-05-04T12:00:00Z", ["one", "two", "three"]),
        ("updated_since=2026-05-04T12:00:01%2B00:00", []),
    ],
)
async def test_projects_are_filtered_and_sorted(
    cities: Cities, sessions: Sessions, query: str, references: list[str]
) -> None:
    scenes = [working(), working("network"), Scene()]
    for scene, reference in zip(scenes, ("one", "two", "three"), strict=True):
        scene.project.reference = reference
        await scene.store(sessions)

    found = await cities.get("tokyo", f"/projects?{query}")

    assert [project["reference"] for project in found["items"]] == references


@pytest.mark.parametrize(
    ("query", "places"),
    [
        ("", [0, 1, 2]),
        ("member=seoul", [0, 1]),
        ("member=delhi", []),
        ("status=in_progress", [0]),
        ("status=planned", [1, 2]),
        ("overdue=true", [2]),
        ("overdue=false", [0, 1]),
        ("due_before=2026-09-30T15:00:00Z", [2]),
        ("due_before=2026-09-30T15:00:01Z", [0, 1, 2]),
        ("sort=due", [2, 0, 1]),
        ("sort=-due", [1, 0, 2]),
    ],
)
async def test_milestones_are_filtered_and_sorted(
    cities: Cities, sessions: Sessions, query: str, places: list[int]
) -> None:
    scene = working()
    scene.ask(scene.begin(), "seoul")
    scene.plan("seoul")
    scene.plan(due_on=NOON.date()).become_overdue(at=NOON)
    await scene.store(sessions)
    ids = [str(milestone.id) for milestone in scene.milestones]

    found = await cities.get("paris", f"/milestones?{query}")

    assert [ids.index(milestone["id"]) for milestone in found["items"]] == places


async def test_pages_hold_each_milestone_once(cities: Cities, sessions: Sessions) -> None:
    scene = working()
    for _ in range(7):
        scene.plan()
    await scene.store(sessions)
    path: str | None = f"/projects/{scene.project.id}/milestones?limit=3"
    sizes, seen = [], []

    while path is not None:
        page = await cities.get("seoul", path)
        sizes.append(len(page["items"]))
        seen += [milestone["id"] for milestone in page["items"]]
        path = page["next"].removeprefix("/api/v1") if page["next"] else None

    assert sizes == [3, 3, 1]
    assert seen == [str(milestone.id) for milestone in scene.milestones]


async def test_participations_are_those_of_the_caller_unless_asked_otherwise(
    cities: Cities, sessions: Sessions
) -> None:
    scene = await working().store(sessions)

    async def members(query: str) -> list[str]:
        found = await cities.get("seoul", f"/participations{query}")
        return [participation["member"] for participation in found["items"]]

    assert await members("") == ["seoul"]
    assert await members("?member=paris") == ["paris"]
    assert await members(f"?project_id={scene.project.id}") == ["seoul", "paris", "berlin"]
    assert await members(f"?project_id={scene.project.id}&status=declined") == ["berlin"]


async def test_a_milestone_shows_what_each_caller_may_do(
    cities: Cities, sessions: Sessions
) -> None:
    scene = working()
    milestone = scene.begin()
    scene.ask(milestone, "seoul")
    await scene.store(sessions)

    shown = {
        member: await cities.get(member, f"/milestones/{milestone.id}")
        for member in ("tokyo", "seoul", "paris")
    }

    assert {member: found["allowed_actions"] for member, found in shown.items()} == {
        "tokyo": [
            "change",
            "reschedule",
            "change_dependencies",
            "report_progress",
            "request_contribution",
        ],
        "seoul": [],
        "paris": [],
    }
    assert {
        member: found["contributions"][0]["allowed_actions"] for member, found in shown.items()
    } == {"tokyo": [], "seoul": ["deliver"], "paris": []}


async def test_all_that_the_service_holds_can_be_read(sessions: Sessions) -> None:
    scene = working()
    scene.ask(scene.begin(), "seoul")
    scene.put()
    await scene.store(sessions)

    async with sessions() as session:
        states = await all_states(session)

    assert {kind: len(found) for kind, found in states.items()} == {
        "project": 1,
        "participation": 3,
        "milestone": 1,
        "decision": 1,
        "handover": 0,
        "objective": 2,
        "theme": 0,
        "calendar_feed": 0,
        "comment": 0,
        "known_member": 6,
        "known_official": 0,
        "known_client": 0,
        "known_session": 0,
    }
    assert states["project"][0] == scene.project.state()
    assert states["milestone"][0] == scene.milestones[0].state()
