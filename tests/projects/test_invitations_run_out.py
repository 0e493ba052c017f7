"""The clock reminds, ends invitations and lets members leave: each once, whoever looks."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import date, datetime, timedelta

import pytest
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from services.projects.model.participation import Participation
from services.projects.use_cases.end_announced_participations import (
    end_announced_participations,
)
from services.projects.use_cases.expire_invitations import expire_invitations
from services.projects.use_cases.remind_invited_members import remind_invited_members
from services.projects.worker import WORKER
from shared.contracts.event import EVERYONE
from shared.database import Sessions
from tests.projects.conftest import Cities, announced
from tests.projects.scenes import NOON, Scene, known, working

SECOND = timedelta(microseconds=1)
DAY = timedelta(days=1)

Tick = Callable[[AsyncSession, datetime], Awaitable[bool]]


def asked(scene: Scene, member: str = "delhi", on: date = date(2026, 6, 3)) -> Participation:
    """A member is invited until the end of a day in Greenwich."""
    invitation = Participation.invite(
        scene.project,
        member=member,
        known=known(member),
        role="participant",
        note=None,
        answer_by_on=on,
        time_zone="UTC",
        by=scene.as_("tokyo"),
        at=NOON,
    )
    return scene.note(invitation)


async def at(sessions: Sessions, tick: Tick, now: datetime) -> bool:
    async with sessions.begin() as session:
        return await tick(session, now)


async def stored(sessions: Sessions, place: Participation) -> Participation:
    async with sessions() as session:
        return await session.get_one(Participation, place.id)


async def types(sessions: Sessions) -> list[str]:
    return [event.type.split(".", 2)[2] for event in await announced(sessions)]


async def test_a_member_is_reminded_once(sessions: Sessions) -> None:
    scene = working()
    invitation = asked(scene)
    await scene.store(sessions)
    moment = invitation.remind_at
    assert moment is not None

    early = await at(sessions, remind_invited_members, moment - SECOND), await types(sessions)
    for _ in range(2):
        await at(sessions, remind_invited_members, moment)

    [event] = await announced(sessions)
    assert early == (False, [])
    assert event.type == "renkei.participation.reminded.v1"
    assert event.subject == str(invitation.id)
    assert event.actor is None
    assert event.audience == ("delhi", "paris", "seoul", "tokyo")
    assert event.data.previous["reminded_at"] is None
    assert (await stored(sessions, invitation)).reminded_at == moment


async def test_an_invitation_expires_once_at_its_end(sessions: Sessions) -> None:
    scene = working()
    invitation = asked(scene)
    await scene.store(sessions)
    end = invitation.answer_by_at
    assert end is not None

    await at(sessions, expire_invitations, end - SECOND)
    early = await types(sessions)
    for _ in range(2):
        await at(sessions, expire_invitations, end)

    [event] = await announced(sessions)
    assert early == []
    assert event.type == "renkei.participation.expired.v1"
    assert event.audience == ("delhi", "paris", "seoul", "tokyo")
    assert event.data.state.status == "expired"
    assert event.data.previous["status"] == "invited"


async def test_after_a_long_pause_nobody_is_reminded_of_what_is_over(sessions: Sessions) -> None:
    scene = working()
    asked(scene)
    await scene.store(sessions)
    late = NOON + 90 * DAY

    await at(sessions, remind_invited_members, late)
    await at(sessions, expire_invitations, late)
    await at(sessions, remind_invited_members, late)

    assert await types(sessions) == ["expired.v1"]


async def test_a_notice_takes_effect_once_on_its_day(sessions: Sessions) -> None:
    scene = working()
    place = scene.announce("seoul", date(2026, 7, 1))
    await scene.store(sessions)
    begins = place.withdraws_at
    assert begins is not None

    await at(sessions, end_announced_participations, begins - SECOND)
    early = await types(sessions)
    for _ in range(2):
        await at(sessions, end_announced_participations, begins + 9 * DAY)

    [event] = await announced(sessions)
    assert early == []
    assert event.type == "renkei.participation.withdrawn.v1"
    assert event.actor is None
    assert event.audience == ("paris", "seoul", "tokyo")
    assert event.data.state.withdrawn_on == date(2026, 7, 1)
    assert event.data.state.withdrawn_by == "member"
    assert event.data.previous["withdraws_on"] == "2026-07-01"


@pytest.mark.parametrize(
    ("tick", "now"),
    [
        (remind_invited_members, NOON + 29 * DAY),
        (expire_invitations, NOON + 99 * DAY),
        (end_announced_participations, NOON + 99 * DAY),
    ],
)
async def test_of_several_workers_one_does_it(
    sessions: Sessions, tick: Tick, now: datetime
) -> None:
    scenes = [working() for _ in range(3)]
    for number, scene in enumerate(scenes):
        scene.project.reference = f"project-{number}"
        asked(scene)
        asked(scene, "jakarta")
        scene.announce("seoul", date(2026, 7, 1))
        await scene.store(sessions)
    # What one worker holds, another one leaves to the next look.

    await asyncio.gather(*(at(sessions, tick, now) for _ in range(4)))
    await at(sessions, tick, now)

    subjects = [event.subject for event in await announced(sessions)]
    members = ("seoul",) if tick is end_announced_participations else ("delhi", "jakarta")
    assert sorted(subjects) == sorted(
        str(scene.participations[member].id) for scene in scenes for member in members
    )


async def test_who_lost_its_place_is_not_told_who_loses_it_next(sessions: Sessions) -> None:
    scene = working()
    first = asked(scene, "delhi", date(2026, 6, 3))
    second = asked(scene, "jakarta", date(2026, 6, 4))
    await scene.store(sessions)

    await at(sessions, expire_invitations, NOON + 99 * DAY)

    told = [(event.subject, event.audience) for event in await announced(sessions)]
    assert told == [
        (str(first.id), ("delhi", "jakarta", "paris", "seoul", "tokyo")),
        (str(second.id), ("jakarta", "paris", "seoul", "tokyo")),
    ]


async def test_what_happens_in_a_project_of_the_network_is_for_everyone(
    sessions: Sessions,
) -> None:
    scene = working("network")
    asked(scene)
    await scene.store(sessions)

    await at(sessions, remind_invited_members, NOON + 29 * DAY)
    await at(sessions, expire_invitations, NOON + 99 * DAY)

    assert [event.audience for event in await announced(sessions)] == [EVERYONE, EVERYONE]


async def test_while_a_project_rests_time_passes_but_nobody_is_reminded(
    sessions: Sessions,
) -> None:
    scene = working()
    asked(scene)
    scene.announce("seoul", date(2026, 7, 1))
    scene.project.suspend("Election", by=scene.as_("tokyo"), at=NOON)
    await scene.store(sessions)

    await at(sessions, remind_invited_members, NOON + 29 * DAY)
    await at(sessions, expire_invitations, NOON + 99 * DAY)
    await at(sessions, end_announced_participations, NOON + 99 * DAY)

    assert await types(sessions) == ["expired.v1", "withdrawn.v1"]


async def test_in_a_project_that_is_over_nothing_changes(sessions: Sessions) -> None:
    scene = working()
    asked(scene)
    scene.announce("seoul", date(2026, 7, 1))
    scene.project.cancel("No", by=scene.as_("tokyo"), at=NOON)
    await scene.store(sessions)

    for tick in (remind_invited_members, expire_invitations, end_announced_participations):
        await at(sessions, tick, NOON + 29 * DAY)
        await at(sessions, tick, NOON + 99 * DAY)

    assert await types(sessions) == []


async def test_what_somebody_is_answering_waits_for_the_next_time(sessions: Sessions) -> None:
    scene = working()
    invitation = asked(scene)
    await scene.store(sessions)
    late = NOON + 99 * DAY

    async with sessions.begin() as other:
        await other.get(Participation, invitation.id, with_for_update=True)
        await at(sessions, expire_invitations, late)
        meanwhile = await types(sessions)
    await at(sessions, expire_invitations, late)

    assert meanwhile == []
    assert await types(sessions) == ["expired.v1"]


async def test_many_are_ended_a_hundred_at_a_time(sessions: Sessions) -> None:
    scenes = [Scene(reference=f"project-{number}").propose() for number in range(26)]
    for scene in scenes:
        for member in ("seoul", "paris", "delhi", "jakarta"):
            asked(scene, member)
        await scene.store(sessions)

    more = [
        await at(sessions, expire_invitations, NOON + 99 * DAY),
        await at(sessions, expire_invitations, NOON + 99 * DAY),
    ]

    assert more == [True, False]
    async with sessions() as session:
        found = await session.scalars(
            select(Participation).where(Participation.status == "expired")
        )
        assert len(found.all()) == 104


def test_the_worker_looks_after_places() -> None:
    assert {
        "invitations-to-remind",
        "invitations-to-expire",
        "participations-to-end",
    } <= {timer.name for timer in WORKER.timers}


# Over HTTP, where the clock is the real one: long after NOON.


@pytest.mark.parametrize("verb", ["acceptance", "declination"])
async def test_a_late_answer_is_refused_although_nobody_has_noted_the_end(
    cities: Cities, sessions: Sessions, verb: str
) -> None:
    scene = working()
    invitation = asked(scene)
    await scene.store(sessions)
    here = f"/participations/{invitation.id}"

    shown = await cities.get("delhi", here)
    refused = await cities.call("delhi", "POST", f"{here}/{verb}", {})

    assert shown["status"] == "invited"
    assert shown["allowed_actions"] == []
    assert refused.status_code == 409
    assert refused.json()["type"] == "/problems/invitation-expired"
    assert await announced(sessions) == []
    assert (await stored(sessions, invitation)).version == 1


async def test_the_lead_says_until_when_and_gives_more_time(
    cities: Cities, sessions: Sessions
) -> None:
    scene = await working().store(sessions)
    body = {"member": "delhi", "answer_by_on": "2098-03-31", "time_zone": "Asia/Tokyo"}
    more = {"answer_by_on": "2098-04-30", "time_zone": "Asia/Tokyo"}

    invited = await cities.do("tokyo", "POST", f"/projects/{scene.project.id}/participations", body)
    here = f"/participations/{invited['id']}"
    stale = await cities.call("tokyo", "POST", f"{here}/extension", more, match='"7"')
    blind = await cities.call("tokyo", "POST", f"{here}/extension", more, match=None)
    extended = await cities.call("tokyo", "POST", f"{here}/extension", more, match='"1"')

    assert invited["answer_by_at"] == "2098-03-31T15:00:00Z"
    assert invited["allowed_actions"] == ["extend", "revoke"]
    assert [stale.status_code, blind.status_code, extended.status_code] == [412, 428, 200]
    assert extended.json()["answer_by_at"] == "2098-04-30T15:00:00Z"
    assert extended.headers["etag"] == '"2"'
    assert await types(sessions) == ["invited.v1", "invitation_extended.v1"]


async def test_an_invitation_without_a_day_waits_for_a_month_of_the_invited_member(
    cities: Cities, sessions: Sessions
) -> None:
    scene = await working().store(sessions)

    invited = await cities.do(
        "tokyo", "POST", f"/projects/{scene.project.id}/participations", {"member": "delhi"}
    )

    asked_at = datetime.fromisoformat(invited["invited_at"])
    end = datetime.fromisoformat(invited["answer_by_at"])
    assert invited["time_zone"] == "Asia/Kolkata"
    assert 30 * DAY < end - asked_at <= 31 * DAY


async def test_who_is_no_longer_invited_sees_no_more(cities: Cities, sessions: Sessions) -> None:
    scene = await working().store(sessions)
    here = f"/participations/{scene.participations['paris'].id}"

    revoked = await cities.do("tokyo", "POST", f"{here}/revocation", {"note": "Too early."})
    gone = await cities.call("paris", "GET", here)
    again = await cities.do(
        "tokyo", "POST", f"/projects/{scene.project.id}/participations", {"member": "paris"}
    )

    assert (revoked["status"], revoked["withdrawn_by"]) == ("withdrawn", "lead")
    assert gone.status_code == 404
    assert again["status"] == "invited"
    event, _ = await announced(sessions)
    assert event.type == "renkei.participation.invitation_revoked.v1"
    assert event.audience == ("paris", "seoul", "tokyo")


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({"answer_by_on": "2026-05-04"}, "answer-time-past"),
        ({"answer_by_on": "2026-05-04", "time_zone": "Asia/Tokyo"}, "answer-time-past"),
        ({"answer_by_on": "2098-02-30"}, "invalid-request"),
        ({"answer_by_on": "2300-01-01"}, "invalid-request"),
        ({"answer_by_on": 20980101}, "invalid-request"),
        ({"time_zone": "Tokyo"}, "invalid-request"),
        ({"time_zone": "../etc/passwd"}, "invalid-request"),
    ],
    ids=str,
)
async def test_an_odd_time_to_answer_is_refused(
    cities: Cities, sessions: Sessions, body: dict[str, object], code: str
) -> None:
    scene = await working().store(sessions)

    refused = await cities.call(
        "tokyo",
        "POST",
        f"/projects/{scene.project.id}/participations",
        {"member": "delhi"} | body,
    )

    assert refused.status_code == 422
    assert refused.json()["type"] == f"/problems/{code}"
    assert await announced(sessions) == []


async def test_an_answer_and_a_revocation_at_once_leave_one_of_them(
    cities: Cities, sessions: Sessions
) -> None:
    scene = await working().store(sessions)
    here = f"/participations/{scene.participations['paris'].id}"

    answers = await asyncio.gather(
        cities.call("paris", "POST", f"{here}/acceptance", {}),
        cities.call("tokyo", "POST", f"{here}/revocation", {}),
    )

    codes = [answer.status_code for answer in answers]
    assert codes in ([200, 409], [404, 200])
    assert len(await announced(sessions)) == 1
