"""The rules of a project's life."""

from collections.abc import Callable
from datetime import date

import pytest

from services.projects.model.participation import (
    AlreadyInvited,
    InvitationAnswered,
    InvitedMemberNotActive,
    MemberUnknown,
    NotTakingPart,
    NotYourInvitation,
    NotYourParticipation,
    Participation,
    WithdrawalInThePast,
)
from services.projects.model.project import (
    MilestonesOpen,
    NobodyTakesPart,
    NothingAchieved,
    NotProjectLead,
    PeriodReversed,
    Progress,
    ProjectEnded,
    ProjectNotActive,
    ProjectNotDraft,
    ProjectNotProposed,
    ProjectNotSuspended,
    ProjectNotUnderWay,
)
from services.projects.model.standing import MemberNotActive
from shared.actor import MissingScope
from shared.contracts.event import EVERYONE
from shared.refusals import Refusal
from tests.projects.scenes import NOON, Scene, known, working

DONE = Progress(open_milestones=0, completed_milestones=1)

Act = Callable[[Scene], object]

change: Act = lambda s: s.project.change({"title": {"en": "Air"}}, by=s.as_("tokyo"), at=NOON)  # noqa: E731
propose: Act = lambda s: s.project.propose(by=s.as_("tokyo"), at=NOON)  # noqa: E731
activate: Act = lambda s: s.project.activate(by=s.as_("tokyo"), at=NOON)  # noqa: E731
suspend: Act = lambda s: s.project.suspend("Election", by=s.as_("tokyo"), at=NOON)  # noqa: E731
resume: Act = lambda s: s.project.resume(by=s.as_("tokyo"), at=NOON)  # noqa: E731
complete: Act = lambda s: s.project.complete(DONE, by=s.as_("tokyo"), at=NOON)  # noqa: E731
cancel: Act = lambda s: s.project.cancel("No money", by=s.as_("tokyo"), at=NOON)  # noqa: E731
invite: Act = lambda s: s.invite("delhi")  # noqa: E731


def in_status(status: str) -> Scene:
    scene = Scene()
    if status == "draft":
        return scene
    scene.propose()
    scene.accept("seoul")
    if status == "proposed":
        return scene
    scene.activate()
    steps = {"suspended": suspend, "completed": complete, "cancelled": cancel}
    if status in steps:
        steps[status](scene)
    return scene


MOVES: list[tuple[Act, str, dict[str, type[Refusal] | str]]] = [
    (change, "change", dict.fromkeys(("draft", "proposed", "active", "suspended"), "")),
    (
        propose,
        "propose",
        {"draft": "proposed"} | dict.fromkeys(("proposed", "active", "suspended"), ProjectNotDraft),
    ),
    (
        activate,
        "activate",
        {"proposed": "active"}
        | dict.fromkeys(("draft", "active", "suspended"), ProjectNotProposed),
    ),
    (
        suspend,
        "suspend",
        {"active": "suspended"}
        | dict.fromkeys(("draft", "proposed", "suspended"), ProjectNotActive),
    ),
    (
        resume,
        "resume",
        {"suspended": "active"}
        | dict.fromkeys(("draft", "proposed", "active"), ProjectNotSuspended),
    ),
    (
        complete,
        "complete",
        {"active": "completed"}
        | dict.fromkeys(("draft", "proposed", "suspended"), ProjectNotActive),
    ),
    (
        cancel,
        "cancel",
        dict.fromkeys(("draft", "proposed", "active", "suspended"), "cancelled"),
    ),
    (
        invite,
        "invite",
        dict.fromkeys(("proposed", "active"), "")
        | dict.fromkeys(("draft", "suspended"), ProjectNotUnderWay),
    ),
]


@pytest.mark.parametrize(
    ("act", "action", "status", "outcome"),
    [
        pytest.param(act, action, status, outcome, id=f"{action}-{status}")
        for act, action, outcomes in MOVES
        for status, outcome in (
            outcomes | dict.fromkeys(("completed", "cancelled"), ProjectEnded)
        ).items()
    ],
)
def test_each_step_is_possible_in_its_states_alone(
    act: Act, action: str, status: str, outcome: type[Refusal] | str
) -> None:
    scene = in_status(status)
    before = scene.project.state()
    offered = scene.project.allowed_actions(scene.as_("tokyo"), DONE)

    if isinstance(outcome, str):
        act(scene)

        assert scene.project.status == (outcome or status)
        assert action in offered
    else:
        with pytest.raises(outcome):
            act(scene)

        assert scene.project.state() == before
        assert action not in offered


def test_every_change_raises_the_version_by_one() -> None:
    scene = in_status("suspended")

    assert scene.project.version == 4


@pytest.mark.parametrize("act", [change, propose, activate, suspend, resume, complete, cancel])
def test_only_the_lead_takes_steps(act: Act, monkeypatch: pytest.MonkeyPatch) -> None:
    scene = working()
    before = scene.project.state()
    as_seoul = scene.as_("seoul")
    monkeypatch.setattr(scene, "as_", lambda _: as_seoul)

    with pytest.raises(NotProjectLead):
        act(scene)

    assert scene.project.state() == before
    assert set(scene.project.allowed_actions(as_seoul, DONE)) <= {"open_decision"}


def test_a_suspended_member_changes_nothing_and_is_offered_nothing() -> None:
    scene = working()
    scene.inactive.add("tokyo")

    with pytest.raises(MemberNotActive):
        change(scene)
    assert scene.project.allowed_actions(scene.as_("tokyo"), DONE) == []


def test_a_token_for_reading_changes_nothing() -> None:
    scene = working()

    with pytest.raises(MissingScope):
        scene.project.change(
            {"title": {"en": "Air"}}, by=scene.as_("tokyo", frozenset({"projects:read"})), at=NOON
        )
    assert scene.project.title == {"en": "Clean air"}


@pytest.mark.parametrize("answer", ["none", "declined", "observer"])
def test_nobody_begins_alone(answer: str) -> None:
    scene = Scene().propose()
    scene.invite("paris")
    if answer == "declined":
        scene.decline("seoul")
    if answer == "observer":
        scene.accept("seoul", "observer")

    with pytest.raises(NobodyTakesPart):
        scene.activate()


@pytest.mark.parametrize(
    ("progress", "refusal"),
    [
        (Progress(1, 5), MilestonesOpen),
        (Progress(0, 0), NothingAchieved),
    ],
)
def test_a_project_that_owes_results_or_has_none_is_not_completed(
    progress: Progress, refusal: type[Refusal]
) -> None:
    scene = working()

    with pytest.raises(refusal):
        scene.project.complete(progress, by=scene.as_("tokyo"), at=NOON)
    assert scene.project.status == "active"


def test_a_project_does_not_end_before_it_starts() -> None:
    scene = working()
    scene.project.change({"starts_on": date(2026, 4, 1)}, by=scene.as_("tokyo"), at=NOON)

    with pytest.raises(PeriodReversed):
        scene.project.change({"ends_on": date(2026, 3, 31)}, by=scene.as_("tokyo"), at=NOON)
    assert scene.project.ends_on is None


def test_a_draft_is_for_its_lead_alone_even_once_it_is_cancelled() -> None:
    scene = Scene(visibility="network")

    cancel(scene)

    assert scene.project.audience(scene.places) == ("tokyo",)


def test_a_proposed_project_is_for_those_with_a_place_in_it() -> None:
    scene = working()

    assert set(scene.project.audience(scene.places)) == {"tokyo", "seoul", "paris"}


def test_a_project_of_the_network_is_for_everyone() -> None:
    scene = working("network")

    assert scene.project.audience(scene.places) == EVERYONE


# Participation


@pytest.mark.parametrize("member", ["tokyo", "seoul", "paris"])
def test_nobody_is_invited_twice(member: str) -> None:
    with pytest.raises(AlreadyInvited):
        working().invite(member)


def test_a_member_that_declined_may_be_invited_again() -> None:
    scene = working()
    declined = scene.participations["berlin"]

    again = scene.invite("berlin")

    assert again.status == "invited"
    assert again.id != declined.id
    assert declined.status == "declined"


@pytest.mark.parametrize(
    ("status", "refusal"),
    [
        (None, MemberUnknown),
        ("suspended", InvitedMemberNotActive),
        ("invited", InvitedMemberNotActive),
        ("withdrawn", InvitedMemberNotActive),
    ],
)
def test_only_active_members_are_invited(status: str | None, refusal: type[Refusal]) -> None:
    scene = working()

    with pytest.raises(refusal):
        Participation.invite(
            scene.project,
            member="delhi",
            known=known("delhi", status) if status else None,
            role="participant",
            note=None,
            by=scene.as_("tokyo"),
            at=NOON,
        )


@pytest.mark.parametrize("member", ["tokyo", "seoul", "berlin", "delhi"])
def test_nobody_answers_for_another_member(member: str) -> None:
    scene = working()
    invitation = scene.participations["paris"]

    with pytest.raises(NotYourInvitation):
        invitation.accept(reservation=None, note=None, by=scene.as_(member), at=NOON)
    with pytest.raises(NotYourInvitation):
        invitation.decline(note=None, by=scene.as_(member), at=NOON)
    assert invitation.status == "invited"
    offered = invitation.allowed_actions(scene.as_(member), NOON)
    assert offered == (["extend", "revoke"] if member == "tokyo" else [])
    assert invitation.allowed_actions(scene.as_("paris"), NOON) == ["accept", "decline"]


def test_an_answer_is_given_once() -> None:
    scene = working()

    with pytest.raises(InvitationAnswered):
        scene.participations["seoul"].decline(note=None, by=scene.as_("seoul"), at=NOON)
    assert scene.participations["seoul"].status == "accepted"


@pytest.mark.parametrize(
    ("act", "refusal"), [(suspend, ProjectNotUnderWay), (cancel, ProjectEnded)]
)
def test_a_project_that_rests_or_ended_takes_no_answers(act: Act, refusal: type[Refusal]) -> None:
    scene = working()
    act(scene)
    invitation = scene.participations["paris"]

    with pytest.raises(refusal):
        invitation.accept(reservation=None, note=None, by=scene.as_("paris"), at=NOON)
    assert invitation.status == "invited"
    assert invitation.allowed_actions(scene.as_("paris"), NOON) == []


def test_an_acceptance_keeps_its_reservation() -> None:
    scene = working()
    invitation = scene.participations["paris"]

    invitation.accept(reservation="Not in August", note=None, by=scene.as_("paris"), at=NOON)

    assert invitation.reservation == "Not in August"
    assert invitation.answered_at == NOON
    assert invitation.version == 2


def test_nobody_withdraws_another_member() -> None:
    scene = working()
    participation = scene.participations["seoul"]

    with pytest.raises(NotYourParticipation):
        participation.withdraw(on=None, note="Go.", by=scene.as_("tokyo"), at=NOON)
    assert participation.status == "accepted"


def test_who_has_not_accepted_cannot_withdraw() -> None:
    scene = working()

    with pytest.raises(NotTakingPart):
        scene.withdraw("paris")


def test_a_member_may_leave_a_project_that_rests() -> None:
    scene = working()
    suspend(scene)

    scene.withdraw("seoul")

    assert scene.participations["seoul"].status == "withdrawn"


def test_a_withdrawal_is_recorded_from_today_on_where_the_member_is() -> None:
    scene = working()
    late = NOON.replace(hour=23)  # 4 May in Greenwich, 5 May in Seoul
    participation = scene.participations["seoul"]

    with pytest.raises(WithdrawalInThePast):
        participation.withdraw(on=date(2026, 5, 4), note="No.", by=scene.as_("seoul"), at=late)
    participation.withdraw(on=None, note="Other duties.", by=scene.as_("seoul"), at=late)

    assert participation.withdrawn_on == date(2026, 5, 5)
    assert participation.place is None
