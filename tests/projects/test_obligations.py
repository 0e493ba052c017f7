"""What waits for a member, and how long it still may."""

import asyncio
from collections.abc import Callable
from datetime import UTC, date, datetime
from typing import Any

import pytest

from services.projects.http.obligations import obligation_out
from services.projects.model.obligation import City
from services.projects.queries.obligations import list_obligations
from shared.contracts.projects import Visibility
from shared.database import Sessions
from shared.http.paging import Paging
from shared.reading import Reading
from tests.conftest import Database
from tests.projects.conftest import Cities, announced
from tests.projects.scenes import NOON, Scene, actor, working
from tests.projects.test_speed import statements

MONDAY = datetime(2026, 6, 8, 0, 30, tzinfo=UTC)
"""Half past nine in Tokyo and Seoul, in a month without holidays there."""

FRIDAY = date(2026, 6, 12)


async def on_monday(database: Database, member: str) -> list[Any]:
    """What the API would answer at that moment."""
    reading = Reading(database.engine)
    try:
        rows, _ = await list_obligations(
            reading, Paging(limit=50, cursor=None), actor=actor(member), member=member
        )
    finally:
        await reading.end()
    return [
        obligation_out(obligation, city, MONDAY).model_dump(mode="json")
        for obligation, city in rows
    ]


async def waiting(cities: Cities, member: str, query: str = "") -> list[Any]:
    items: list[Any] = (await cities.get(member, f"/obligations{query}"))["items"]
    return items


def kinds(found: list[Any]) -> list[str]:
    return [each["kind"] for each in found]


async def test_an_invitation_waits_for_its_answer(cities: Cities, sessions: Sessions) -> None:
    scene = await working().store(sessions)

    [found] = await waiting(cities, "paris")

    assert found.pop("working_days_left") > 0
    assert [found] == [
        {
            "kind": "invitation",
            "project": {
                "id": str(scene.project.id),
                "reference": "clean-air",
                "title": {"en": "Clean air"},
            },
            "subject": {
                "kind": "participation",
                "id": str(scene.participations["paris"].id),
                "title": None,
                "milestone_id": None,
            },
            "since": "2026-05-04T12:00:00Z",
            "due_on": "2099-12-31",
            "time_zone": "Europe/Paris",
            "due_at": "2099-12-31T23:00:00Z",
            "is_overdue": False,
        }
    ]


async def test_a_contribution_waits_with_the_deadline_of_its_milestone(
    database: Database, sessions: Sessions
) -> None:
    scene = working()
    milestone = scene.plan(due_on=FRIDAY)
    contribution = scene.ask(milestone, "seoul")
    await scene.store(sessions)

    [found] = await on_monday(database, "seoul")

    since = datetime.fromisoformat(found.pop("since"))
    assert int(since.timestamp() * 1000) == contribution.id.int >> 80
    assert found == {
        "kind": "contribution_due",
        "project": {
            "id": str(scene.project.id),
            "reference": "clean-air",
            "title": {"en": "Clean air"},
        },
        "subject": {
            "kind": "contribution",
            "id": str(contribution.id),
            "title": {"en": "Sensors placed"},
            "milestone_id": str(milestone.id),
        },
        "due_on": "2026-06-12",
        "time_zone": "Asia/Tokyo",
        "due_at": "2026-06-12T15:00:00Z",
        "is_overdue": False,
        "working_days_left": 5,
    }


async def test_a_contribution_goes_to_and_fro(cities: Cities, sessions: Sessions) -> None:
    scene = working()
    milestone = scene.begin()
    contribution = scene.ask(milestone, "seoul")
    await scene.store(sessions)
    part = f"/milestones/{milestone.id}/contributions/{contribution.id}"

    seen = []
    for member, deed, body in (
        ("seoul", "delivery", {"evidence": "Table 1"}),
        ("tokyo", "return", {"reason": "July is missing."}),
        ("seoul", "delivery", {"evidence": "Table 2"}),
        ("tokyo", "acceptance", None),
    ):
        await cities.do(member, "POST", f"{part}/{deed}", body)
        found = [await waiting(cities, city) for city in ("seoul", "tokyo")]
        seen.append([kinds(each) for each in found])

    assert seen == [
        [[], ["contribution_to_accept", "milestone"]],
        [["contribution_returned"], ["milestone"]],
        [[], ["contribution_to_accept", "milestone"]],
        [[], ["milestone"]],
    ]


async def test_the_nearest_deadline_comes_first_and_what_has_none_last(
    cities: Cities, sessions: Sessions
) -> None:
    scene = working()
    late, soon, past = [
        scene.plan("seoul", due_on=day) for day in (date(2026, 9, 30), FRIDAY, date(2026, 6, 5))
    ]
    await scene.store(sessions)
    other = Scene(reference="clean-water").propose()
    invitation = other.invite("seoul")
    await other.store(sessions)

    first = await cities.get("seoul", "/obligations?limit=3")
    second = await cities.get("seoul", first["next"].removeprefix("/api/v1"))

    expected = [str(each.id) for each in (past, soon, late, invitation)]
    assert [each["subject"]["id"] for each in first["items"] + second["items"]] == expected
    assert second["next"] is None
    assert kinds(await waiting(cities, "seoul", "?kind=invitation")) == ["invitation"]


async def test_a_deadline_that_has_passed_leaves_no_day(
    database: Database, sessions: Sessions
) -> None:
    scene = working()
    for day in (date(2026, 6, 5), FRIDAY):
        scene.plan("seoul", due_on=day)
    await scene.store(sessions)

    found = await on_monday(database, "seoul")

    assert [(each["is_overdue"], each["working_days_left"]) for each in found] == [
        (True, 0),
        (False, 5),
    ]


def in_a_draft(scene: Scene) -> None:
    scene.project.status = "draft"
    scene.project.proposed_at = None


def that_rests(scene: Scene) -> None:
    scene.project.suspend("Budget", by=scene.as_("tokyo"), at=NOON)


def that_has_ended(scene: Scene) -> None:
    scene.project.cancel("No money", by=scene.as_("tokyo"), at=NOON)


@pytest.mark.parametrize("change", [in_a_draft, that_rests, that_has_ended])
async def test_nothing_waits_in_a_project(
    cities: Cities, sessions: Sessions, change: Callable[[Scene], None]
) -> None:
    scene = working()
    scene.ask(scene.begin("tokyo"), "seoul")
    change(scene)
    await scene.store(sessions)

    found = [await waiting(cities, member) for member in ("tokyo", "seoul", "paris", "delhi")]

    assert found == [[], [], [], []]


async def test_before_the_work_begins_only_invitations_wait(
    cities: Cities, sessions: Sessions
) -> None:
    scene = Scene().propose()
    scene.accept("seoul")
    scene.invite("paris")
    scene.ask(scene.plan("tokyo"), "seoul")
    await scene.store(sessions)

    found = [kinds(await waiting(cities, member)) for member in ("tokyo", "seoul", "paris")]

    assert found == [[], [], ["invitation"]]


async def test_nothing_waits_any_more_for_who_has_left(cities: Cities, sessions: Sessions) -> None:
    scene = working("network")
    scene.ask(scene.begin("tokyo"), "seoul")
    scene.plan("seoul")
    scene.withdraw("seoul")
    await scene.store(sessions)

    assert await waiting(cities, "seoul") == []


@pytest.mark.parametrize("visibility", ["participants", "network"])
async def test_what_waits_is_what_the_member_may_do(
    cities: Cities, sessions: Sessions, visibility: Visibility
) -> None:
    scene = working(visibility)
    scene.ask(scene.begin("tokyo"), "seoul")
    scene.deliver(scene.begin("tokyo"), scene.ask(scene.milestones[-1], "seoul"))
    scene.ask(scene.begin("seoul"), "tokyo")
    await scene.store(sessions)

    for member in ("tokyo", "seoul", "paris", "delhi"):
        allowed = set()
        for place in (await cities.get(member, "/participations"))["items"]:
            if "accept" in place["allowed_actions"]:
                allowed.add(("invitation", place["id"]))
        for milestone in (await cities.get(member, "/milestones"))["items"]:
            if milestone["accountable"] == member:
                allowed.add(("milestone", milestone["id"]))
            for part in milestone["contributions"]:
                if "deliver" in part["allowed_actions"]:
                    allowed.add(("contribution_due", part["id"]))
                if "accept" in part["allowed_actions"]:
                    allowed.add(("contribution_to_accept", part["id"]))

        found = await waiting(cities, member)

        assert {(each["kind"], each["subject"]["id"]) for each in found} == allowed


async def test_what_waits_for_a_member_is_its_own_business(
    cities: Cities, sessions: Sessions
) -> None:
    await working().store(sessions)

    own = await cities.call("paris", "GET", "/obligations?member=paris")
    refused = await cities.call("tokyo", "GET", "/obligations?member=paris")
    nobody = await cities.call("tokyo", "GET", "/obligations?member=atlantis")
    uncovered = await cities.call("paris", "GET", "/obligations", scopes="members:read")
    odd = await cities.call("paris", "GET", "/obligations?kind=homework")

    assert len(own.json()["items"]) == 1
    assert (refused.status_code, nobody.status_code) == (403, 403)
    assert refused.json() == nobody.json()
    assert refused.json()["detail"] == "You act for tokyo."
    assert (uncovered.status_code, odd.status_code) == (403, 422)
    assert await announced(sessions) == []


async def test_all_that_waits_is_one_statement_however_many_projects_there_are(
    cities: Cities, database: Database, sessions: Sessions
) -> None:
    for number in range(5):
        scene = working()
        scene.project.reference = f"project-{number}"
        scene.ask(scene.begin(), "seoul")
        await scene.store(sessions)

    with statements(database) as asked:
        found = await waiting(cities, "seoul")
        await asyncio.sleep(0)  # the driver tells in the next turn of the loop

    assert (len(found), len(asked)) == (5, 1)


@pytest.mark.parametrize(
    ("time_zone", "begins", "ends", "days"),
    [
        ("Asia/Tokyo", MONDAY, datetime(2026, 6, 12, 15, tzinfo=UTC), 5),
        ("Europe/Paris", MONDAY, datetime(2026, 6, 12, 15, tzinfo=UTC), 5),
        ("America/New_York", MONDAY, datetime(2026, 6, 12, 12, tzinfo=UTC), 4),
        (
            "Asia/Tokyo",
            datetime(2026, 6, 8, 8, tzinfo=UTC),
            datetime(2026, 6, 12, 15, tzinfo=UTC),
            4,
        ),
        ("Asia/Tokyo", MONDAY, datetime(2026, 6, 15, 15, tzinfo=UTC), 6),
        ("Asia/Tokyo", MONDAY, MONDAY, 1),
        ("Asia/Tokyo", MONDAY, datetime(2026, 6, 5, 15, tzinfo=UTC), 0),
    ],
)
def test_a_city_counts_the_days_on_its_own_clock(
    time_zone: str, begins: datetime, ends: datetime, days: int
) -> None:
    assert City(time_zone, "JP").working_days_left(begins, ends) == days
