"""A member leaves on a day of its own, keeps its place until then, and sees what it leaves."""

from datetime import UTC, date, datetime, timedelta

import pytest

from services.projects.model.contribution import Contribution
from services.projects.model.duty import open_duties
from services.projects.model.milestone import Milestone
from services.projects.model.participation import (
    LeadCannotWithdraw,
    NotTakingPart,
    NotYourParticipation,
    NoWithdrawalAnnounced,
    Participation,
    WithdrawalInThePast,
)
from services.projects.model.project import ProjectEnded
from shared.database import Sessions
from tests.projects.conftest import Cities, announced
from tests.projects.scenes import NOON, Scene, working

LAST = date(2026, 6, 30)
FIRST_WITHOUT = date(2026, 7, 1)
BEGINS = datetime(2026, 6, 30, 15, 0, tzinfo=UTC)  # 1 July in Seoul
SECOND = timedelta(seconds=1)


def leaving() -> tuple[Scene, Participation]:
    """Seoul leaves on the first of July."""
    scene = working()
    return scene, scene.announce("seoul", FIRST_WITHOUT)


# Rules


def test_a_member_that_gave_notice_keeps_its_place() -> None:
    scene, place = leaving()
    milestone = scene.begin()
    contribution = scene.ask(milestone, "seoul")

    scene.deliver(milestone, contribution)

    assert place.status == "accepted"
    assert place.withdraws_on == FIRST_WITHOUT
    assert place.withdraws_at == BEGINS
    assert place.withdrawn_on is None
    assert scene.as_("seoul").takes_part("seoul")
    assert place.allowed_actions(scene.as_("seoul"), NOON) == ["withdraw", "retract"]


def test_the_announced_day_begins_where_the_member_is() -> None:
    scene, place = leaving()

    assert not place.is_to_withdraw(BEGINS - SECOND)
    assert place.is_to_withdraw(BEGINS)
    assert place.allowed_actions(scene.as_("seoul"), BEGINS) == []


def test_once_the_day_has_come_nothing_is_taken_back() -> None:
    scene, place = leaving()
    before = place.state()

    with pytest.raises(NotTakingPart):
        place.retract_withdrawal(note=None, by=scene.as_("seoul"), at=BEGINS)
    with pytest.raises(NotTakingPart):
        place.withdraw(on=date(2027, 1, 1), note="Later.", by=scene.as_("seoul"), at=BEGINS)
    assert place.state() == before


def test_the_clock_ends_the_place_on_the_announced_day_however_late_it_comes() -> None:
    scene, place = leaving()

    place.withdraw_as_announced(at=BEGINS + timedelta(days=20))
    scene.note(place)

    assert place.status == "withdrawn"
    assert place.withdrawn_on == FIRST_WITHOUT
    assert place.withdrawn_by == "member"
    assert place.withdraws_on is None
    assert place.withdraws_at is None
    assert "seoul" not in scene.places


def test_a_member_may_stay_until_the_day_comes() -> None:
    scene, place = leaving()

    place.retract_withdrawal(note="We stay.", by=scene.as_("seoul"), at=BEGINS - SECOND)

    assert place.status == "accepted"
    assert place.withdraws_on is None
    assert place.note == "We stay."
    assert not place.is_to_withdraw(BEGINS)
    with pytest.raises(NoWithdrawalAnnounced):
        place.retract_withdrawal(note=None, by=scene.as_("seoul"), at=BEGINS - SECOND)


@pytest.mark.parametrize("on", [None, date(2026, 5, 4)])
def test_a_member_that_gave_notice_may_leave_at_once(on: date | None) -> None:
    scene, place = leaving()

    place.withdraw(on=on, note="Now.", by=scene.as_("seoul"), at=NOON)

    assert place.status == "withdrawn"
    assert place.withdrawn_on == date(2026, 5, 4)
    assert place.withdraws_on is None


def test_a_later_notice_replaces_the_earlier_one() -> None:
    scene, place = leaving()

    place.withdraw(on=date(2026, 8, 1), note="Later.", by=scene.as_("seoul"), at=NOON)

    assert place.withdraws_on == date(2026, 8, 1)
    assert not place.is_to_withdraw(BEGINS)


def test_nobody_gives_notice_for_another_member_or_takes_it_back() -> None:
    scene, place = leaving()
    before = place.state()

    for member in ("tokyo", "paris", "berlin", "delhi"):
        with pytest.raises(NotYourParticipation):
            place.retract_withdrawal(note=None, by=scene.as_(member), at=NOON)
        with pytest.raises(NotYourParticipation):
            place.withdraw(on=LAST, note="Go.", by=scene.as_(member), at=NOON)
    assert place.state() == before


def test_a_day_that_has_passed_where_the_member_is_is_no_notice() -> None:
    scene = working()
    place = scene.participations["seoul"]

    with pytest.raises(WithdrawalInThePast):
        place.withdraw(on=date(2026, 5, 3), note="Gone.", by=scene.as_("seoul"), at=NOON)
    assert place.status == "accepted"
    assert place.withdraws_on is None


def test_the_lead_hands_over_before_it_leaves() -> None:
    scene = working()
    place = scene.participations["seoul"]
    scene.project.lead = "seoul"

    with pytest.raises(LeadCannotWithdraw):
        place.withdraw(on=None, note="Go.", by=scene.as_("seoul"), at=NOON)
    assert place.status == "accepted"
    assert place.allowed_actions(scene.as_("seoul"), NOON) == []


def test_from_a_project_that_is_over_nobody_withdraws() -> None:
    scene, place = leaving()
    scene.project.cancel("No", by=scene.as_("tokyo"), at=NOON)

    with pytest.raises(ProjectEnded):
        place.withdraw(on=None, note="Go.", by=scene.as_("seoul"), at=NOON)
    with pytest.raises(ProjectEnded):
        place.retract_withdrawal(note=None, by=scene.as_("seoul"), at=NOON)
    assert place.withdraws_on == FIRST_WITHOUT


@pytest.mark.parametrize(
    ("at", "announced_on", "withdrawn_on"),
    [
        (NOON, None, date(2026, 5, 4)),
        (datetime(2026, 5, 4, 15, 0, tzinfo=UTC), None, date(2026, 5, 5)),
        (NOON, FIRST_WITHOUT, date(2026, 5, 4)),
        (BEGINS + timedelta(days=2), FIRST_WITHOUT, FIRST_WITHOUT),
    ],
)
def test_who_leaves_the_network_leaves_the_project_that_day(
    at: datetime, announced_on: date | None, withdrawn_on: date
) -> None:
    scene = working()
    place = scene.participations["seoul"]
    if announced_on:
        scene.announce("seoul", announced_on)

    place.leave_network("Asia/Seoul", at=at)

    assert place.status == "withdrawn"
    assert place.withdrawn_by == "network"
    assert place.withdrawn_on == withdrawn_on
    assert place.place is None


# What is left behind


def busy() -> tuple[Scene, list[Milestone], dict[str, Contribution]]:
    """Seoul is accountable for one of three milestones, and owes to another one."""
    scene = working()
    scene.accept("jakarta")
    own = scene.begin("seoul")
    late = scene.plan(due_on=date(2027, 1, 31))
    late.start(by=scene.as_("tokyo"), at=NOON)
    done = scene.begin("seoul")
    done.complete(by=scene.as_("seoul"), at=NOON)
    owed = {
        "pending": scene.ask(late, "seoul"),
        "returned": scene.ask(late, "seoul"),
        "delivered": scene.ask(late, "seoul"),
        "accepted": scene.ask(late, "seoul"),
        "of jakarta": scene.ask(late, "jakarta"),
        "to seoul": scene.ask(own, "jakarta"),
        "to seoul, pending": scene.ask(own, "jakarta"),
    }
    for name in ("returned", "delivered", "accepted"):
        scene.deliver(late, owed[name])
    scene.deliver(own, owed["to seoul"])
    late.give_back(owed["returned"], "Again", by=scene.as_("tokyo"), at=NOON)
    late.accept(owed["accepted"], by=scene.as_("tokyo"), at=NOON)
    return scene, [own, late, done], owed


def test_open_duties_are_what_the_member_has_to_do_next() -> None:
    scene, milestones, owed = busy()
    own, _, _ = milestones

    found = open_duties("seoul", scene.project, milestones)

    assert [(duty.kind, duty.id) for duty in found] == [
        ("accept_contribution", owed["to seoul"].id),
        ("complete_milestone", own.id),
        *sorted(
            [
                ("deliver_contribution", owed["pending"].id),
                ("deliver_contribution", owed["returned"].id),
            ]
        ),
    ]
    assert found[0].due_at == own.due_at
    assert found[0].title == {"en": "Sensors placed"}


def test_a_project_that_is_over_leaves_no_duties() -> None:
    scene, milestones, _ = busy()
    scene.project.cancel("No", by=scene.as_("tokyo"), at=NOON)

    assert open_duties("seoul", scene.project, milestones) == []


# Over HTTP


async def test_the_answer_of_a_withdrawal_is_what_was_seen_before_it(
    cities: Cities, sessions: Sessions
) -> None:
    scene, milestones, owed = busy()
    await scene.store(sessions)
    here = f"/participations/{scene.participations['seoul'].id}"

    preview = await cities.get("seoul", f"{here}/duties")
    answer = await cities.do("seoul", "POST", f"{here}/withdrawal", {"note": "Other duties."})
    after = await cities.get("tokyo", f"{here}/duties")

    assert answer["status"] == "withdrawn"
    assert answer["allowed_actions"] == []
    assert answer["duties"] == preview["items"] == after["items"]
    assert answer["duties"][0] == {
        "kind": "accept_contribution",
        "id": str(owed["to seoul"].id),
        "milestone_id": str(milestones[0].id),
        "title": {"en": "Sensors placed"},
        "description": "Sensor data",
        "from_member": "jakarta",
        "due_on": "2026-09-30",
        "time_zone": "Asia/Tokyo",
        "due_at": "2026-09-30T15:00:00Z",
    }
    assert [duty["kind"] for duty in answer["duties"]] == [
        "accept_contribution",
        "complete_milestone",
        "deliver_contribution",
        "deliver_contribution",
    ]


async def test_who_owes_nothing_leaves_nothing(cities: Cities, sessions: Sessions) -> None:
    scene = await working().store(sessions)
    here = f"/participations/{scene.participations['seoul'].id}"

    assert await cities.get("seoul", f"{here}/duties") == {"items": []}


async def test_notice_is_announced_and_taken_back(cities: Cities, sessions: Sessions) -> None:
    scene = await working().store(sessions)
    here = f"/participations/{scene.participations['seoul'].id}"

    noticed = await cities.do(
        "seoul", "POST", f"{here}/withdrawal", {"note": "Budget.", "withdrawn_on": "2098-07-01"}
    )
    seen = await cities.get("paris", here)
    stayed = await cities.do("seoul", "POST", f"{here}/retraction", {})

    assert noticed["status"] == seen["status"] == "accepted"
    assert noticed["withdraws_on"] == "2098-07-01"
    assert noticed["withdraws_at"] == "2098-06-30T15:00:00Z"
    assert noticed["duties"] == []
    assert seen["note"] == "Budget."
    assert stayed["withdraws_on"] is None
    assert stayed["allowed_actions"] == ["withdraw"]
    told = await announced(sessions)
    assert [event.type for event in told] == [
        "renkei.participation.withdrawal_announced.v1",
        "renkei.participation.withdrawal_retracted.v1",
    ]
    assert {event.audience for event in told} == {("paris", "seoul", "tokyo")}


async def test_the_same_key_gives_notice_once(cities: Cities, sessions: Sessions) -> None:
    scene = await working().store(sessions)
    path = f"/participations/{scene.participations['seoul'].id}/withdrawal"
    body = {"note": "Budget.", "withdrawn_on": "2098-07-01"}

    first = await cities.call("seoul", "POST", path, body, match='"2"', key="once")
    again = await cities.call("seoul", "POST", path, body, match='"2"', key="once")

    assert first.status_code == again.status_code == 200
    assert first.json() == again.json()
    assert len(await announced(sessions)) == 1


@pytest.mark.parametrize(
    ("verb", "body", "status", "code"),
    [
        ("withdrawal", {}, 422, "invalid-request"),
        ("withdrawal", {"note": "-", "withdrawn_on": "2026-05-04"}, 422, "withdrawal-in-the-past"),
        ("withdrawal", {"note": "-", "withdrawn_on": "9999-12-31"}, 422, "invalid-request"),
        ("withdrawal", {"note": "-", "withdrawn_on": 1}, 422, "invalid-request"),
        ("retraction", {}, 409, "no-withdrawal-announced"),
        ("retraction", {"day": "2026-05-04"}, 422, "invalid-request"),
    ],
)
async def test_a_withdrawal_that_makes_no_sense_changes_nothing(
    cities: Cities, sessions: Sessions, verb: str, body: object, status: int, code: str
) -> None:
    scene = await working().store(sessions)
    here = f"/participations/{scene.participations['seoul'].id}"
    before = await cities.get("seoul", here)

    refused = await cities.call("seoul", "POST", f"{here}/{verb}", body)

    assert refused.status_code == status
    assert refused.json()["type"] == f"/problems/{code}"
    assert await cities.get("seoul", here) == before
    assert await announced(sessions) == []
