"""What officials may do follows their roles, and ends with their session, at once."""

import asyncio
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from httpx2 import Response
from sqlalchemy import select

from services.projects.model.known import KnownSession
from services.projects.worker import WORKER
from shared.actor import Actor
from shared.contracts.event import Event
from shared.contracts.members import (
    OfficialBlocked,
    OfficialChanged,
    OfficialEvent,
    OfficialState,
    OfficialStatus,
    OfficialUnblocked,
    SessionEnded,
    SessionState,
)
from shared.database import Sessions
from shared.identifiers import new_id
from tests.conftest import Database
from tests.projects.conftest import Cities, announced
from tests.projects.scenes import NOON, Scene, working
from tests.projects.test_copies import NEW_PROJECT, deliver
from tests.projects.test_speed import statements
from tests.web import api, person_token

READING = ("projects:read",)
COORDINATING = ("projects:read", "projects:contribute", "projects:write")
OFFICIAL, SESSION = new_id(), new_id()


def official(
    version: int,
    scopes: tuple[str, ...] = COORDINATING,
    *,
    status: OfficialStatus = "active",
    kind: type[OfficialEvent] = OfficialChanged,
) -> OfficialEvent:
    state = OfficialState(
        version=version,
        id=OFFICIAL,
        member="tokyo",
        function={"en": "Coordinator, Tokyo"},
        name=None,
        email=None,
        language="ja",
        roles=("coordinator",),
        scopes=scopes,
        status=status,
        created_at=NOON,
        updated_at=NOON,
    )
    return kind.about(state, by=Actor.CLOCK, at=NOON, audience=["tokyo"])


def ended(session_id: UUID = SESSION) -> SessionEnded:
    state = SessionState(
        version=1,
        id=session_id,
        member="tokyo",
        official_id=OFFICIAL,
        client_id="tokyo-portal",
        ended_at=NOON,
        good_until=NOON + timedelta(minutes=10),
    )
    return SessionEnded.about(state, by=Actor.CLOCK, at=NOON, audience=["tokyo"])


async def call(
    cities: Cities, method: str, path: str, body: Any = None, *, key: str | None = None
) -> Response:
    """Send what Tokyo's official sends in a session that covers everything."""
    async with api(cities.app) as client:
        bearer = person_token("tokyo", OFFICIAL, session_id=SESSION)
        return await client.request(
            method,
            f"/api/v1{path}",
            json=body,
            headers={"Authorization": f"Bearer {bearer}", "If-Match": "*"}
            | ({} if key is None else {"Idempotency-Key": key}),
        )


async def everything(cities: Cities, scene: Scene) -> list[Response]:
    """Answers to reads of every kind, with and without something to be found, and to writes."""
    here = f"/projects/{scene.project.id}"
    return [
        await call(cities, "GET", here),
        await call(cities, "GET", f"/projects/{new_id()}"),
        await call(cities, "GET", "/projects"),
        await call(cities, "GET", "/projects?status=cancelled"),
        await call(cities, "GET", f"{here}/participations"),
        await call(cities, "GET", f"{here}/participations?status=withdrawn"),
        await call(cities, "GET", "/participations?status=withdrawn"),
        await call(cities, "GET", f"/participations/{new_id()}"),
        await call(cities, "GET", f"{here}/milestones"),
        await call(cities, "GET", f"{here}/milestones?status=cancelled"),
        await call(cities, "GET", "/milestones?status=cancelled"),
        await call(cities, "GET", f"/milestones/{scene.milestones[0].id}"),
        await call(cities, "GET", f"/milestones/{new_id()}"),
        await call(cities, "GET", f"{here}/comments"),
        await call(cities, "GET", f"/milestones/{scene.milestones[0].id}/comments"),
        await call(cities, "GET", f"/comments/{new_id()}"),
        await call(cities, "GET", f"/comments/{new_id()}/versions"),
        await call(cities, "GET", f"{here}/activity"),
        await call(cities, "GET", "/obligations"),
        await call(cities, "GET", "/obligations?member=seoul"),
        await call(cities, "POST", f"{here}/comments", {"text": {"en": "May?"}}),
        await call(cities, "PATCH", here, {"title": {"en": "Air"}}),
        await call(cities, "POST", f"/milestones/{scene.milestones[0].id}/start"),
        await call(cities, "POST", "/projects", NEW_PROJECT),
    ]


@pytest.fixture
async def scene(sessions: Sessions) -> Scene:
    scene = working()
    scene.plan()
    return await scene.store(sessions)


async def test_an_official_may_do_what_the_roles_cover(
    database: Database, cities: Cities, scene: Scene
) -> None:
    await deliver(database, official(1, COORDINATING))

    changed = await call(cities, "PATCH", f"/projects/{scene.project.id}", {"title": {"en": "Air"}})

    assert changed.status_code == 200
    assert changed.json()["title"] == {"en": "Air"}


async def test_a_lost_role_is_lost_although_the_token_covers_it(
    database: Database, cities: Cities, scene: Scene, sessions: Sessions
) -> None:
    await deliver(database, official(1, COORDINATING))
    await deliver(database, official(2, READING))

    seen = await call(cities, "GET", f"/projects/{scene.project.id}")
    refused = await call(cities, "PATCH", f"/projects/{scene.project.id}", {"title": {"en": "Air"}})

    assert (seen.status_code, seen.json()["allowed_actions"]) == (200, [])
    assert refused.status_code == 403
    assert refused.json()["type"] == "/problems/missing-scope"
    assert await announced(sessions) == []


async def test_who_has_no_role_left_reads_nothing(
    database: Database, cities: Cities, scene: Scene
) -> None:
    await deliver(database, official(1, ()))

    answers = await everything(cities, scene)

    assert {answer.status_code for answer in answers} == {403}
    assert {answer.json()["type"] for answer in answers} == {"/problems/missing-scope"}


@pytest.mark.parametrize("status", ["blocked", "erased"])
async def test_an_official_who_may_not_act_can_do_nothing(
    database: Database, cities: Cities, scene: Scene, sessions: Sessions, status: OfficialStatus
) -> None:
    await deliver(database, official(2, (), status=status, kind=OfficialBlocked))

    answers = await everything(cities, scene)
    machine = await cities.call("tokyo", "GET", f"/projects/{scene.project.id}")

    assert {answer.status_code for answer in answers} == {401}
    assert {answer.json()["type"] for answer in answers} == {"/problems/unauthenticated"}
    assert machine.status_code == 200
    assert await announced(sessions) == []


async def test_an_unblocked_official_goes_on(
    database: Database, cities: Cities, scene: Scene
) -> None:
    await deliver(database, official(2, (), status="blocked", kind=OfficialBlocked))
    await deliver(database, official(3, COORDINATING, kind=OfficialUnblocked))

    answer = await call(cities, "GET", f"/projects/{scene.project.id}")

    assert answer.status_code == 200


async def test_an_ended_session_can_do_nothing(
    database: Database, cities: Cities, scene: Scene, sessions: Sessions
) -> None:
    await deliver(database, official(1))
    await deliver(database, ended())

    answers = await everything(cities, scene)

    assert {answer.status_code for answer in answers} == {401}
    assert {answer.json()["type"] for answer in answers} == {"/problems/unauthenticated"}
    assert await announced(sessions) == []


@pytest.mark.parametrize("fact", [ended(), official(2, (), status="blocked")], ids=["end", "block"])
async def test_who_may_not_act_any_more_gets_no_remembered_answer(
    database: Database, cities: Cities, sessions: Sessions, fact: Event[Any]
) -> None:
    first = await call(cities, "POST", "/projects", NEW_PROJECT, key="quiet")
    again = await call(cities, "POST", "/projects", NEW_PROJECT, key="quiet")
    await deliver(database, fact)

    refused = await call(cities, "POST", "/projects", NEW_PROJECT, key="quiet")

    assert (first.status_code, again.status_code) == (201, 201)
    assert again.headers["Idempotency-Replayed"] == "true"
    assert (refused.status_code, refused.json()["type"]) == (401, "/problems/unauthenticated")
    assert len(await announced(sessions)) == 1


async def test_another_session_of_the_same_official_goes_on(
    database: Database, cities: Cities, scene: Scene
) -> None:
    await deliver(database, ended(new_id()))

    answer = await call(cities, "GET", f"/projects/{scene.project.id}")

    assert answer.status_code == 200


async def test_an_official_of_whom_nothing_is_known_yet_is_believed(
    cities: Cities, scene: Scene
) -> None:
    answer = await call(cities, "GET", f"/projects/{scene.project.id}")

    assert answer.status_code == 200


async def test_rights_are_asked_for_in_the_statement_of_the_read(
    database: Database, cities: Cities, scene: Scene
) -> None:
    await deliver(database, official(1))

    with statements(database) as asked:
        answer = await call(cities, "GET", f"/projects/{scene.project.id}")
        await asyncio.sleep(0)  # the driver tells in the next turn of the loop

    assert answer.status_code == 200
    assert len(asked) == 1


async def test_a_session_is_forgotten_once_none_of_its_tokens_could_be_good(
    database: Database, sessions: Sessions
) -> None:
    [forget] = [timer for timer in WORKER.timers if timer.name == "forget-sessions"]
    old, recent = new_id(), new_id()
    await deliver(database, ended(old))
    await deliver(database, ended(recent))
    async with sessions.begin() as session:
        found = await session.get_one(KnownSession, recent)
        found.good_until += timedelta(hours=1)

    async with sessions.begin() as session:
        more = await forget.run(session, NOON + timedelta(minutes=11))

    async with sessions() as session:
        left = (await session.scalars(select(KnownSession.id))).all()
    assert more is False
    assert left == [recent]
