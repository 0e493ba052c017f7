"""The rules of milestones and contributions."""

from datetime import UTC, date, datetime

import pytest

from services.projects.model.contribution import (
    NothingDelivered,
    NothingToDeliver,
    NotYourContribution,
)
from services.projects.model.milestone import (
    CONTRIBUTIONS_MAX,
    AccountableOwesAll,
    ContributionsOpen,
    MemberNotParticipating,
    MilestoneEnded,
    MilestoneNotStarted,
    MilestoneStartedBefore,
    NotAccountable,
    NotLeadOrAccountable,
    OthersAreAffected,
    TooManyContributions,
)
from services.projects.model.project import (
    NotProjectLead,
    ProjectEnded,
    ProjectNotActive,
    ProjectNotUnderWay,
)
from services.projects.model.standing import MemberNotActive, NotParticipating
from shared.actor import MissingScope
from shared.refusals import Refusal
from tests.projects.scenes import NOON, Scene, working


@pytest.mark.parametrize("accountable", ["tokyo", "seoul", "paris"])
def test_lead_and_invited_participants_can_be_accountable(accountable: str) -> None:
    milestone = working().plan(accountable)

    assert milestone.accountable == accountable
    assert milestone.status == "planned"
    assert milestone.due_at == datetime(2026, 9, 30, 15, 0, tzinfo=UTC)


@pytest.mark.parametrize("accountable", ["berlin", "delhi", "jakarta"])
def test_who_has_no_working_place_is_not_accountable(accountable: str) -> None:
    scene = working()
    scene.accept("jakarta", "observer")

    with pytest.raises(MemberNotParticipating):
        scene.plan(accountable)


def test_an_invited_member_works_only_once_it_has_accepted() -> None:
    scene = working()
    milestone = scene.plan("paris")

    with pytest.raises(NotParticipating):
        milestone.start(by=scene.as_("paris"), at=NOON)
    assert milestone.allowed_actions(scene.as_("paris"), NOON) == []


def test_nobody_starts_or_completes_for_the_accountable_member() -> None:
    scene = working()
    milestone = scene.plan("seoul")

    with pytest.raises(NotAccountable):
        milestone.start(by=scene.as_("tokyo"), at=NOON)
    milestone.start(by=scene.as_("seoul"), at=NOON)
    with pytest.raises(NotAccountable):
        milestone.complete(by=scene.as_("tokyo"), at=NOON)

    assert milestone.status == "in_progress"
    assert milestone.allowed_actions(scene.as_("seoul"), NOON) == [
        "change_dependencies",
        "report_progress",
        "complete",
        "request_contribution",
    ]
    assert milestone.allowed_actions(scene.as_("tokyo"), NOON) == [
        "change",
        "reschedule",
        "request_contribution",
    ]


def test_a_milestone_is_started_once() -> None:
    scene = working()
    milestone = scene.begin()

    with pytest.raises(MilestoneStartedBefore):
        milestone.start(by=scene.as_("tokyo"), at=NOON)


def test_a_milestone_is_completed_only_in_progress_and_only_once() -> None:
    scene = working()
    milestone = scene.plan()

    with pytest.raises(MilestoneNotStarted):
        milestone.complete(by=scene.as_("tokyo"), at=NOON)
    milestone.start(by=scene.as_("tokyo"), at=NOON)
    milestone.complete(by=scene.as_("tokyo"), at=NOON)
    with pytest.raises(MilestoneEnded):
        milestone.complete(by=scene.as_("tokyo"), at=NOON)

    assert milestone.completed_at == NOON
    assert milestone.version == 3
    assert milestone.allowed_actions(scene.as_("tokyo"), NOON) == []


@pytest.mark.parametrize("status", ["pending", "delivered", "returned"])
def test_open_contributions_are_named_when_they_prevent_completion(status: str) -> None:
    scene = working()
    milestone = scene.begin()
    contribution = scene.ask(milestone, "seoul")
    if status != "pending":
        scene.deliver(milestone, contribution)
    if status == "returned":
        milestone.give_back(contribution, "July is missing.", by=scene.as_("tokyo"), at=NOON)

    with pytest.raises(ContributionsOpen) as refused:
        milestone.complete(by=scene.as_("tokyo"), at=NOON)

    assert refused.value.members == {
        "contributions": [{"id": str(contribution.id), "member": "seoul", "status": status}]
    }
    assert milestone.status == "in_progress"


def test_a_returned_contribution_is_delivered_again_and_accepted() -> None:
    scene = working()
    milestone = scene.begin()
    contribution = scene.ask(milestone, "seoul")

    scene.deliver(milestone, contribution)
    milestone.give_back(contribution, "July is missing.", by=scene.as_("tokyo"), at=NOON)
    returned = contribution.reason
    scene.deliver(milestone, contribution)
    milestone.accept(contribution, by=scene.as_("tokyo"), at=NOON)

    assert returned == "July is missing."
    assert contribution.status == "accepted"
    assert contribution.reason is None
    assert milestone.version == 7


def test_each_step_of_a_contribution_has_its_turn() -> None:
    scene = working()
    milestone = scene.begin()
    contribution = scene.ask(milestone, "seoul")

    with pytest.raises(NothingDelivered):
        milestone.accept(contribution, by=scene.as_("tokyo"), at=NOON)
    with pytest.raises(NothingDelivered):
        milestone.give_back(contribution, "Where?", by=scene.as_("tokyo"), at=NOON)
    scene.deliver(milestone, contribution)
    with pytest.raises(NothingToDeliver):
        scene.deliver(milestone, contribution)

    assert contribution.status == "delivered"


def test_nobody_delivers_for_another_member_or_decides_for_the_accountable_one() -> None:
    scene = working()
    scene.accept("delhi")
    milestone = scene.begin("seoul")
    contribution = scene.ask(milestone, "delhi")

    for member in ("tokyo", "seoul", "paris"):
        with pytest.raises(NotYourContribution):
            milestone.deliver(contribution, "data/1", by=scene.as_(member), at=NOON)
    scene.deliver(milestone, contribution)
    for member in ("tokyo", "delhi", "paris"):
        with pytest.raises(NotAccountable):
            milestone.accept(contribution, by=scene.as_(member), at=NOON)
        with pytest.raises(NotAccountable):
            milestone.give_back(contribution, "Mine.", by=scene.as_(member), at=NOON)

    assert contribution.status == "delivered"
    assert milestone.allowed_actions_on(contribution, scene.as_("seoul")) == ["accept", "return"]
    assert milestone.allowed_actions_on(contribution, scene.as_("delhi")) == []


def test_a_token_for_contributing_delivers_but_does_not_accept() -> None:
    scene = working()
    milestone = scene.begin("seoul")
    contribution = scene.ask(milestone, "tokyo")
    narrow = frozenset({"projects:contribute"})

    milestone.deliver(contribution, "data/1", by=scene.as_("tokyo", narrow), at=NOON)
    with pytest.raises(MissingScope):
        milestone.accept(contribution, by=scene.as_("seoul", narrow), at=NOON)

    assert contribution.status == "delivered"


def test_a_suspended_member_delivers_nothing() -> None:
    scene = working()
    milestone = scene.begin()
    contribution = scene.ask(milestone, "seoul")
    scene.inactive.add("seoul")

    with pytest.raises(MemberNotActive):
        scene.deliver(milestone, contribution)
    assert milestone.allowed_actions_on(contribution, scene.as_("seoul")) == []


def test_a_member_that_withdrew_delivers_nothing() -> None:
    scene = working("network")
    milestone = scene.begin()
    contribution = scene.ask(milestone, "seoul")
    scene.withdraw("seoul")

    with pytest.raises(NotParticipating):
        scene.deliver(milestone, contribution)


@pytest.mark.parametrize(
    ("member", "refusal"),
    [
        ("seoul", AccountableOwesAll),
        ("paris", MemberNotParticipating),
        ("delhi", MemberNotParticipating),
    ],
)
def test_only_others_that_accepted_are_asked_to_contribute(
    member: str, refusal: type[Refusal]
) -> None:
    scene = working()
    milestone = scene.begin("seoul")

    with pytest.raises(refusal):
        scene.ask(milestone, member)
    assert milestone.contributions == []


def test_lead_and_accountable_member_alone_ask_for_contributions() -> None:
    scene = working()
    scene.accept("delhi")
    milestone = scene.begin("seoul")

    milestone.request_contribution(
        member="delhi", description="Maps", by=scene.as_("seoul"), at=NOON
    )
    with pytest.raises(NotLeadOrAccountable):
        milestone.request_contribution(
            member="tokyo", description="Maps", by=scene.as_("delhi"), at=NOON
        )

    assert [owed.member for owed in milestone.contributions] == ["delhi"]


def test_a_milestone_has_room_for_a_limited_number_of_contributions() -> None:
    scene = working()
    milestone = scene.begin()
    for _ in range(CONTRIBUTIONS_MAX):
        scene.ask(milestone, "seoul")

    with pytest.raises(TooManyContributions):
        scene.ask(milestone, "seoul")


@pytest.mark.parametrize("stake", ["accountable", "contribution", "accepted contribution"])
def test_what_others_promised_is_not_moved_over_their_heads(stake: str) -> None:
    scene = working()
    milestone = scene.begin("seoul" if stake == "accountable" else "tokyo")
    if "contribution" in stake:
        contribution = scene.ask(milestone, "seoul")
        if stake == "accepted contribution":
            scene.deliver(milestone, contribution)
            milestone.accept(contribution, by=scene.as_("tokyo"), at=NOON)
    before = milestone.state()

    with pytest.raises(OthersAreAffected) as refused:
        scene.reschedule(milestone, date(2026, 12, 1), "Asia/Tokyo")
    with pytest.raises(OthersAreAffected):
        milestone.cancel("No money", by=scene.as_("tokyo"), at=NOON)

    assert refused.value.members == {"affected_members": ["seoul"]}
    assert milestone.state() == before


def test_the_lead_moves_and_cancels_what_is_its_own() -> None:
    scene = working()
    milestone = scene.plan()

    scene.reschedule(milestone, date(2026, 10, 25), "Europe/Berlin")
    moved = milestone.due_at
    milestone.cancel("Not needed", by=scene.as_("tokyo"), at=NOON)

    assert moved == datetime(2026, 10, 25, 23, 0, tzinfo=UTC)
    assert milestone.status == "cancelled"
    assert milestone.status_reason == "Not needed"


def test_what_a_member_left_behind_can_be_cancelled() -> None:
    scene = working()
    milestone = scene.begin("seoul")
    scene.withdraw("seoul")

    milestone.cancel("Seoul has left", by=scene.as_("tokyo"), at=NOON)

    assert milestone.status == "cancelled"


def test_only_the_lead_plans_words_moves_and_cancels() -> None:
    scene = working()
    milestone = scene.begin("seoul")
    before, seoul = milestone.state(), scene.as_("seoul")

    with pytest.raises(NotProjectLead):
        milestone.change({"title": {"en": "Other"}}, by=seoul, at=NOON)
    with pytest.raises(NotProjectLead):
        scene.reschedule(milestone, date(2026, 12, 1), "Asia/Seoul", by="seoul")
    with pytest.raises(NotProjectLead):
        milestone.cancel("No", by=seoul, at=NOON)

    assert milestone.state() == before


def test_a_new_deadline_in_the_future_ends_being_overdue() -> None:
    scene = working()
    milestone = scene.plan(due_on=date(2026, 5, 1))
    milestone.become_overdue(at=NOON)

    scene.reschedule(milestone, date(2026, 5, 2), "Asia/Tokyo")
    still_overdue = milestone.is_overdue
    scene.reschedule(milestone, date(2026, 6, 1), "Asia/Tokyo")

    assert still_overdue is True
    assert milestone.is_overdue is False


def pause(scene: Scene) -> None:
    scene.project.suspend("Election", by=scene.as_("tokyo"), at=NOON)


def end(scene: Scene) -> None:
    scene.project.cancel("No money", by=scene.as_("tokyo"), at=NOON)


def test_nothing_is_planned_while_the_project_rests() -> None:
    scene = working()
    pause(scene)

    with pytest.raises(ProjectNotUnderWay):
        scene.plan()


def test_work_waits_until_the_project_is_active() -> None:
    scene = Scene().propose()
    scene.accept("seoul")
    milestone = scene.plan()

    with pytest.raises(ProjectNotActive):
        milestone.start(by=scene.as_("tokyo"), at=NOON)
    assert "start" not in milestone.allowed_actions(scene.as_("tokyo"), NOON)


def test_nothing_below_a_project_that_ended_changes() -> None:
    scene = working()
    milestone = scene.begin()
    contribution = scene.ask(milestone, "seoul")
    end(scene)
    before, tokyo = milestone.state(), scene.as_("tokyo")

    with pytest.raises(ProjectEnded):
        milestone.complete(by=tokyo, at=NOON)
    with pytest.raises(ProjectEnded):
        milestone.change({"title": {"en": "Other"}}, by=tokyo, at=NOON)
    with pytest.raises(ProjectEnded):
        milestone.cancel("Over", by=tokyo, at=NOON)
    with pytest.raises(ProjectEnded):
        scene.deliver(milestone, contribution)
    with pytest.raises(ProjectEnded):
        scene.plan()
    with pytest.raises(ProjectEnded):
        scene.invite("delhi")
    with pytest.raises(ProjectEnded):
        scene.withdraw("seoul")

    assert milestone.state() == before
    assert milestone.allowed_actions(tokyo, NOON) == []
