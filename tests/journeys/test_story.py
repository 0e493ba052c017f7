"""The demo's data fits together."""

from datetime import UTC, date, datetime
from zoneinfo import ZoneInfo

import pytest

from deploy.demo.check.expected import asked_by, facts_of, remarks_in, waiting_for
from deploy.demo.story import Project, Question, Remark, Story
from services.projects.model.verdict import tally_of, verdict_meanwhile
from shared.contracts.event import CATALOGUE

STORY = Story()
PROJECTS = STORY.network.joint_projects
MILESTONES = [each for plan in STORY.plans.values() for each in plan.milestones]
REMARKS = [remark for project in PROJECTS for remark in remarks_in(STORY, project)]


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


def amendment(question: Question) -> dict[str, str] | None:
    return question.amends_charter


def test_titles_stand_in_english_and_japanese() -> None:
    texts = [project.title for project in PROJECTS] + [project.summary for project in PROJECTS]
    texts += [each.title for each in MILESTONES]
    texts += [text for each in STORY.questions for text in (each.title, each.text)]
    texts += [*STORY.charters.values(), *filter(None, map(amendment, STORY.questions))]
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


def test_each_project_has_a_charter_and_one_of_them_is_amended() -> None:
    amending = [each for each in STORY.questions if each.amends_charter is not None]

    assert STORY.charters.keys() == STORY.plans.keys() == {each.slug for each in PROJECTS}
    assert [(each.project, each.outcome) for each in amending] == [
        ("infectious-diseases", "adopted")
    ]
    assert amending[0].amends_charter != STORY.charters["infectious-diseases"]


@pytest.mark.parametrize("question", STORY.questions, ids=lambda question: question.slug)
def test_a_question_is_answered_by_those_it_asks_and_comes_to_what_they_say(
    question: Question,
) -> None:
    asked = asked_by(STORY, question)
    said = {each.member: each.position for each in question.positions}

    tally = tally_of(question.rule, [said.get(member) for member in asked])

    assert question.proposer in STORY.taking_part(STORY.project(question.project))
    assert said.keys() <= asked
    assert len(said) == len(question.positions)
    assert (verdict_meanwhile(question.rule, tally) == "rejected") == (
        question.outcome == "rejected"
    )
    if question.outcome == "adopted":
        assert tally.approve >= tally.needed


def test_a_lead_is_offered_to_a_city_that_takes_part_and_is_not_decided_yet() -> None:
    [offer] = STORY.offers
    asked = STORY.taking_part(STORY.project(offer.project))
    said = {each.member: each.position for each in offer.positions}

    tally = tally_of(offer.rule, [said.get(member) for member in asked])

    assert offer.candidate in set(asked) - {STORY.project(offer.project).lead}
    assert said.keys() <= set(asked)
    assert tally.approve < tally.needed <= tally.approve + tally.silent


def test_an_invitation_waits_for_the_city_that_it_gives_time_to() -> None:
    [given] = [each for each in STORY.answers.values() if each.answer_by_in_days is not None]

    assert given.answer is None
    assert given.answer_by_in_days is not None
    assert given.answer_by_in_days > 0
    assert waiting_for(STORY, given.member)["invitation"] == 1


def test_a_city_that_gives_notice_takes_part_and_owes_nothing_more() -> None:
    [leaving] = [each for each in STORY.answers.values() if each.withdrawal is not None]
    open_ones = [
        each
        for each in STORY.plans[leaving.project].milestones
        if each.status in ("planned", "in_progress")
    ]

    assert leaving.answer == "accepted"
    assert leaving.withdrawal is not None
    assert leaving.withdrawal.in_days > 0
    assert leaving.member not in {each.accountable for each in open_ones}
    assert [
        owed.status
        for each in open_ones
        for owed in each.contributions
        if owed.member == leaving.member
    ] == ["delivered"]


def test_one_milestone_is_expected_later_than_it_is_due() -> None:
    forecasts = [each for each in MILESTONES if each.forecast_in_days is not None]

    assert [each.slug for each in forecasts] == ["rehearsal"]
    assert forecasts[0].progress_percent is not None
    assert (forecasts[0].forecast_in_days or 0) > forecasts[0].due_in_days


@pytest.mark.parametrize("project", PROJECTS, ids=lambda project: project.slug)
def test_what_waits_is_due_after_what_it_waits_for(project: Project) -> None:
    plan = {each.slug: each for each in STORY.plans[project.slug].milestones}

    for milestone in plan.values():
        for needed in milestone.waits_for:
            earlier = plan[needed.milestone]
            if earlier.status in ("planned", "in_progress"):
                assert earlier.due_in_days + needed.lag_days < milestone.due_in_days


@pytest.mark.parametrize("project", PROJECTS, ids=lambda project: project.slug)
def test_those_who_take_part_speak_to_cities_that_are_there(project: Project) -> None:
    for remark in remarks_in(STORY, project):
        assert remark.member in STORY.taking_part(project)
        assert set(remark.mentions) <= set(STORY.taking_part(project)) - {remark.member}
        assert remark.edited_to is None or remark.removed_because is None


def test_discussions_are_about_something_that_is_there() -> None:
    for discussion in STORY.discussions:
        milestones = {each.slug for each in STORY.plans[discussion.project].milestones}
        questions = {each.slug for each in STORY.questions if each.project == discussion.project}

        assert milestones & questions == set()
        assert discussion.milestone is None or discussion.milestone in milestones
        assert discussion.decision is None or discussion.decision in questions
        assert discussion.milestone is None or discussion.decision is None


def test_cities_speak_many_languages_and_one_thinks_better_of_what_it_said() -> None:
    def slugs(found: list[Remark]) -> list[str]:
        return [each.slug for each in found]

    assert len({language for each in REMARKS for language in each.text}) >= 8
    assert slugs([each for each in REMARKS if each.edited_to is not None]) == ["permit"]
    assert slugs([each for each in REMARKS if each.removed_because is not None]) == ["one-hospital"]
    assert {each.member for each in REMARKS if each.mentions} >= {"seoul", "tokyo", "taipei"}


def test_contributions_show_where_they_can_be_found() -> None:
    linked = [owed for milestone in MILESTONES for owed in milestone.contributions if owed.links]

    assert len(linked) == 3
    assert {owed.status for owed in linked} <= {"delivered", "accepted"}
    assert all(link.startswith("https://") for owed in linked for link in owed.links)


def test_the_story_tells_only_facts_that_are_published() -> None:
    told = {kind for project in PROJECTS for kind in facts_of(STORY, project)}
    published = {name for name, event in CATALOGUE.items() if event.publisher == "projects"}

    assert {f"renkei.{kind}.v1" for kind in told} <= published
    assert len(told) == 27


def test_what_waits_for_a_city_is_known_beforehand() -> None:
    assert waiting_for(STORY, "tokyo") == {
        "contribution_due": 2,
        "contribution_to_accept": 3,
        "decision": 2,
        "milestone": 5,
    }
    assert waiting_for(STORY, "ulaanbaatar") == {
        "contribution_due": 3,
        "decision": 1,
        "invitation": 1,
        "milestone": 1,
    }
    assert waiting_for(STORY, "tomsk") == {
        "contribution_returned": 1,
        "contribution_to_accept": 1,
        "milestone": 1,
    }
    assert waiting_for(STORY, "paris") == {}
