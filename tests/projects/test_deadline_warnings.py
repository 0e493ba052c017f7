"""Whoever sets a deadline learns who is closed on its day."""

import asyncio
from datetime import date, timedelta
from typing import Any, Final

import pytest
from sqlalchemy import update

from services.projects.model.deadline_warnings import ClosedDayWarning, closed_day_warnings
from services.projects.model.known import KnownMember
from services.projects.model.working_days import Closure
from shared.clock import utc_now
from shared.database import Sessions
from tests.conftest import Database
from tests.projects.conftest import Cities
from tests.projects.scenes import working
from tests.projects.test_speed import statements
from tests.projects.test_working_days import BERLIN, NEW_YORK, PARIS, SEOUL, TOKYO, WEEKEND, member

APIA: Final = member("apia", "Pacific/Apia", "WS")
CHUSEOK: Final = Closure("public_holiday", {"ko": "추석", "en": "Chuseok"})


def test_a_deadline_on_a_holiday_of_one_city_warns_of_that_city() -> None:
    found = closed_day_warnings(date(2026, 9, 25), "Asia/Tokyo", [PARIS, SEOUL, TOKYO])

    assert found == [ClosedDayWarning("seoul", {"en": "Seoul"}, date(2026, 9, 25), CHUSEOK)]


def test_a_deadline_on_a_working_day_of_all_warns_of_nobody() -> None:
    assert closed_day_warnings(date(2026, 9, 30), "Asia/Tokyo", [PARIS, SEOUL, TOKYO]) == []
    assert closed_day_warnings(date(2026, 9, 25), "Asia/Tokyo", []) == []


def test_a_holiday_of_a_state_warns_of_a_city_in_it() -> None:
    found = closed_day_warnings(date(2027, 3, 8), "Europe/Paris", [BERLIN, PARIS])

    assert found == [
        ClosedDayWarning(
            "berlin",
            {"en": "Berlin"},
            date(2027, 3, 8),
            Closure("public_holiday", {"de": "Frauentag", "en": "Women's Day"}),
        )
    ]


def test_the_day_that_it_is_at_home_counts_where_it_is_another_one() -> None:
    # The end of Thursday, 31 December in New York is 13:59 on New Year's Day in Seoul.
    found = closed_day_warnings(date(2026, 12, 31), "America/New_York", [NEW_YORK, SEOUL])

    assert [(each.member, each.day, each.closure.name) for each in found] == [
        ("seoul", date(2027, 1, 1), {"ko": "신정연휴", "en": "New Year's Day"})
    ]


def test_a_weekend_at_home_warns_as_well_as_one_on_the_declared_day() -> None:
    # The end of Saturday in Apia is 23:59 on Friday in Honolulu, and 11:59 on Saturday in Paris.
    honolulu = member("honolulu", "Pacific/Honolulu", "US", "HI")

    found = closed_day_warnings(date(2026, 6, 13), "Pacific/Apia", [APIA, honolulu, PARIS])

    assert [(each.member, each.day.isoformat(), each.closure) for each in found] == [
        ("apia", "2026-06-13", WEEKEND),
        ("honolulu", "2026-06-13", WEEKEND),
        ("paris", "2026-06-13", WEEKEND),
    ]


@pytest.fixture
async def abroad(sessions: Sessions) -> None:
    async with sessions.begin() as session:
        await session.execute(
            update(KnownMember).where(KnownMember.slug == "seoul").values(country="KR")
        )


CHUSEOK_IN_SEOUL: Final[dict[str, Any]] = {
    "member": "seoul",
    "member_name": {"en": "Seoul"},
    "on": "2026-09-25",
    "kind": "public_holiday",
    "name": {"ko": "추석", "en": "Chuseok"},
}


@pytest.mark.usefixtures("abroad")
async def test_whoever_plans_reads_or_reschedules_a_milestone_is_warned(
    cities: Cities, sessions: Sessions
) -> None:
    scene = await working().store(sessions)
    deadline = {"due_on": "2026-09-25", "time_zone": "Asia/Tokyo"}
    body = {"title": {"en": "Sensors placed"}, "accountable": "seoul", **deadline}
    plan = f"/projects/{scene.project.id}/milestones"

    planned = await cities.do("tokyo", "POST", plan, body)
    read = await cities.get("seoul", f"/milestones/{planned['id']}")
    own = await cities.do("tokyo", "POST", plan, {**body, "accountable": "tokyo"})
    moved = await cities.do(
        "tokyo", "POST", f"/milestones/{own['id']}/reschedule", {**deadline, "due_on": "2026-11-03"}
    )

    assert planned["warnings"] == read["warnings"] == [CHUSEOK_IN_SEOUL]
    assert own["warnings"] == []
    assert moved["warnings"] == [
        {
            "member": "tokyo",
            "member_name": {"en": "Tokyo"},
            "on": "2026-11-03",
            "kind": "public_holiday",
            "name": {"ja": "文化の日", "en": "Culture Day"},
        }
    ]
    listed = await cities.get("tokyo", plan)
    assert [each["warnings"] for each in listed["items"]] == [None, None]


@pytest.mark.usefixtures("abroad")
async def test_whoever_asks_what_another_deadline_would_touch_is_warned_of_that_one(
    cities: Cities, sessions: Sessions
) -> None:
    scene = working()
    milestone = scene.plan("tokyo", due_on=date(2026, 11, 3))  # Culture Day
    scene.ask(milestone, "seoul")
    await scene.store(sessions)
    path = f"/milestones/{milestone.id}"

    foreseen = await cities.do(
        "tokyo",
        "POST",
        f"{path}/reschedule?dry_run=true",
        {"due_on": "2026-09-25", "time_zone": "Asia/Tokyo"},
    )

    assert foreseen["warnings"] == [CHUSEOK_IN_SEOUL]
    assert (await cities.get("tokyo", path))["due_on"] == "2026-11-03"


async def test_whoever_puts_a_question_is_warned_of_who_is_closed_when_it_closes(
    cities: Cities, sessions: Sessions
) -> None:
    scene = await working().store(sessions)
    saturday = next_saturday()
    question = {
        "title": {"en": "Go on?"},
        "text": {"en": "As planned."},
        "rule": "unanimity",
        "closes_on": saturday,
        "time_zone": "Asia/Tokyo",
    }

    asked = await cities.do("tokyo", "POST", f"/projects/{scene.project.id}/decisions", question)

    found = [(each["member"], each["on"]) for each in asked["warnings"]]
    assert found == [("seoul", saturday), ("tokyo", saturday)]
    assert (await cities.get("tokyo", f"/decisions/{asked['id']}"))["warnings"] is None


def next_saturday() -> str:
    in_a_week = utc_now().date() + timedelta(days=7)
    return (in_a_week + timedelta(days=(5 - in_a_week.weekday()) % 7)).isoformat()


@pytest.mark.usefixtures("abroad")
async def test_a_contribution_counts_until_it_is_accepted(
    cities: Cities, sessions: Sessions
) -> None:
    scene = working()
    milestone = scene.begin("tokyo")
    contribution = scene.ask(milestone, "seoul")
    milestone.due_on = date(2026, 9, 25)
    await scene.store(sessions)
    path = f"/milestones/{milestone.id}"

    assert (await cities.get("tokyo", path))["warnings"] == [CHUSEOK_IN_SEOUL]
    part = f"{path}/contributions/{contribution.id}"
    await cities.do("seoul", "POST", f"{part}/delivery", {"evidence": "data/1"})
    await cities.do("tokyo", "POST", f"{part}/acceptance")
    assert (await cities.get("tokyo", path))["warnings"] == []


@pytest.mark.usefixtures("abroad")
async def test_nobody_is_warned_of_a_deadline_that_binds_nobody(
    cities: Cities, sessions: Sessions
) -> None:
    scene = working()
    milestone = scene.plan("tokyo", due_on=date(2026, 11, 3))
    await scene.store(sessions)
    path = f"/milestones/{milestone.id}"

    await cities.do("tokyo", "POST", f"{path}/cancellation", {"reason": "Not needed."})

    assert (await cities.get("tokyo", path))["warnings"] == []


async def test_warnings_take_one_statement(
    cities: Cities, sessions: Sessions, database: Database
) -> None:
    scene = working()
    milestone = scene.begin("tokyo")
    scene.ask(milestone, "seoul")
    await scene.store(sessions)

    with statements(database) as asked:
        await cities.get("tokyo", f"/milestones/{milestone.id}")
        await asyncio.sleep(0)  # the driver tells in the next turn of the loop

    assert len(asked) == 4  # three without warnings
