"""What officials may do follows their roles, and ends with their session, at once."""

from datetime import timedelta
from uuid import UUID

import pytest
from fastapi import FastAPI
from httpx2 import AsyncClient, Response
from sqlalchemy import select

from services.notifications.model.inbox_item import InboxItem
from services.notifications.model.known import KnownSession
from services.notifications.worker import WORKER
from shared.contracts.members import MemberSuspended, OfficialBlocked
from shared.contracts.projects import ParticipationInvited
from shared.identifiers import new_id
from shared.messaging.tables import OutboxMessage
from tests.conftest import Database
from tests.notifications.hearing import (
    Ears,
    at,
    ended_session,
    member,
    official,
    participation,
    project,
)
from tests.web import SCOPES, api, person_token

OFFICIAL, SESSION = new_id(), new_id()
HARBOUR = new_id()
ADMINISTERING = ("notifications:read", "notifications:write")
ENDPOINT = {"url": "https://hooks.seoul.example/renkei", "event_types": ["renkei.inbox_item.*"]}


@pytest.fixture(autouse=True)
async def told(ears: Ears) -> None:
    """Seoul's coordinator has been invited to a project."""
    await ears.hear(member("tokyo"), member("seoul"), official(OFFICIAL, "seoul", "coordinator"))
    await ears.hear(project(HARBOUR, audience=["tokyo"]))
    await ears.hear(participation(HARBOUR, "seoul", status="invited", kind=ParticipationInvited))


@pytest.fixture
def person(app: FastAPI) -> AsyncClient:
    """Seoul's official, in a session that covers everything."""
    return as_person(app, SESSION)


def as_person(app: FastAPI, session_id: UUID, scopes: str = SCOPES) -> AsyncClient:
    client = api(app)
    bearer = person_token("seoul", OFFICIAL, scopes, session_id=session_id)
    client.headers["Authorization"] = f"Bearer {bearer}"
    return client


async def the_item(database: Database) -> InboxItem:
    async with database.sessions() as session:
        return (await session.scalars(select(InboxItem))).one()


async def everything(client: AsyncClient, item: InboxItem) -> list[Response]:
    return [
        await client.get("/api/v1/inbox"),
        await client.get(f"/api/v1/inbox/{item.id}"),
        await client.patch(
            f"/api/v1/inbox/{item.id}", json={"is_read": True}, headers={"If-Match": "*"}
        ),
        await client.get("/api/v1/webhook-endpoints"),
        await client.get(f"/api/v1/webhook-endpoints/{new_id()}"),
        await client.post("/api/v1/webhook-endpoints", json=ENDPOINT),
    ]


async def announced(database: Database) -> list[str]:
    async with database.sessions() as session:
        return list(await session.scalars(select(OutboxMessage.subject)))


async def test_people_mark_their_own_inbox_without_the_scope_of_machines(
    app: FastAPI, database: Database
) -> None:
    client = as_person(app, SESSION, "notifications:read")
    item = await the_item(database)

    offered = await client.get(f"/api/v1/inbox/{item.id}")
    marked = await client.patch(
        f"/api/v1/inbox/{item.id}", json={"is_read": True}, headers={"If-Match": "*"}
    )

    assert offered.json()["allowed_actions"] == ["mark_read"]
    assert (marked.status_code, marked.json()["is_read"]) == (200, True)


async def test_a_machine_that_only_reads_marks_nothing(app: FastAPI, database: Database) -> None:
    client = api(app, "seoul", "notifications:read")
    item = await the_item(database)

    offered = await client.get(f"/api/v1/inbox/{item.id}")
    refused = await client.patch(
        f"/api/v1/inbox/{item.id}", json={"is_read": True}, headers={"If-Match": "*"}
    )

    assert offered.json()["allowed_actions"] == []
    assert refused.json()["type"] == "/problems/missing-scope"
    assert (await the_item(database)).is_read is False


async def test_people_of_a_suspended_member_mark_nothing(
    person: AsyncClient, ears: Ears, database: Database
) -> None:
    item = await the_item(database)
    await ears.hear(member("seoul", status="suspended", version=2, kind=MemberSuspended))

    refused = await person.patch(
        f"/api/v1/inbox/{item.id}", json={"is_read": True}, headers={"If-Match": "*"}
    )

    assert refused.json()["type"] == "/problems/member-not-active"
    assert (await the_item(database)).is_read is False


async def test_only_who_administers_makes_endpoints(
    person: AsyncClient, ears: Ears, database: Database
) -> None:
    refused = await person.post("/api/v1/webhook-endpoints", json=ENDPOINT)
    before = await announced(database)
    await ears.hear(official(OFFICIAL, "seoul", "administrator", scopes=ADMINISTERING, version=2))
    made = await person.post("/api/v1/webhook-endpoints", json=ENDPOINT)

    assert refused.json()["type"] == "/problems/missing-scope"
    assert before == []
    assert made.status_code == 201


async def test_who_has_no_role_left_reads_nothing(
    person: AsyncClient, ears: Ears, database: Database
) -> None:
    item = await the_item(database)
    await ears.hear(official(OFFICIAL, "seoul", scopes=(), version=2))

    answers = await everything(person, item)

    # Whether there is an endpoint is said before what may be done with it.
    assert [answer.status_code for answer in answers] == [403, 403, 403, 403, 404, 403]
    assert await announced(database) == []


async def test_a_blocked_official_can_do_nothing(
    person: AsyncClient, ears: Ears, database: Database
) -> None:
    item = await the_item(database)
    await ears.hear(
        official(OFFICIAL, "seoul", scopes=(), status="blocked", version=2, kind=OfficialBlocked)
    )

    answers = await everything(person, item)

    assert {answer.status_code for answer in answers} == {401}
    assert {answer.json()["type"] for answer in answers} == {"/problems/unauthenticated"}
    assert await announced(database) == []


async def test_an_ended_session_can_do_nothing_and_another_goes_on(
    app: FastAPI, person: AsyncClient, ears: Ears, database: Database
) -> None:
    item = await the_item(database)
    await ears.hear(ended_session(SESSION, OFFICIAL, "seoul"))

    answers = await everything(person, item)
    other = await as_person(app, new_id()).get("/api/v1/inbox")

    assert {answer.status_code for answer in answers} == {401}
    assert other.status_code == 200
    assert await announced(database) == []


async def test_a_session_is_forgotten_once_none_of_its_tokens_could_be_good(
    ears: Ears, database: Database
) -> None:
    [forget] = [timer for timer in WORKER.timers if timer.name == "forget-sessions"]
    old, recent = new_id(), new_id()
    await ears.hear(ended_session(old, OFFICIAL, "seoul"), ended_session(recent, OFFICIAL, "seoul"))
    async with database.sessions.begin() as session:
        found = await session.get_one(KnownSession, recent)
        found.good_until += timedelta(hours=1)

    async with database.sessions.begin() as session:
        await forget.run(session, at(11))

    async with database.sessions() as session:
        assert (await session.scalars(select(KnownSession.id))).all() == [recent]
