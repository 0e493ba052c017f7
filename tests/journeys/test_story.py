"""The demo's data fits together."""

from datetime import UTC, date, datetime
from zoneinfo import ZoneInfo

import pytest

from deploy.demo.story import Project, Story

STORY = Story()
PROJECTS = STORY.network.joint_projects
MILESTONES = [each for plan in STORY.plans.values() for each in plan.milestones]


def accepted(project: Project) -> set[str]:
    members = {each.member for each in STORY.invited(project) if each.answer == "accepted"}
    return members | {project.lead}


def test_the_members_are_those_of_the_network_and_the_partners_of_its_host() -> None:
    partners = {
        member
        for partnerships in STORY.partnerships.values()
        for partnership in partnerships
        for member in partnership.members
    }

    assert {STORY.host.slug, *STORY.cities} == partners | {
        each.member for each in STORY.network.memberships
    }
    assert len(STORY.cities) == 23


def test_fourteen_belonged_to_the_network_and_one_of_them_has_left() -> None:
    assert len(STORY.network.memberships) == 14
    assert [each.member for each in STORY.network.memberships if each.until] == ["beijing"]


@pytest.mark.parametrize("project", PROJECTS, ids=lambda project: project.slug)
def test_every_city_that_really_took_part_accepts(project: Project) -> None:
    assert accepted(project) == {project.lead, *project.participants}


@pytest.mark.parametrize("project", PROJECTS, ids=lambda project: project.slug)
def test_only_members_of_today_are_invited(project: Project) -> None:
    assert {each.member for each in STORY.invited(project)} <= set(STORY.active)


@pytest.mark.parametrize("project", PROJECTS, ids=lambda project: project.slug)
def test_only_those_who_accepted_owe_anything(project: Project) -> None:
    for milestone in STORY.plans[project.slug].milestones:
        contributing = [each.member for each in milestone.contributions]

        assert {milestone.accountable, *contributing} <= accepted(project)
        assert milestone.accountable not in contributing
        assert len(set(contributing)) == len(contributing)


def test_a_completed_milestone_has_every_contribution_accepted() -> None:
    completed = [each for each in MILESTONES if each.status == "completed"]

    assert len(completed) == 6
    for milestone in completed:
        assert {each.status for each in milestone.contributions} <= {"accepted"}


def test_milestones_are_due_in_many_zones_before_and_after_the_day_of_loading() -> None:
    assert len({ZoneInfo(each.time_zone) for each in MILESTONES}) >= 8
    assert [
        each.slug
        for each in MILESTONES
        if each.due_in_days < 0 and each.status in ("planned", "in_progress")
    ] == ["flood-maps", "report-form"]


def test_titles_stand_in_english_and_japanese() -> None:
    texts = [project.title for project in PROJECTS] + [project.summary for project in PROJECTS]
    texts += [each.title for each in MILESTONES]
    texts += [city.name for city in STORY.cities.values()]

    assert all(set(text) == {"en", "ja"} for text in texts)


def test_every_invitation_has_come_where_the_member_is_whenever_the_demo_is_loaded() -> None:
    loaded_at = datetime(2026, 11, 28, 0, 0, tzinfo=UTC)

    early = [
        slug
        for slug, city in STORY.cities.items()
        if STORY.invited_on(slug, date(2026, 11, 28))
        > loaded_at.astimezone(ZoneInfo(city.time_zone)).date()
    ]

    assert early == []
