"""On which days cities work, as their officials ask for it."""

from typing import Any, Final

import pytest
from sqlalchemy import update

from services.projects.model.known import KnownMember
from shared.database import Sessions
from tests.projects.conftest import Cities
from tests.projects.scenes import Scene, working

COUNTRIES: Final = {"seoul": "KR", "paris": "FR", "delhi": "XX"}
GOLDEN_WEEK: Final = "from=2026-05-01&to=2026-05-08"


@pytest.fixture(autouse=True)
async def at_home(sessions: Sessions) -> None:
    """Put each city into its country; nobody knows the holidays of the one that Delhi is put in."""
    async with sessions.begin() as session:
        for slug, country in COUNTRIES.items():
            await session.execute(
                update(KnownMember).where(KnownMember.slug == slug).values(country=country)
            )
        await session.execute(
            update(KnownMember)
            .where(KnownMember.slug == "berlin")
            .values(country="DE", subdivision="BE")
        )


async def open_days(cities: Cities, query: str, *, by: str = "tokyo") -> Any:
    return await cities.get(by, f"/calendar/open-days?{query}")


async def test_closed_days_are_told_with_their_names(cities: Cities) -> None:
    found = await cities.get("paris", f"/calendar/closed-days?members=tokyo&{GOLDEN_WEEK}")

    assert found == {
        "items": [
            {
                "member": "tokyo",
                "country": "JP",
                "subdivision": None,
                "time_zone": "Asia/Tokyo",
                "holidays_known": True,
                "closed_days": [
                    {"on": "2026-05-02", "kind": "weekend", "name": {}},
                    {
                        "on": "2026-05-03",
                        "kind": "public_holiday",
                        "name": {"ja": "憲法記念日", "en": "Constitution Day"},
                    },
                    {
                        "on": "2026-05-04",
                        "kind": "public_holiday",
                        "name": {"ja": "みどりの日", "en": "Greenery Day"},
                    },
                    {
                        "on": "2026-05-05",
                        "kind": "public_holiday",
                        "name": {"ja": "こどもの日", "en": "Children's Day"},
                    },
                    {
                        "on": "2026-05-06",
                        "kind": "public_holiday",
                        "name": {"ja": "振替休日", "en": "Substitute Holiday"},
                    },
                ],
            }
        ]
    }


async def test_several_members_are_asked_about_at_once(cities: Cities) -> None:
    found = await cities.get(
        "paris", "/calendar/closed-days?members=delhi,berlin&from=2027-03-08&to=2027-03-08"
    )

    assert [
        (each["member"], each["holidays_known"], len(each["closed_days"]))
        for each in found["items"]
    ] == [("berlin", True, 1), ("delhi", False, 0)]
    assert found["items"][0]["subdivision"] == "BE"


async def test_a_meeting_is_held_when_all_work(cities: Cities) -> None:
    found = await open_days(cities, f"members=tokyo,seoul,berlin,delhi&{GOLDEN_WEEK}")

    assert found == {
        "members": ["berlin", "delhi", "seoul", "tokyo"],
        "holidays_not_known": ["delhi"],
        "items": [
            {
                "on": "2026-05-07",
                "begins_at": "2026-05-07T07:00:00Z",
                "ends_at": "2026-05-07T08:00:00Z",
            },
            {
                "on": "2026-05-08",
                "begins_at": "2026-05-08T07:00:00Z",
                "ends_at": "2026-05-08T08:00:00Z",
            },
        ],
    }


async def test_a_meeting_of_a_project_is_one_of_its_lead_and_those_who_accepted(
    cities: Cities, sessions: Sessions
) -> None:
    scene = working()  # Seoul takes part, Paris is invited only
    scene.accept("jakarta", "observer")
    await scene.store(sessions)

    found = await open_days(cities, f"project_id={scene.project.id}&{GOLDEN_WEEK}", by="seoul")

    assert found["members"] == ["seoul", "tokyo"]
    assert [each["on"] for each in found["items"]] == ["2026-05-07", "2026-05-08"]


async def test_who_does_not_see_a_project_finds_no_day_for_it(
    cities: Cities, sessions: Sessions
) -> None:
    scene = await Scene().propose().store(sessions)

    response = await cities.call(
        "seoul", "GET", f"/calendar/open-days?project_id={scene.project.id}&{GOLDEN_WEEK}"
    )

    assert response.status_code == 404
    assert response.json()["type"] == "/problems/project-not-found"


PROJECT: Final = "project_id=0196f000-0000-7000-8000-000000000003"


@pytest.mark.parametrize(
    ("path", "code"),
    [
        (f"closed-days?{GOLDEN_WEEK}", "invalid-request"),
        ("closed-days?members=tokyo&from=2026-05-01", "invalid-request"),
        ("closed-days?members=tokyo&from=2026-05-02&to=2026-05-01", "wrong-period"),
        ("closed-days?members=tokyo&from=2026-01-01&to=2027-01-02", "wrong-period"),
        ("closed-days?members=tokyo&from=1899-12-31&to=1900-01-01", "invalid-request"),
        (f"closed-days?members=atlantis&{GOLDEN_WEEK}", "member-unknown"),
        (f"closed-days?members=tokyo,atlantis&{GOLDEN_WEEK}", "member-unknown"),
        (f"closed-days?members=tokyo,,seoul&{GOLDEN_WEEK}", "invalid-request"),
        (f"closed-days?members=tokyo&members=seoul&{GOLDEN_WEEK}", "invalid-request"),
        (f"closed-days?members=tokyo%00&{GOLDEN_WEEK}", "invalid-request"),
        (f"open-days?{GOLDEN_WEEK}", "members-unclear"),
        (f"open-days?members=tokyo&{PROJECT}&{GOLDEN_WEEK}", "members-unclear"),
        (f"open-days?{','.join(['members=m0', *(f'm{n}' for n in range(1, 31))])}&{GOLDEN_WEEK}",
         "members-unclear"),
    ],
)  # fmt: skip
async def test_a_question_that_makes_no_sense_is_refused(
    cities: Cities, path: str, code: str
) -> None:
    response = await cities.call("tokyo", "GET", f"/calendar/{path}")

    assert (response.status_code, response.json()["type"]) == (422, f"/problems/{code}")


async def test_a_whole_year_may_be_asked_for(cities: Cities) -> None:
    found = await open_days(cities, "members=tokyo&from=2028-01-01&to=2028-12-31")

    assert len(found["items"]) == 246


@pytest.mark.parametrize("path", ["closed-days", "open-days"])
async def test_who_may_not_read_projects_learns_nothing(cities: Cities, path: str) -> None:
    response = await cities.call(
        "tokyo", "GET", f"/calendar/{path}?members=tokyo&{GOLDEN_WEEK}", scopes="members:read"
    )

    assert (response.status_code, response.json()["type"]) == (403, "/problems/missing-scope")
