"""Who may let a calendar program read what is due, what it reads, and when that ends."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final
from uuid import UUID

import pytest
import vobject
from httpx2 import AsyncClient, Response
from sqlalchemy import func, select, text

from services.projects.model.answer_time import answer_time
from services.projects.model.calendar_feed import CalendarFeed
from services.projects.model.milestone import Milestone
from services.projects.queries.everything import all_states
from shared.actor import Actor
from shared.clock import utc_now
from shared.contracts.members import (
    ClientRevoked,
    ClientState,
    MembershipStatus,
    MemberSuspended,
    OfficialBlocked,
    OfficialChanged,
    OfficialErased,
    OfficialEvent,
    OfficialStatus,
)
from shared.database import Sessions
from shared.messaging.tables import RememberedAnswer
from shared.telemetry import without_secrets
from tests.conftest import Database
from tests.projects.conftest import Cities, announced
from tests.projects.scenes import NOON, Scene, working
from tests.projects.test_copies import about, deliver
from tests.projects.test_people import COORDINATING, call, ended, official
from tests.projects.test_speed import statements
from tests.web import ISSUER, api

MEMBER: Final = {"kind": "member"}
SOON: Final = utc_now().date() + timedelta(days=30)


@dataclass
class Program:
    """A calendar program: it knows an address and no credential."""

    client: AsyncClient

    async def read(self, url: str, known: str | None = None) -> Response:
        assert url.startswith(f"{ISSUER}/calendar-feeds/rkc_")
        return await self.client.get(url, headers={"If-None-Match": known} if known else {})

    async def titles(self, url: str) -> list[str]:
        response = await self.read(url)
        assert response.status_code == 200, response.text
        events = vobject.readOne(response.text).contents.get("vevent", [])
        return [event.summary.value for event in events]


@pytest.fixture
async def program(cities: Cities) -> AsyncIterator[Program]:
    async with api(cities.app) as client:
        yield Program(client)


async def feed_of(cities: Cities, member: str, body: dict[str, Any] = MEMBER) -> str:
    return str((await cities.do(member, "POST", "/calendar-feeds", body))["url"])


async def feed_of_official(cities: Cities, body: dict[str, Any]) -> str:
    response = await call(cities, "POST", "/calendar-feeds", body)
    assert response.status_code == 201, response.text
    return str(response.json()["url"])


def ensure_gone(response: Response) -> None:
    """Nothing tells why: only the address in the answer is that of the question."""
    problem = response.json()
    assert response.status_code == 404
    assert response.headers["content-type"] == "application/problem+json"
    assert response.headers["cache-control"] == "no-store"
    assert "etag" not in response.headers
    assert problem.pop("instance").startswith("/calendar-feeds/")
    assert problem == {
        "type": "/problems/calendar-feed-not-found",
        "title": "There is no such calendar feed",
        "status": 404,
        "detail": "Ask for a new one if it was yours.",
    }


def end_invitation_soon(scene: Scene) -> None:
    """Let the invitation of Paris end within the years that a calendar looks ahead."""
    scene.participations["paris"]._give_time(answer_time(SOON, "Europe/Paris", at=NOON))


def busy(visibility: Any = "participants") -> Scene:
    """Of four milestones Tokyo owes one, Seoul another and a part of a third."""
    scene = working(visibility)
    for number, accountable in enumerate(["tokyo", "seoul", "tokyo", "tokyo"]):
        milestone = scene.plan(accountable, due_on=SOON + timedelta(days=number))
        milestone.title = {"en": f"Step {number}", "ja": f"段階{number}"}
    scene.ask(scene.milestones[2], "seoul")
    return scene


async def test_a_feed_shows_its_address_once(cities: Cities, sessions: Sessions) -> None:
    made = await cities.call("seoul", "POST", "/calendar-feeds", MEMBER)

    feed = made.json()
    token = feed["url"].removeprefix(f"{ISSUER}/calendar-feeds/").removesuffix(".ics")
    assert made.status_code == 201
    assert made.headers["location"] == f"/api/v1/calendar-feeds/{feed['id']}"
    assert made.headers["etag"] == '"1"'
    assert len(token) == len("rkc_") + 43  # 256 bits
    shown = {name: value for name, value in feed.items() if name != "url"}
    assert shown == {
        "version": 1,
        "id": feed["id"],
        "member": "seoul",
        "official_id": None,
        "kind": "member",
        "project_id": None,
        "language": "en",
        "status": "active",
        "created_at": feed["created_at"],
        "updated_at": feed["created_at"],
        "allowed_actions": ["revoke"],
    }
    assert await cities.get("seoul", f"/calendar-feeds/{feed['id']}") == shown
    assert (await cities.get("seoul", "/calendar-feeds"))["items"] == [shown]
    [event] = await announced(sessions)
    assert (event.type, event.audience) == ("renkei.calendar_feed.created.v1", ("seoul",))
    assert token not in event.model_dump_json()
    async with sessions() as session:
        kept = await session.scalar(select(CalendarFeed))
        states = await all_states(session)
    assert kept is not None
    assert token.encode() not in kept.token_hash
    assert token not in str(states["calendar_feed"])


async def test_a_feed_asked_for_again_is_the_same_and_its_address_is_kept_sealed(
    cities: Cities, sessions: Sessions
) -> None:
    first = await cities.call("seoul", "POST", "/calendar-feeds", MEMBER, key="once")
    again = await cities.call("seoul", "POST", "/calendar-feeds", MEMBER, key="once")

    assert first.json() == again.json()
    assert again.headers["idempotency-replayed"] == "true"
    async with sessions() as session:
        assert await session.scalar(select(func.count()).select_from(CalendarFeed)) == 1
        remembered = await session.scalar(select(RememberedAnswer.body))
    assert remembered is not None
    assert b"rkc_" not in remembered


async def test_the_duties_of_an_official_are_what_the_member_owes(
    database: Database, cities: Cities, sessions: Sessions, program: Program
) -> None:
    scene = busy()
    await scene.store(sessions)
    await deliver(database, official(1, COORDINATING))

    url = await feed_of_official(cities, {"kind": "official", "language": "ja"})

    assert await program.titles(url) == [
        "段階0 (clean-air)",
        "段階2 (clean-air)",
        "段階3 (clean-air)",
    ]


async def test_a_member_reads_what_is_due_in_its_projects(
    cities: Cities, sessions: Sessions, program: Program
) -> None:
    await busy("network").store(sessions)
    every = [f"Step {number} (clean-air)" for number in range(4)]

    found = {
        member: await program.titles(await feed_of(cities, member))
        for member in ("tokyo", "seoul", "paris", "berlin", "delhi")
    }

    # Paris is invited; Berlin declined and Delhi is a stranger, although both may see the project.
    assert found == {"tokyo": every, "seoul": every, "paris": every, "berlin": [], "delhi": []}


async def test_a_project_is_read_by_whoever_may_see_it(
    cities: Cities, sessions: Sessions, program: Program
) -> None:
    scene = await busy("network").store(sessions)
    body = {"kind": "project", "project_id": str(scene.project.id)}

    response = await program.read(await feed_of(cities, "delhi", body))

    assert response.text.count("BEGIN:VEVENT") == 4
    assert "X-WR-CALNAME:Renkei: Clean air\r\n" in response.text


async def test_a_feed_of_a_project_that_one_may_not_see_is_not_made(
    cities: Cities, sessions: Sessions
) -> None:
    scene = await busy().store(sessions)
    body = {"kind": "project", "project_id": str(scene.project.id)}

    response = await cities.call("delhi", "POST", "/calendar-feeds", body)

    assert response.status_code == 404
    assert response.json()["type"] == "/problems/project-not-found"
    assert await announced(sessions) == []


async def test_no_feed_shows_what_its_member_may_not_see(
    cities: Cities, sessions: Sessions, program: Program
) -> None:
    hidden = Scene(reference="secret-draft")
    hidden.propose()
    hidden.plan(due_on=SOON)
    await hidden.store(sessions)
    await busy().store(sessions)

    assert await program.titles(await feed_of(cities, "delhi")) == []
    assert "secret" not in str(await program.titles(await feed_of(cities, "seoul")))
    assert "Sensors placed (secret-draft)" in await program.titles(await feed_of(cities, "tokyo"))


async def test_who_leaves_a_project_reads_it_no_longer(
    cities: Cities, sessions: Sessions, program: Program
) -> None:
    scene = await busy().store(sessions)
    here = {"kind": "project", "project_id": str(scene.project.id)}
    of_member, of_project = await feed_of(cities, "seoul"), await feed_of(cities, "seoul", here)
    assert len(await program.titles(of_project)) == 4
    place = scene.participations["seoul"].id

    await cities.do("seoul", "POST", f"/participations/{place}/withdrawal", {"note": "Enough."})

    assert await program.titles(of_member) == []
    ensure_gone(await program.read(of_project))


async def test_a_revoked_feed_is_gone_at_once_and_for_good(
    cities: Cities, sessions: Sessions, program: Program
) -> None:
    made = await cities.do("seoul", "POST", "/calendar-feeds", MEMBER)
    path = f"/calendar-feeds/{made['id']}"

    stale = await cities.call("seoul", "DELETE", path, match='"2"')
    missing = await cities.call("seoul", "DELETE", path, match=None)
    revoked = await cities.call("seoul", "DELETE", path, match='"1"')
    again = await cities.call("seoul", "DELETE", path)

    assert [each.status_code for each in (stale, missing, revoked, again)] == [412, 428, 204, 409]
    ensure_gone(await program.read(made["url"]))
    assert (await cities.get("seoul", "/calendar-feeds"))["items"] == []
    assert (await cities.get("seoul", path))["status"] == "revoked"
    assert (await cities.get("seoul", path))["allowed_actions"] == []
    assert [event.type for event in await announced(sessions)] == [
        "renkei.calendar_feed.created.v1",
        "renkei.calendar_feed.revoked.v1",
    ]


@pytest.mark.parametrize(
    "token", ["rkc_" + "A" * 43, "x", "%00", "rkc_%F0%9F%8F%99", "." * 300, "%ED%A0%80"]
)
async def test_an_address_that_was_never_given_looks_like_one_that_was_revoked(
    program: Program, token: str
) -> None:
    ensure_gone(await program.client.get(f"/calendar-feeds/{token}.ics"))


async def test_nobody_sees_or_revokes_the_feeds_of_others(
    database: Database, cities: Cities, program: Program
) -> None:
    await deliver(database, official(1, COORDINATING))
    url = await feed_of_official(cities, {"kind": "official"})
    [feed] = (await call(cities, "GET", "/calendar-feeds")).json()["items"]
    path = f"/calendar-feeds/{feed['id']}"

    # A machine of the same member, and another member.
    for other in ("tokyo", "seoul"):
        assert (await cities.get(other, "/calendar-feeds"))["items"] == []
        assert (await cities.call(other, "GET", path)).status_code == 404
        assert (await cities.call(other, "DELETE", path)).status_code == 404
    assert (await program.read(url)).status_code == 200


OFFICIAL_ENDS: Final[list[tuple[tuple[str, ...], OfficialStatus, type[OfficialEvent]]]] = [
    ((), "blocked", OfficialBlocked),
    ((), "erased", OfficialErased),
    (("members:read",), "active", OfficialChanged),
]


@pytest.mark.parametrize(("scopes", "status", "kind"), OFFICIAL_ENDS)
@pytest.mark.parametrize("body", [{"kind": "official"}, {"kind": "member"}], ids=str)
async def test_a_feed_ends_with_the_right_of_its_official(
    database: Database,
    cities: Cities,
    program: Program,
    scopes: tuple[str, ...],
    status: OfficialStatus,
    kind: type[OfficialEvent],
    body: dict[str, str],
) -> None:
    await deliver(database, official(1, COORDINATING))
    url = await feed_of_official(cities, body)
    assert (await program.read(url)).status_code == 200

    await deliver(database, official(2, scopes, status=status, kind=kind))

    ensure_gone(await program.read(url))


async def test_a_feed_of_somebody_of_whom_nothing_is_known_shows_nothing(
    database: Database, cities: Cities, program: Program
) -> None:
    url = await feed_of_official(cities, {"kind": "official"})
    ensure_gone(await program.read(url))

    await deliver(database, official(1, COORDINATING))

    assert (await program.read(url)).status_code == 200


@pytest.mark.parametrize("status", ["suspended", "withdrawn"])
async def test_a_feed_ends_with_the_membership(
    database: Database, cities: Cities, program: Program, status: MembershipStatus
) -> None:
    url = await feed_of(cities, "seoul")

    await deliver(database, about(MemberSuspended, "seoul", 2, status))

    ensure_gone(await program.read(url))
    refused = await cities.call("seoul", "POST", "/calendar-feeds", MEMBER)
    assert (refused.status_code, refused.json()["type"]) == (403, "/problems/member-not-active")


async def test_a_suspended_member_reads_again_once_it_is_reinstated(
    database: Database, cities: Cities, program: Program
) -> None:
    url = await feed_of(cities, "seoul")
    await deliver(database, about(MemberSuspended, "seoul", 2, "suspended"))
    ensure_gone(await program.read(url))

    await deliver(database, about(MemberSuspended, "seoul", 3, "active"))

    assert (await program.read(url)).status_code == 200


async def test_a_feed_ends_with_the_machine_that_made_it(
    database: Database, cities: Cities, program: Program
) -> None:
    url = await feed_of(cities, "seoul")
    client = ClientState(
        version=2,
        id="seoul-main",
        member="seoul",
        name="Main",
        scopes=(),
        status="revoked",
        created_at=NOON,
        updated_at=NOON,
    )

    await deliver(
        database, ClientRevoked.about(client, by=Actor.CLOCK, at=NOON, audience=["seoul"])
    )

    ensure_gone(await program.read(url))


async def test_a_feed_outlives_the_session_in_which_it_was_made(
    database: Database, cities: Cities, program: Program
) -> None:
    await deliver(database, official(1, COORDINATING))
    url = await feed_of_official(cities, {"kind": "official"})

    await deliver(database, ended())

    assert (await program.read(url)).status_code == 200


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        ({}, 422, "invalid-request"),
        ({"kind": "everything"}, 422, "invalid-request"),
        ({"kind": "project"}, 422, "invalid-request"),
        ({"kind": "member", "project_id": str(UUID(int=1))}, 422, "invalid-request"),
        ({"kind": "member", "language": "japanese"}, 422, "invalid-request"),
        ({"kind": "member", "member": "seoul"}, 422, "invalid-request"),
        ({"kind": "project", "project_id": str(UUID(int=1))}, 404, "project-not-found"),
        ({"kind": "official"}, 403, "only-people-have-duties"),
    ],
)
async def test_a_wish_that_makes_no_sense_makes_no_feed(
    cities: Cities, sessions: Sessions, body: dict[str, str], status: int, code: str
) -> None:
    response = await cities.call("seoul", "POST", "/calendar-feeds", body)

    assert (response.status_code, response.json()["type"]) == (status, f"/problems/{code}")
    assert await announced(sessions) == []


async def test_who_may_not_read_projects_makes_no_feed(cities: Cities) -> None:
    response = await cities.call(
        "seoul", "POST", "/calendar-feeds", MEMBER, scopes="members:read members:write"
    )

    assert (response.status_code, response.json()["type"]) == (403, "/problems/missing-scope")


async def test_nobody_has_more_than_twenty_feeds(cities: Cities, sessions: Sessions) -> None:
    for _ in range(19):
        await cities.do("seoul", "POST", "/calendar-feeds", MEMBER)

    answers = await asyncio.gather(
        *(cities.call("seoul", "POST", "/calendar-feeds", MEMBER) for _ in range(3))
    )

    assert sorted(answer.status_code for answer in answers) == [201, 409, 409]
    assert len(await announced(sessions)) == 20
    assert (await cities.call("paris", "POST", "/calendar-feeds", MEMBER)).status_code == 201


async def test_what_has_not_changed_is_not_sent_again(
    cities: Cities, sessions: Sessions, program: Program
) -> None:
    scene = await busy().store(sessions)
    url = await feed_of(cities, "seoul")

    first = await program.read(url)
    tag = first.headers["etag"]
    same = await program.read(url, tag)
    milestone = f"/milestones/{scene.milestones[0].id}"
    await cities.do("tokyo", "PATCH", milestone, {"title": {"en": "Another step"}})
    changed = await program.read(url, tag)

    assert first.headers["content-type"] == "text/calendar; charset=utf-8"
    assert first.headers["cache-control"] == "private, max-age=300"
    assert first.headers["content-disposition"] == 'inline; filename="renkei.ics"'
    assert (same.status_code, same.content, same.headers["etag"]) == (304, b"", tag)
    assert changed.status_code == 200
    assert changed.headers["etag"] != tag
    assert "SUMMARY:Another step (clean-air)\r\n" in changed.text
    assert "SEQUENCE:2\r\n" in changed.text


async def test_a_feed_holds_what_is_near(
    cities: Cities, sessions: Sessions, program: Program
) -> None:
    scene = working()
    today = utc_now().date()
    for days in (-100, -80, 0, 5 * 365 - 2, 5 * 365 + 2):
        scene.plan(due_on=today + timedelta(days=days)).title = {"en": f"In {days}"}
    long_cancelled = scene.plan(due_on=today)
    long_cancelled.cancel("Not needed.", by=scene.as_("tokyo"), at=utc_now() - timedelta(days=91))
    cancelled = scene.plan(due_on=SOON)
    cancelled.cancel("Not needed.", by=scene.as_("tokyo"), at=utc_now())
    await scene.store(sessions)

    assert await program.titles(await feed_of(cities, "tokyo")) == [
        "In -80 (clean-air)",
        "In 0 (clean-air)",
        "Cancelled: Sensors placed (clean-air)",
        "In 1823 (clean-air)",
    ]


async def test_a_feed_of_two_thousand_milestones_is_read_with_five_questions(
    cities: Cities, sessions: Sessions, program: Program, database: Database
) -> None:
    scene = working()
    scene.plan(due_on=SOON)
    await scene.store(sessions)
    names = ", ".join(
        column.name for column in Milestone.__table__.columns if column.name not in {"id", "due_at"}
    )
    async with sessions.begin() as session:
        await session.execute(
            text(
                f"INSERT INTO milestone (id, due_at, {names})"  # noqa: S608 -- our own columns
                f" SELECT gen_random_uuid(), due_at + n * interval '1 hour', {names}"
                " FROM milestone, generate_series(1, 2009) AS n"
            )
        )
    url = await feed_of(cities, "tokyo")

    with statements(database) as asked:
        response = await program.read(url)

    assert response.text.count("BEGIN:VEVENT") == 2_000
    assert len(asked) == 5  # feed and maker, and one of each kind of entries


async def test_decisions_and_invitations_are_read_by_those_that_they_ask(
    database: Database, cities: Cities, sessions: Sessions, program: Program
) -> None:
    scene = working("network")
    end_invitation_soon(scene)
    scene.put("unanimity", "tokyo", "seoul", closes_on=SOON).title = {"en": "All?"}
    scene.put("unanimity", "seoul", closes_on=SOON + timedelta(days=1)).title = {"en": "Seoul?"}
    await scene.store(sessions)
    await deliver(database, official(1, COORDINATING))
    all_asked = "Decision closes: All? (clean-air)"
    seoul_asked = "Decision closes: Seoul? (clean-air)"
    invitation = "Invitation of Paris ends: Clean air (clean-air)"

    of_members = {
        member: await program.titles(await feed_of(cities, member))
        for member in ("tokyo", "seoul", "paris", "delhi")
    }
    of_official = await program.titles(await feed_of_official(cities, {"kind": "official"}))
    here = {"kind": "project", "project_id": str(scene.project.id)}
    of_project = await program.titles(await feed_of(cities, "delhi", here))

    assert of_members == {
        "tokyo": [all_asked],
        "seoul": [all_asked, seoul_asked],
        "paris": [invitation],
        "delhi": [],
    }
    assert of_official == [all_asked]
    assert of_project == [all_asked, invitation, seoul_asked]


async def test_what_waits_for_no_answer_any_more_leaves_the_calendar(
    cities: Cities, sessions: Sessions, program: Program
) -> None:
    scene = working()
    end_invitation_soon(scene)
    rejected, withdrawn, counted_out = (
        scene.put("unanimity", "tokyo", "seoul", closes_on=SOON) for _ in range(3)
    )
    rejected.title = {"en": "Rejected"}
    counted_out.title = {"en": "Counted out"}
    scene.say(rejected, "seoul", position="object")
    rejected.close("rejected", at=NOON)
    withdrawn.withdraw("Settled.", by=scene.as_("tokyo"), at=utc_now())
    counted_out.count_out("seoul", at=NOON)
    await scene.store(sessions)
    of_seoul, of_paris = await feed_of(cities, "seoul"), await feed_of(cities, "paris")
    assert len(await program.titles(of_paris)) == 1

    place = scene.participations["paris"].id
    await cities.do("paris", "POST", f"/participations/{place}/acceptance", {})

    assert await program.titles(of_paris) == []
    assert await program.titles(of_seoul) == ["Cancelled: Decision closes: Go on? (clean-air)"]


async def test_an_invitation_to_what_is_over_is_in_no_calendar(
    cities: Cities, sessions: Sessions, program: Program
) -> None:
    scene = working()
    end_invitation_soon(scene)
    scene.project.cancel("No money.", by=scene.as_("tokyo"), at=NOON)
    await scene.store(sessions)

    assert await program.titles(await feed_of(cities, "paris")) == []


async def test_a_calendar_that_is_read_without_end_is_told_to_wait(
    cities: Cities, program: Program
) -> None:
    url = await feed_of(cities, "tokyo")

    answers = [await program.read(url) for _ in range(21)]  # in two minutes, at worst

    refused = [answer for answer in answers if answer.status_code != 200]
    assert refused
    assert {answer.status_code for answer in refused} == {429}
    assert 1 <= int(refused[0].headers["retry-after"]) <= 60
    assert (await program.read(url, answers[0].headers["etag"])).status_code == 304


async def test_no_log_tells_an_address(cities: Cities) -> None:
    url = await feed_of(cities, "tokyo")

    assert without_secrets(f"GET {url}") == f"GET {ISSUER}/calendar-feeds/….ics"
