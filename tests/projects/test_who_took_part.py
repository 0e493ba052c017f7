"""Who took part on a day is answered from the days that each member counted itself."""

from datetime import UTC, date, datetime, timedelta

import pytest
from sqlalchemy import select, update

from services.projects.model.participation import Participation
from services.projects.queries.participations import TOOK_PART
from shared.database import Sessions
from tests.projects.conftest import Cities
from tests.projects.scenes import NOON, Scene, working

MAY_3, MAY_4, MAY_5 = date(2026, 5, 3), date(2026, 5, 4), date(2026, 5, 5)
DAY = timedelta(days=1)


def accept(scene: Scene, member: str, at: datetime) -> Participation:
    invitation = scene.invite(member)
    invitation.accept(reservation=None, note=None, by=scene.as_(member), at=at)
    return scene.note(invitation)


def history() -> Scene:
    """Members that come and go around the fourth of May."""
    scene = working()  # Seoul since the 4th, Paris invited, Berlin declined
    accept(scene, "delhi", datetime(2026, 5, 4, 18, 30, tzinfo=UTC))  # on the 5th, there
    accept(scene, "jakarta", NOON).withdraw(
        on=date(2026, 7, 1), note="-", by=scene.as_("jakarta"), at=NOON
    )
    return scene


@pytest.mark.parametrize(
    ("on", "members"),
    [
        ("2026-05-03", []),
        ("2026-05-04", ["seoul", "jakarta"]),
        ("2026-05-05", ["seoul", "delhi", "jakarta"]),
        ("2026-06-30", ["seoul", "delhi", "jakarta"]),
        ("2026-07-01", ["seoul", "delhi"]),
        ("2200-12-31", ["seoul", "delhi"]),
        ("1900-01-01", []),
    ],
)
async def test_a_project_says_who_took_part_on_a_day(
    cities: Cities, sessions: Sessions, on: str, members: list[str]
) -> None:
    scene = await history().store(sessions)

    found = await cities.get("tokyo", f"/projects/{scene.project.id}/participations?on={on}")

    assert sorted(each["member"] for each in found["items"]) == sorted(members)


async def test_who_has_left_took_part_until_the_day_before(
    cities: Cities, sessions: Sessions
) -> None:
    scene = working()
    scene.announce("seoul", MAY_5).withdraw_as_announced(at=NOON + DAY)
    await scene.store(sessions)
    here = f"/projects/{scene.project.id}/participations"

    found = [(await cities.get("tokyo", f"{here}?on={day}"))["items"] for day in (MAY_4, MAY_5)]

    assert [[each["member"] for each in items] for items in found] == [["seoul"], []]


async def test_the_network_says_in_what_a_member_took_part(
    cities: Cities, sessions: Sessions
) -> None:
    scenes = [history(), working()]
    for scene, reference in zip(scenes, ("one", "two"), strict=True):
        scene.project.reference = reference
        await scene.store(sessions)

    async def projects(query: str) -> list[str]:
        found = await cities.get("seoul", f"/participations?{query}")
        return [each["project_id"] for each in found["items"]]

    one, two = (str(scene.project.id) for scene in scenes)
    assert await projects("on=2026-05-04") == [one, two]
    assert await projects("on=2026-05-03") == []
    assert await projects("on=2026-05-05&member=delhi") == [one]
    assert await projects("on=2026-05-04&member=delhi") == []
    assert await projects(f"on=2026-05-04&project_id={two}") == [two]
    assert await projects("on=2026-05-04&status=withdrawn") == []


@pytest.mark.parametrize("odd", ["2026-02-30", "yesterday", "20260504", "1899-12-31", "", "1"])
async def test_a_day_that_is_none_is_refused(cities: Cities, sessions: Sessions, odd: str) -> None:
    scene = await working().store(sessions)

    answers = [
        await cities.call("tokyo", "GET", f"/participations?on={odd}"),
        await cities.call("tokyo", "GET", f"/projects/{scene.project.id}/participations?on={odd}"),
    ]

    assert [answer.status_code for answer in answers] == [422, 422]


async def test_history_is_for_those_who_see_the_project(cities: Cities, sessions: Sessions) -> None:
    scene = await history().store(sessions)
    here = f"/projects/{scene.project.id}/participations?on=2026-05-04"

    codes = [(await cities.call(member, "GET", here)).status_code for member in ("paris", "berlin")]

    assert codes == [200, 404]


async def test_the_history_in_sql_is_that_of_the_entity(sessions: Sessions) -> None:
    scene = history()
    scene.accept("berlin")
    scene.withdraw("berlin")
    scene.participations["paris"].leave_network("Europe/Paris", at=NOON)
    await scene.store(sessions)
    days = [MAY_3 + number * DAY for number in range(70)]

    async with sessions() as session:
        found = {
            day: set(
                await session.scalars(select(Participation.member).where(TOOK_PART), {"on": day})
            )
            for day in days
        }

    assert found == {
        day: {each.member for each in scene.participations.values() if each.takes_part_on(day)}
        for day in days
    }


async def test_what_the_release_before_wrote_counts_in_greenwich(sessions: Sessions) -> None:
    await history().store(sessions)
    async with sessions.begin() as session:
        await session.execute(update(Participation).values(accepted_on=None))

        found = await session.scalars(select(Participation.member).where(TOOK_PART), {"on": MAY_4})

        assert set(found) == {"seoul", "delhi", "jakarta"}
