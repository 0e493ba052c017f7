"""Who may see and do what: every route for every kind of member.

What a member may not see does not exist for it: 404 for the project and all in it.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from typing import Any

import pytest
from sqlalchemy import select

from services.projects.model.project import Project
from services.projects.queries.standings import VISIBLE
from shared.contracts.event import EVERYONE
from shared.contracts.projects import Visibility
from shared.database import Sessions
from tests.projects.conftest import Cities, announced
from tests.projects.scenes import ZONES, Scene, working

LEAD, ACCEPTED, INVITED, DECLINED, STRANGER = "tokyo", "seoul", "paris", "berlin", "delhi"
MEMBERS = (LEAD, ACCEPTED, INVITED, DECLINED, STRANGER)


@dataclass(frozen=True)
class Case:
    """A route, and what it answers lead, accepted, invited, declined and strange members."""

    method: str
    path: str
    body: Any = None
    codes: tuple[int, int, int, int, int] = (200, 403, 403, 404, 404)
    prepare: Callable[[Scene], object] = lambda _: None

    def __str__(self) -> str:
        return f"{self.method} {self.path}"


SEEN = (200, 200, 200, 404, 404)
CREATED = (201, 403, 403, 404, 404)
REASON = {"reason": "Because."}


def with_returned(scene: Scene) -> None:
    """Seoul owes something to Tokyo's milestone, which it has delivered."""
    milestone = scene.begin()
    scene.deliver(milestone, scene.ask(milestone, "seoul"))


CASES = [
    Case("GET", "/projects/{project}", codes=SEEN),
    Case("GET", "/projects/{project}/export", codes=SEEN),
    Case("PATCH", "/projects/{project}", {"title": {"en": "Air"}}),
    Case("POST", "/projects/{project}/proposal", codes=(409, 403, 403, 404, 404)),
    Case("POST", "/projects/{project}/activation", codes=(409, 403, 403, 404, 404)),
    Case("POST", "/projects/{project}/suspension", REASON),
    Case("POST", "/projects/{project}/resumption", codes=(409, 403, 403, 404, 404)),
    Case("POST", "/projects/{project}/completion", codes=(409, 403, 403, 404, 404)),
    Case("POST", "/projects/{project}/cancellation", REASON),
    Case("POST", "/projects/{project}/participations", {"member": "jakarta"}, codes=CREATED),
    Case("GET", "/projects/{project}/participations", codes=SEEN),
    Case("GET", "/participations/{invitation}", codes=SEEN),
    Case("POST", "/participations/{invitation}/acceptance", {}, codes=(403, 403, 200, 404, 404)),
    Case("POST", "/participations/{invitation}/declination", {}, codes=(403, 403, 200, 404, 404)),
    Case(
        "POST",
        "/participations/{participation}/withdrawal",
        {"note": "Other duties."},
        codes=(403, 200, 403, 404, 404),
    ),
    Case(
        "POST",
        "/participations/{participation}/withdrawal",
        {"note": "Other duties.", "withdrawn_on": "2098-12-31"},
        codes=(403, 200, 403, 404, 404),
    ),
    Case(
        "POST",
        "/participations/{participation}/retraction",
        {},
        codes=(403, 200, 403, 404, 404),
        prepare=lambda scene: scene.announce("seoul", date(2098, 12, 31)),
    ),
    Case("GET", "/participations/{participation}/duties", codes=SEEN),
    Case(
        "POST",
        "/participations/{invitation}/extension",
        {"answer_by_on": "2100-01-01", "time_zone": "Asia/Tokyo"},
    ),
    Case("POST", "/participations/{invitation}/revocation", {}),
    Case(
        "POST",
        "/projects/{project}/milestones",
        {
            "title": {"en": "Report"},
            "due_on": "2026-09-30",
            "time_zone": "Asia/Tokyo",
            "accountable": "tokyo",
        },
        codes=CREATED,
    ),
    Case("GET", "/projects/{project}/milestones", codes=SEEN),
    Case("GET", "/milestones/{milestone}", codes=SEEN),
    Case("PATCH", "/milestones/{milestone}", {"title": {"en": "Paper"}}),
    Case(
        "POST",
        "/milestones/{milestone}/reschedule",
        {"due_on": "2026-12-01", "time_zone": "Asia/Tokyo"},
    ),
    Case("POST", "/milestones/{milestone}/start"),
    Case("POST", "/milestones/{milestone}/completion", prepare=lambda scene: scene.begin()),
    Case("POST", "/milestones/{milestone}/cancellation", REASON),
    Case(
        "POST",
        "/milestones/{milestone}/contributions",
        {"member": "seoul", "description": "Data"},
        codes=CREATED,
    ),
    Case(
        "POST",
        "/milestones/{milestone}/contributions/{contribution}/delivery",
        {"evidence": "data/1"},
        codes=(403, 200, 403, 404, 404),
        prepare=lambda scene: scene.ask(scene.begin(), "seoul"),
    ),
    Case(
        "POST",
        "/milestones/{milestone}/contributions/{contribution}/acceptance",
        prepare=with_returned,
    ),
    Case(
        "POST",
        "/milestones/{milestone}/contributions/{contribution}/return",
        REASON,
        prepare=with_returned,
    ),
]


def path_in(scene: Scene, path: str) -> str:
    milestone = scene.milestones[0]
    contribution = milestone.contributions[0] if milestone.contributions else milestone
    return path.format(
        project=scene.project.id,
        participation=scene.participations["seoul"].id,
        invitation=scene.participations["paris"].id,
        milestone=milestone.id,
        contribution=contribution.id,
    )


async def outcomes(
    cities: Cities, case: Case, path: str, expected: tuple[int, ...]
) -> dict[str, int]:
    """Ask for every member; the one that may do it comes last, as it changes things."""
    order = sorted(zip(MEMBERS, expected, strict=True), key=lambda pair: pair[1] in {200, 201})
    found = {}
    for member, _ in order:
        match = None if expected[0] == 201 or case.method == "GET" else "*"
        response = await cities.call(member, case.method, path, case.body, match=match)
        found[member] = response.status_code
    return found


def scene_for(case: Case, visibility: Visibility) -> Scene:
    scene = working(visibility)
    case.prepare(scene)
    if not scene.milestones:
        scene.plan()
    return scene


@pytest.mark.parametrize("case", CASES, ids=str)
async def test_a_project_is_for_those_with_a_place_in_it(
    cities: Cities, sessions: Sessions, case: Case
) -> None:
    scene = await scene_for(case, "participants").store(sessions)

    found = await outcomes(cities, case, path_in(scene, case.path), case.codes)

    assert found == dict(zip(MEMBERS, case.codes, strict=True))
    changed = case.method != "GET" and bool({200, 201}.intersection(case.codes))
    assert len(await announced(sessions)) == (1 if changed else 0)


@pytest.mark.parametrize("case", CASES, ids=str)
async def test_a_project_of_the_network_is_seen_by_all_and_changed_by_the_same(
    cities: Cities, sessions: Sessions, case: Case
) -> None:
    scene = await scene_for(case, "network").store(sessions)
    others = 200 if case.method == "GET" else 403
    expected = tuple(others if code == 404 else code for code in case.codes)

    found = await outcomes(cities, case, path_in(scene, case.path), expected)

    assert found == dict(zip(MEMBERS, expected, strict=True))
    for event in await announced(sessions):
        assert event.audience == EVERYONE


@pytest.mark.parametrize(
    "case", [case for case in CASES if case.path.startswith("/projects/")], ids=str
)
@pytest.mark.parametrize("visibility", ["participants", "network"])
async def test_a_draft_is_for_its_lead_alone(
    cities: Cities, sessions: Sessions, case: Case, visibility: Visibility
) -> None:
    scene = await Scene(visibility=visibility).store(sessions)
    path = case.path.format(project=scene.project.id)

    codes = {
        member: (await cities.call(member, case.method, path, case.body)).status_code
        for member in ("seoul", "delhi", "tokyo")
    }

    assert codes["seoul"] == codes["delhi"] == 404
    assert codes["tokyo"] in {200, 409}
    for event in await announced(sessions):
        public = event.type == "renkei.project.proposed.v1" and visibility == "network"
        assert event.audience == (EVERYONE if public else ("tokyo",))


async def test_the_policy_in_sql_is_that_of_the_entity(sessions: Sessions) -> None:
    scenes = []
    visibilities: tuple[Visibility, ...] = ("participants", "network")
    for visibility in visibilities:
        draft = Scene(visibility=visibility, reference=f"draft-{visibility}")
        dropped = Scene(visibility=visibility, reference=f"dropped-{visibility}")
        dropped.project.cancel("No", by=dropped.as_("tokyo"), at=dropped.project.created_at)
        live = working(visibility)
        live.project.reference = f"live-{visibility}"
        live.accept("jakarta", "observer")
        left = working(visibility)
        left.project.reference = f"left-{visibility}"
        left.withdraw("seoul")
        scenes += [draft, dropped, live, left]
    for scene in scenes:
        await scene.store(sessions)

    async with sessions() as session:
        for member in ZONES:
            found = set(
                await session.scalars(select(Project.reference).where(VISIBLE), {"me": member})
            )
            assert found == {
                scene.project.reference
                for scene in scenes
                if scene.project.is_seen_by(scene.as_(member))
            }


@pytest.mark.parametrize(
    ("member", "projects", "own_participations", "milestones"),
    [
        (LEAD, 1, 0, 1),
        (ACCEPTED, 1, 1, 1),
        (INVITED, 1, 1, 1),
        (DECLINED, 0, 0, 0),
        (STRANGER, 0, 0, 0),
    ],
)
async def test_lists_hold_what_the_member_may_see(
    cities: Cities,
    sessions: Sessions,
    member: str,
    projects: int,
    own_participations: int,
    milestones: int,
) -> None:
    scene = working()
    scene.plan()
    await scene.store(sessions)

    found = [
        len((await cities.get(member, path))["items"])
        for path in ("/projects", "/participations", "/milestones")
    ]
    everyones = (await cities.get(member, f"/participations?project_id={scene.project.id}"))[
        "items"
    ]

    assert found == [projects, own_participations, milestones]
    assert len(everyones) == (3 if projects else 0)


async def test_who_declines_learns_of_it_as_the_last_thing(
    cities: Cities, sessions: Sessions
) -> None:
    scene = await working().store(sessions)
    invitation = scene.participations["paris"]

    answer = await cities.do("paris", "POST", f"/participations/{invitation.id}/declination", {})

    [event] = await announced(sessions)
    assert event.audience == ("paris", "seoul", "tokyo")
    assert answer["status"] == "declined"
    assert (
        await cities.call("paris", "GET", f"/participations/{invitation.id}")
    ).status_code == 404


async def test_who_withdraws_sees_no_more_and_hears_no_more(
    cities: Cities, sessions: Sessions
) -> None:
    scene = working()
    scene.plan()
    await scene.store(sessions)
    participation = scene.participations["seoul"]
    there = f"/milestones/{scene.milestones[0].id}"

    await cities.do(
        "seoul", "POST", f"/participations/{participation.id}/withdrawal", {"note": "-"}
    )
    await cities.do("tokyo", "POST", f"{there}/start")

    left, started = await announced(sessions)
    assert left.audience == ("paris", "seoul", "tokyo")
    assert started.audience == ("paris", "tokyo")
    assert (await cities.call("seoul", "GET", there)).status_code == 404


async def test_an_invited_member_sees_the_project_from_the_invitation_on(
    cities: Cities, sessions: Sessions
) -> None:
    scene = await working().store(sessions)
    here = f"/projects/{scene.project.id}"

    before = await cities.call("delhi", "GET", here)
    await cities.do("tokyo", "POST", f"{here}/participations", {"member": "delhi"})
    after = await cities.call("delhi", "GET", here)

    [event] = await announced(sessions)
    assert event.audience == ("delhi", "paris", "seoul", "tokyo")
    assert [before.status_code, after.status_code] == [404, 200]
    assert after.json()["allowed_actions"] == []


async def test_who_begins_to_see_a_project_does_not_learn_how_it_was_before(
    cities: Cities, sessions: Sessions
) -> None:
    scene = await working("participants").store(sessions)
    here = f"/projects/{scene.project.id}"
    cleaned = {"summary": {"en": "For all."}, "visibility": "network"}

    await cities.do("tokyo", "PATCH", here, cleaned)
    await cities.do("tokyo", "PATCH", here, {"summary": {"en": "For everyone."}})

    opened, changed = await announced(sessions)
    assert opened.audience == changed.audience == EVERYONE
    assert opened.data.state.summary == {"en": "For all."}
    assert opened.data.previous == {"visibility": "participants"}
    assert changed.data.previous["summary"] == {"en": "For all."}


async def test_who_stops_seeing_a_project_does_not_learn_how_it_is_from_then_on(
    cities: Cities, sessions: Sessions
) -> None:
    scene = await working("network").store(sessions)
    closed = {"summary": {"en": "For us."}, "visibility": "participants"}

    await cities.do("tokyo", "PATCH", f"/projects/{scene.project.id}", closed)

    [event] = await announced(sessions)
    assert event.audience == ("paris", "seoul", "tokyo")
    assert event.data.previous["visibility"] == "network"
