"""A project can be begun with what another one was: what is taken over, and what is not."""

from datetime import UTC, date, datetime
from typing import Any

import pytest
from sqlalchemy import func, select

from services.projects.model.charter import CharterVersion
from services.projects.model.milestone import Milestone
from services.projects.model.project import Project
from services.projects.model.standing import MemberNotActive
from services.projects.model.template import (
    MILESTONES_MAX,
    Copied,
    CopyOutsideCalendar,
    Template,
    TemplateTooLarge,
)
from services.projects.model.topic import Objective, TopicsInUse
from shared.database import Sessions
from tests.projects.conftest import Cities, announced
from tests.projects.scenes import NOON, Scene, listed, working
from tests.projects.test_charter import TERMS

COPY = {
    "reference": "clean-air-again",
    "title": {"en": "Clean air, again"},
    "starts_on": "2027-04-01",
}


def template() -> Scene:
    """Tokyo's project with a charter, a result that Seoul owes, one that is done, one dropped."""
    scene = Scene(visibility="network").propose()
    scene.charter = scene.project.write_charter(TERMS, by=scene.as_("tokyo"), at=NOON)  # type: ignore[attr-defined]
    scene.accept("seoul")
    scene.invite("paris")
    scene.activate()
    scene.project.starts_on, scene.project.ends_on = date(2026, 4, 1), date(2027, 3, 31)
    owed = scene.plan("seoul", due_on=date(2026, 4, 30), time_zone="Asia/Seoul")
    owed.description = {"en": "Ten of them."}
    done = scene.begin()
    scene.ask(owed, "tokyo")
    done.complete(by=scene.as_("tokyo"), at=NOON)
    scene.plan().cancel("No money.", by=scene.as_("tokyo"), at=NOON)
    return scene


def copied(scene: Scene, by: str = "delhi", starts_on: date = date(2027, 4, 1)) -> Copied:
    kept = [milestone for milestone in scene.milestones if milestone.status != "cancelled"]
    return Template(scene.project, kept).copy(
        by=scene.as_(by),
        at=NOON,
        reference="again",
        title={"en": "Again"},
        visibility="participants",
        starts_on=starts_on,
        in_use=TopicsInUse(frozenset({"common-issues"}), frozenset()),
    )


def test_what_is_to_be_done_is_taken_over_and_who_does_it_is_not() -> None:
    scene = template()
    scene.project.objectives = ("common-issues", "retired-since")

    copy = copied(scene)

    state = copy.project.state()
    assert (state.lead, state.status, state.visibility) == ("delhi", "draft", "participants")
    assert (state.reference, state.title) == ("again", {"en": "Again"})
    assert state.summary == scene.project.summary
    assert state.objectives == ("common-issues",)
    assert (state.charter, state.charter_version, state.version) == (TERMS, 1, 1)
    assert copy.charter is not None
    assert (copy.charter.number, copy.charter.adopted_by_member) == (1, "delhi")
    assert (state.starts_on, state.ends_on) == (date(2027, 4, 1), date(2028, 3, 30))
    owed, done = (milestone.state() for milestone in copy.milestones)
    assert (owed.due_on, owed.time_zone) == (date(2027, 4, 30), "Asia/Seoul")
    assert owed.due_at == datetime(2027, 4, 30, 15, tzinfo=UTC)
    assert owed.description == {"en": "Ten of them."}
    assert {owed.accountable, done.accountable} == {"delhi"}
    assert (owed.contributions, done.contributions) == ((), ())
    assert (done.status, done.completed_at, done.due_on) == ("planned", None, date(2027, 9, 30))
    assert {owed.project_id, done.project_id} == {copy.project.id}


def test_the_clock_of_a_deadline_goes_with_it_through_a_change_of_time() -> None:
    scene = Scene().propose()
    scene.project.starts_on = date(2026, 1, 10)
    scene.plan(due_on=date(2026, 1, 20), time_zone="Europe/Paris")

    [milestone] = copied(scene, "tokyo", date(2026, 7, 10)).milestones

    assert milestone.due_at == datetime(2026, 7, 20, 22, tzinfo=UTC)


def test_of_a_template_without_a_beginning_the_day_of_its_draft_counts() -> None:
    scene = Scene().propose()
    scene.plan(due_on=date(2026, 5, 14))

    copy = copied(scene, "tokyo", date(2027, 1, 1))

    assert copy.milestones[0].due_on == date(2027, 1, 11)
    assert (copy.project.ends_on, copy.charter) == (None, None)


def test_a_suspended_member_copies_nothing() -> None:
    scene = template()
    scene.inactive.add("delhi")

    with pytest.raises(MemberNotActive):
        copied(scene)


@pytest.mark.parametrize("starts_on", [date(1900, 1, 1), date(2200, 12, 31)])
def test_days_beyond_the_calendar_are_refused(starts_on: date) -> None:
    scene = Scene().propose()
    scene.project.starts_on = date(2026, 4, 1)
    scene.plan(due_on=date(2025, 1, 1))
    scene.plan(due_on=date(2027, 1, 1))

    with pytest.raises(CopyOutsideCalendar):
        copied(scene, "tokyo", starts_on)


def test_more_milestones_than_a_transaction_holds_are_refused() -> None:
    scene = Scene().propose()
    for _ in range(MILESTONES_MAX):
        scene.plan()
    assert len(copied(scene, "tokyo").milestones) == 200
    scene.plan()

    with pytest.raises(TemplateTooLarge):
        copied(scene, "tokyo")


async def stored(sessions: Sessions) -> Scene:
    scene = await template().store(sessions)
    async with sessions.begin() as session:
        session.add(scene.charter)  # type: ignore[attr-defined]
        session.add(listed(Objective, "global-city"))
    return scene


async def test_a_copy_is_there_whole_and_every_part_of_it_is_told(
    cities: Cities, sessions: Sessions
) -> None:
    scene = await stored(sessions)

    made = await cities.call("delhi", "POST", f"/projects/{scene.project.id}/copies", COPY)

    project = made.json()
    here = f"/projects/{project['id']}"
    assert made.status_code == 201
    assert made.headers["location"] == f"/api/v1{here}"
    assert {name: project[name] for name in COPY} == COPY
    assert project["allowed_actions"] == ["change", "amend_charter", "propose", "cancel"]
    assert await cities.get("delhi", here) == project
    milestones = (await cities.get("delhi", f"{here}/milestones"))["items"]
    assert [each["due_on"] for each in milestones] == ["2027-04-30", "2027-09-30"]
    assert (await cities.get("delhi", f"{here}/charter-versions/1"))["text"] == TERMS
    assert (await cities.get("delhi", f"{here}/participations"))["items"] == []
    assert (await cities.get("delhi", "/projects?q=again&lead=delhi"))["items"] == [project]
    drafted, *planned = await announced(sessions)
    assert drafted.type == "renkei.project.drafted.v1"
    assert (drafted.entityversion, drafted.data.state.charter_version) == (1, 1)
    assert [each.subject for each in planned] == [each["id"] for each in milestones]
    assert {each.type for each in planned} == {"renkei.milestone.planned.v1"}
    assert {each.audience for each in (drafted, *planned)} == {("delhi",)}
    assert (await cities.call("tokyo", "GET", here)).status_code == 404


@pytest.mark.parametrize(
    ("member", "changes", "status", "code"),
    [
        ("delhi", {"reference": "clean-air"}, 409, "reference-taken"),
        ("delhi", {"starts_on": "2200-12-01"}, 422, "copy-outside-calendar"),
        ("delhi", {"starts_on": None}, 422, "invalid-request"),
        ("delhi", {"title": {}}, 422, "invalid-request"),
        ("delhi", {"lead": "seoul"}, 422, "invalid-request"),
    ],
)
async def test_a_refused_copy_leaves_nothing(
    cities: Cities,
    sessions: Sessions,
    member: str,
    changes: dict[str, Any],
    status: int,
    code: str,
) -> None:
    scene = await stored(sessions)

    refused = await cities.call(
        member, "POST", f"/projects/{scene.project.id}/copies", COPY | changes
    )

    assert refused.status_code == status, refused.text
    assert refused.json()["type"] == f"/problems/{code}"
    assert await announced(sessions) == []
    async with sessions() as session:
        counts = [
            await session.scalar(select(func.count()).select_from(table))
            for table in (Project, Milestone, CharterVersion)
        ]
    assert counts == [1, 3, 1]


async def test_only_what_one_sees_can_be_copied(cities: Cities, sessions: Sessions) -> None:
    scene = await working().store(sessions)
    here = f"/projects/{scene.project.id}/copies"

    codes = {
        member: (
            await cities.call(member, "POST", here, COPY | {"reference": f"by-{member}"})
        ).status_code
        for member in ("tokyo", "seoul", "paris", "berlin", "delhi")
    }

    assert codes == {"tokyo": 201, "seoul": 201, "paris": 201, "berlin": 404, "delhi": 404}


async def test_a_token_for_reading_copies_nothing(cities: Cities, sessions: Sessions) -> None:
    scene = await working().store(sessions)

    refused = await cities.call(
        "tokyo", "POST", f"/projects/{scene.project.id}/copies", COPY, scopes="projects:read"
    )

    assert refused.status_code == 403
    assert await announced(sessions) == []
