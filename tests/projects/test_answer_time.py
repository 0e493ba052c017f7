"""Invitations wait for a declared time, remind of it once, and end with it."""

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.projects.model.answer_time import AnswerTimePast, answer_time
from services.projects.model.participation import (
    AnswerTimeNotLonger,
    InvitationAnswered,
    InvitationExpired,
    Participation,
)
from services.projects.model.project import NotProjectLead, ProjectEnded
from shared.refusals import Refusal
from tests.projects.scenes import NOON, ZONES, Scene, known, working

SECOND = timedelta(seconds=1)


def invited(
    on: date | None = None, zone: str | None = None, at: datetime = NOON
) -> tuple[Scene, Participation]:
    """Delhi is invited to a project that goes on."""
    scene = working()
    invitation = Participation.invite(
        scene.project,
        member="delhi",
        known=known("delhi"),
        role="participant",
        note=None,
        answer_by_on=on,
        time_zone=zone,
        by=scene.as_("tokyo"),
        at=at,
    )
    return scene, scene.note(invitation)


def test_a_member_has_thirty_days_of_its_own_to_answer() -> None:
    _, invitation = invited()

    assert invitation.answer_by_on == date(2026, 6, 3)
    assert invitation.time_zone == "Asia/Kolkata"
    assert invitation.answer_by_at == datetime(2026, 6, 3, 18, 30, tzinfo=UTC)


def test_the_thirty_days_begin_where_the_day_ends() -> None:
    _, invitation = invited(at=datetime(2026, 5, 4, 20, 0, tzinfo=UTC))  # the 5th in Delhi

    assert invitation.answer_by_on == date(2026, 6, 4)


def test_the_lead_names_day_and_zone() -> None:
    _, invitation = invited(date(2026, 10, 25), "Europe/Berlin")

    assert invitation.answer_by_at == datetime(2026, 10, 25, 23, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("on", "zone", "is_possible"),
    [
        (date(2026, 5, 4), "Asia/Kolkata", True),
        (date(2026, 5, 3), "Asia/Kolkata", False),
        (date(2026, 5, 3), "Pacific/Pago_Pago", False),
        (date(2026, 5, 4), "Pacific/Kiritimati", False),  # it ended there two hours ago
        (date(2026, 5, 5), "Pacific/Kiritimati", True),
    ],
)
def test_a_day_to_answer_by_has_not_ended_where_it_ends(
    on: date, zone: str, is_possible: bool
) -> None:
    if is_possible:
        assert invited(on, zone)[1].status == "invited"
    else:
        with pytest.raises(AnswerTimePast):
            invited(on, zone)


@pytest.mark.parametrize(
    ("on", "remind_at"),
    [
        (date(2026, 6, 3), datetime(2026, 5, 28, 0, 0, tzinfo=UTC)),
        (date(2026, 5, 18), datetime(2026, 5, 12, 0, 0, tzinfo=UTC)),
        (date(2026, 5, 17), datetime(2026, 5, 11, 6, 0, tzinfo=UTC)),  # half of 13½ days
        (date(2026, 5, 5), datetime(2026, 5, 5, 6, 0, tzinfo=UTC)),
        (date(2026, 5, 4), datetime(2026, 5, 4, 18, 0, tzinfo=UTC)),
    ],
)
def test_the_reminder_comes_a_week_before_the_end_or_halfway(on: date, remind_at: datetime) -> None:
    assert answer_time(on, "UTC", at=NOON).remind_at == remind_at


@given(st.dates(date(2026, 5, 5), date(2199, 12, 31)), st.sampled_from(sorted(ZONES.values())))
def test_a_reminder_leaves_time_to_answer(on: date, zone: str) -> None:
    given_time = answer_time(on, zone, at=NOON)

    left = given_time.answer_by_at - given_time.remind_at
    assert NOON < given_time.remind_at < given_time.answer_by_at
    assert left <= timedelta(days=7)
    assert left == timedelta(days=7) or left * 2 == given_time.answer_by_at - NOON


def test_an_answer_in_the_last_second_counts_and_one_after_it_does_not() -> None:
    scene, invitation = invited()
    end = invitation.answer_by_at
    assert end is not None
    as_delhi = scene.as_("delhi")

    with pytest.raises(InvitationExpired):
        invitation.accept(reservation=None, note=None, by=as_delhi, at=end)
    with pytest.raises(InvitationExpired):
        invitation.decline(note=None, by=as_delhi, at=end)
    late = invitation.allowed_actions(as_delhi, end)
    in_time = invitation.allowed_actions(as_delhi, end - SECOND)
    invitation.accept(reservation=None, note=None, by=as_delhi, at=end - SECOND)

    assert late == []
    assert in_time == ["accept", "decline"]
    assert invitation.status == "accepted"


def test_an_expired_invitation_is_never_answered_extended_or_revoked() -> None:
    scene, invitation = invited()
    invitation.expire(at=NOON + timedelta(days=31))
    before = invitation.state()

    acts: list[Callable[[], None]] = [
        lambda: invitation.accept(reservation=None, note=None, by=scene.as_("delhi"), at=NOON),
        lambda: invitation.decline(note=None, by=scene.as_("delhi"), at=NOON),
        lambda: invitation.extend(date(2027, 1, 1), "UTC", by=scene.as_("tokyo"), at=NOON),
        lambda: invitation.revoke(note=None, by=scene.as_("tokyo"), at=NOON),
    ]
    for act in acts:
        with pytest.raises(InvitationExpired):
            act()
    assert invitation.state() == before
    assert invitation.status == "expired"
    assert invitation.place is None


def test_a_member_whose_invitation_expired_may_be_invited_again() -> None:
    scene, invitation = invited()
    invitation.expire(at=NOON + timedelta(days=31))
    scene.note(invitation)

    again = scene.invite("delhi")

    assert again.id != invitation.id
    assert again.status == "invited"


def test_more_time_brings_another_reminder() -> None:
    scene, invitation = invited()
    invitation.remind(at=NOON + timedelta(days=24))

    invitation.extend(date(2026, 7, 1), "UTC", by=scene.as_("tokyo"), at=NOON + timedelta(days=25))

    assert invitation.answer_by_at == datetime(2026, 7, 2, 0, 0, tzinfo=UTC)
    assert invitation.remind_at == datetime(2026, 6, 25, 0, 0, tzinfo=UTC)
    assert invitation.reminded_at == NOON + timedelta(days=24)
    assert invitation.version == 3


@pytest.mark.parametrize(
    ("on", "zone", "refusal"),
    [
        (date(2026, 6, 3), "Asia/Kolkata", AnswerTimeNotLonger),
        (date(2026, 6, 3), "Asia/Tokyo", AnswerTimeNotLonger),  # ends earlier there
        (date(2026, 5, 20), "Asia/Kolkata", AnswerTimeNotLonger),
        (date(2026, 5, 3), "Asia/Kolkata", AnswerTimePast),
    ],
)
def test_time_that_was_given_is_not_taken_away(on: date, zone: str, refusal: type[Refusal]) -> None:
    scene, invitation = invited()
    before = invitation.state()

    with pytest.raises(refusal):
        invitation.extend(on, zone, by=scene.as_("tokyo"), at=NOON)
    assert invitation.state() == before


def test_an_invitation_without_an_end_can_be_given_one() -> None:
    scene, invitation = invited()
    # As the release before wrote it.
    invitation.answer_by_on = invitation.time_zone = None
    invitation.answer_by_at = invitation.remind_at = None

    offered = invitation.allowed_actions(scene.as_("delhi"), NOON + timedelta(days=9999))
    invitation.extend(date(2026, 7, 1), "UTC", by=scene.as_("tokyo"), at=NOON)

    assert offered == ["accept", "decline"]
    assert invitation.answer_by_at == datetime(2026, 7, 2, 0, 0, tzinfo=UTC)


def test_only_the_lead_extends_and_revokes() -> None:
    scene, invitation = invited()
    before = invitation.state()

    for member in ("delhi", "seoul", "paris", "berlin"):
        with pytest.raises(NotProjectLead):
            invitation.extend(date(2027, 1, 1), "UTC", by=scene.as_(member), at=NOON)
        with pytest.raises(NotProjectLead):
            invitation.revoke(note=None, by=scene.as_(member), at=NOON)
    assert invitation.state() == before


def test_a_revoked_invitation_leaves_no_place() -> None:
    scene, invitation = invited()

    invitation.revoke(note="The wrong city.", by=scene.as_("tokyo"), at=NOON)

    assert invitation.status == "withdrawn"
    assert invitation.withdrawn_by == "lead"
    assert invitation.withdrawn_on == date(2026, 5, 4)
    assert invitation.note == "The wrong city."
    assert invitation.place is None
    with pytest.raises(InvitationAnswered):
        invitation.accept(reservation=None, note=None, by=scene.as_("delhi"), at=NOON)


def test_what_was_answered_is_neither_extended_nor_revoked() -> None:
    scene = working()
    place = scene.participations["seoul"]

    with pytest.raises(InvitationAnswered):
        place.extend(date(2100, 1, 1), "UTC", by=scene.as_("tokyo"), at=NOON)
    with pytest.raises(InvitationAnswered):
        place.revoke(note=None, by=scene.as_("tokyo"), at=NOON)
    assert place.status == "accepted"


def test_more_time_can_be_given_while_the_project_rests_but_not_once_it_is_over() -> None:
    scene, invitation = invited()
    scene.project.suspend("Election", by=scene.as_("tokyo"), at=NOON)
    resting = invitation.allowed_actions(scene.as_("tokyo"), NOON)
    invitation.extend(date(2026, 7, 1), "UTC", by=scene.as_("tokyo"), at=NOON)
    scene.project.cancel("No", by=scene.as_("tokyo"), at=NOON)

    with pytest.raises(ProjectEnded):
        invitation.extend(date(2026, 8, 1), "UTC", by=scene.as_("tokyo"), at=NOON)
    assert resting == ["extend", "revoke"]
    assert invitation.answer_by_on == date(2026, 7, 1)
    assert invitation.allowed_actions(scene.as_("tokyo"), NOON) == []
