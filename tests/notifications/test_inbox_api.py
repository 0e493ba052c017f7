"""Inboxes over HTTP: what machines and people of a member may see and mark."""

from uuid import UUID

import pytest
from fastapi import FastAPI
from httpx2 import AsyncClient
from sqlalchemy import select

from services.notifications.model.inbox_item import InboxItem
from shared.contracts.event import CATALOGUE
from shared.contracts.members import MemberSuspended
from shared.contracts.projects import (
    MilestoneCompleted,
    ParticipationDeclined,
    ParticipationInvited,
    ProjectChanged,
    ProjectEvent,
)
from shared.identifiers import new_id
from shared.messaging.tables import OutboxMessage
from tests.conftest import Database
from tests.notifications.hearing import Ears, member, milestone, official, participation, project
from tests.web import api, person_token

TOKYO, SEOUL, COLLEAGUE = new_id(), new_id(), new_id()
HARBOUR, BRIDGE, READINGS = new_id(), new_id(), new_id()


@pytest.fixture(autouse=True)
async def told(ears: Ears) -> None:
    """Seoul's coordinators have been invited to one project and told of a milestone in it."""
    await ears.hear(
        member("tokyo"),
        member("seoul"),
        official(TOKYO, "tokyo", "coordinator"),
        official(SEOUL, "seoul", "coordinator"),
        official(COLLEAGUE, "seoul", "coordinator"),
    )
    await ears.hear(project(HARBOUR, audience=["tokyo"]))
    await ears.hear(
        participation(
            HARBOUR, "seoul", status="invited", kind=ParticipationInvited, participation_id=BRIDGE
        )
    )
    await ears.hear(
        milestone(HARBOUR, READINGS, audience=["seoul", "tokyo"], kind=MilestoneCompleted)
    )


@pytest.fixture
def seoul(app: FastAPI) -> AsyncClient:
    return api(app, "seoul")


def person(app: FastAPI, official_id: UUID, slug: str = "seoul") -> AsyncClient:
    client = api(app)
    client.headers["Authorization"] = f"Bearer {person_token(slug, official_id)}"
    return client


async def an_item(database: Database, official_id: UUID = SEOUL) -> InboxItem:
    async with database.sessions() as session:
        found = await session.scalars(
            select(InboxItem).where(
                InboxItem.official_id == official_id, InboxItem.subject_kind == "participation"
            )
        )
        return found.one()


async def announced(database: Database) -> list[object]:
    async with database.sessions() as session:
        found = await session.scalars(select(OutboxMessage).order_by(OutboxMessage.position))
    return [
        CATALOGUE["renkei.inbox_item." + one.subject.split(".", 4)[4]].received(one.body)
        for one in found
    ]


async def test_a_machine_reads_the_inbox_of_an_official_it_names(seoul: AsyncClient) -> None:
    response = await seoul.get("/api/v1/inbox", params={"official": str(SEOUL)})

    assert response.status_code == 200
    body = response.json()
    assert body["unread"] == 2
    assert [item["reason"] for item in body["items"]] == ["invited", "participating"]
    item = body["items"][0]
    assert item["official_id"] == str(SEOUL)
    assert item["subject_kind"] == "participation"
    assert item["project"] == {
        "id": str(HARBOUR),
        "reference": "REN-7",
        "title": {"en": "Cleaner harbours"},
    }
    assert item["title"] is None
    assert item["facts"]["status"] == "invited"
    assert item["allowed_actions"] == ["mark_read"]


async def test_a_machine_must_say_whose_inbox_it_means(seoul: AsyncClient) -> None:
    response = await seoul.get("/api/v1/inbox")

    assert response.status_code == 422
    assert response.json()["type"] == "/problems/official-required"


async def test_a_person_reads_its_own_inbox(app: FastAPI) -> None:
    response = await person(app, SEOUL).get("/api/v1/inbox")

    assert response.status_code == 200
    assert {item["official_id"] for item in response.json()["items"]} == {str(SEOUL)}


@pytest.mark.parametrize("official_id", [TOKYO, new_id()], ids=["other member", "nobody"])
async def test_there_is_no_inbox_of_other_members_officials(
    seoul: AsyncClient, official_id: UUID
) -> None:
    response = await seoul.get("/api/v1/inbox", params={"official": str(official_id)})

    assert response.status_code == 404
    assert response.json()["type"] == "/problems/official-not-found"


async def test_a_person_reads_no_colleagues_inbox(app: FastAPI, database: Database) -> None:
    item = await an_item(database, COLLEAGUE)
    client = person(app, SEOUL)

    inbox = await client.get("/api/v1/inbox", params={"official": str(COLLEAGUE)})
    one = await client.get(f"/api/v1/inbox/{item.id}")

    assert (inbox.status_code, one.status_code) == (404, 404)


@pytest.mark.parametrize(
    ("query", "reasons"),
    [
        ({"reason": "invited"}, ["invited"]),
        ({"unread": "true"}, ["invited", "participating"]),
        ({"unread": "false"}, []),
        ({"project_id": str(HARBOUR)}, ["invited", "participating"]),
        ({"project_id": str(BRIDGE)}, []),
        ({"sort": "-created"}, ["participating", "invited"]),
        ({"sort": "-updated", "limit": "1"}, ["participating"]),
        ({"updated_since": "2100-01-01T00:00:00Z"}, []),
    ],
)
async def test_an_inbox_can_be_filtered_and_sorted(
    seoul: AsyncClient, query: dict[str, str], reasons: list[str]
) -> None:
    response = await seoul.get("/api/v1/inbox", params={"official": str(SEOUL), **query})

    assert [item["reason"] for item in response.json()["items"]] == reasons
    assert response.json()["unread"] == 2


async def test_an_inbox_has_pages(seoul: AsyncClient) -> None:
    first = await seoul.get("/api/v1/inbox", params={"official": str(SEOUL), "limit": 1})

    second = await seoul.get(first.json()["next"])

    seen = [page.json()["items"][0]["reason"] for page in (first, second)]
    assert seen == ["invited", "participating"]
    assert second.json()["next"] is None


async def test_marking_an_item_as_read_is_announced(seoul: AsyncClient, database: Database) -> None:
    item = await an_item(database)
    shown = await seoul.get(f"/api/v1/inbox/{item.id}")

    response = await seoul.patch(
        f"/api/v1/inbox/{item.id}",
        json={"is_read": True},
        headers={"If-Match": shown.headers["ETag"]},
    )

    assert response.status_code == 200
    assert response.headers["ETag"] == '"2"'
    assert (response.json()["is_read"], response.json()["version"]) == (True, 2)
    assert response.json()["allowed_actions"] == ["mark_unread"]
    [fact] = await announced(database)
    assert fact.type == "renkei.inbox_item.read.v1"  # type: ignore[attr-defined]
    assert fact.audience == ("seoul",)  # type: ignore[attr-defined]
    assert fact.data.previous["is_read"] is False  # type: ignore[attr-defined]
    inbox = await seoul.get("/api/v1/inbox", params={"official": str(SEOUL)})
    assert inbox.json()["unread"] == 1


async def test_marking_what_is_marked_already_changes_nothing(
    seoul: AsyncClient, database: Database
) -> None:
    item = await an_item(database)

    response = await seoul.patch(
        f"/api/v1/inbox/{item.id}", json={"is_read": False}, headers={"If-Match": '"1"'}
    )

    assert response.status_code == 200
    assert response.headers["ETag"] == '"1"'
    assert await announced(database) == []


async def ensure_unmarked(database: Database, item: InboxItem) -> None:
    again = await an_item(database, item.official_id)
    assert (again.is_read, again.version) == (item.is_read, item.version)
    assert await announced(database) == []


async def test_a_stale_version_is_refused_with_the_present_one(
    seoul: AsyncClient, database: Database
) -> None:
    item = await an_item(database)

    response = await seoul.patch(
        f"/api/v1/inbox/{item.id}", json={"is_read": True}, headers={"If-Match": '"7"'}
    )

    assert response.status_code == 412
    assert response.json()["current"]["version"] == 1
    await ensure_unmarked(database, item)


async def test_marking_needs_a_version(seoul: AsyncClient, database: Database) -> None:
    item = await an_item(database)

    response = await seoul.patch(f"/api/v1/inbox/{item.id}", json={"is_read": True})

    assert response.status_code == 428
    await ensure_unmarked(database, item)


@pytest.mark.parametrize(
    "body", [{}, {"is_read": "true"}, {"is_read": 1}, {"is_read": True, "x": 1}]
)
async def test_marking_says_exactly_read_or_not(
    seoul: AsyncClient, database: Database, body: dict[str, object]
) -> None:
    item = await an_item(database)

    response = await seoul.patch(f"/api/v1/inbox/{item.id}", json=body, headers={"If-Match": "*"})

    assert response.status_code == 422
    await ensure_unmarked(database, item)


async def test_another_members_item_does_not_exist(app: FastAPI, database: Database) -> None:
    item = await an_item(database)
    tokyo = api(app, "tokyo")

    read = await tokyo.get(f"/api/v1/inbox/{item.id}")
    marked = await tokyo.patch(
        f"/api/v1/inbox/{item.id}", json={"is_read": True}, headers={"If-Match": "*"}
    )

    assert (read.status_code, marked.status_code) == (404, 404)
    await ensure_unmarked(database, item)


async def test_reading_and_marking_need_their_scopes(app: FastAPI, database: Database) -> None:
    item = await an_item(database)

    read = await api(app, "seoul", "projects:read").get(f"/api/v1/inbox/{item.id}")
    listed = await api(app, "seoul", "projects:read").get(
        "/api/v1/inbox", params={"official": str(SEOUL)}
    )
    marked = await api(app, "seoul", "notifications:read").patch(
        f"/api/v1/inbox/{item.id}", json={"is_read": True}, headers={"If-Match": "*"}
    )

    assert (read.status_code, listed.status_code, marked.status_code) == (403, 403, 403)
    await ensure_unmarked(database, item)


async def test_a_suspended_member_reads_but_marks_nothing(
    ears: Ears, database: Database, seoul: AsyncClient
) -> None:
    item = await an_item(database)
    await ears.hear(member("seoul", status="suspended", version=2, kind=MemberSuspended))

    read = await seoul.get(f"/api/v1/inbox/{item.id}")
    marked = await seoul.patch(
        f"/api/v1/inbox/{item.id}", json={"is_read": True}, headers={"If-Match": "*"}
    )

    assert (read.status_code, read.json()["allowed_actions"]) == (200, [])
    assert marked.status_code == 403
    assert marked.json()["type"] == "/problems/member-not-active"
    await ensure_unmarked(database, item)


def closed_under_another_name() -> ProjectEvent:
    """The lead shows the project to participants alone, and calls it something else."""
    event = project(HARBOUR, version=2, audience=["seoul", "tokyo"], kind=ProjectChanged)
    state = event.data.state.model_copy(
        update={"visibility": "participants", "title": {"en": "What nobody else should know"}}
    )
    return event.model_copy(update={"data": event.data.model_copy(update={"state": state})})


async def test_an_invited_member_sees_how_the_project_is_called_now(
    seoul: AsyncClient, ears: Ears
) -> None:
    await ears.hear(closed_under_another_name(), only="projects")

    response = await seoul.get("/api/v1/inbox", params={"official": str(SEOUL)})

    assert [item["project"]["title"] for item in response.json()["items"]] == [
        {"en": "What nobody else should know"}
    ] * 2


async def test_a_member_without_a_place_does_not_see_how_the_project_is_called_now(
    seoul: AsyncClient, ears: Ears
) -> None:
    await ears.hear(
        participation(
            HARBOUR,
            "seoul",
            status="declined",
            version=2,
            participation_id=BRIDGE,
            audience=["seoul", "tokyo"],
            kind=ParticipationDeclined,
        ),
        closed_under_another_name(),
        only="p",
    )

    response = await seoul.get("/api/v1/inbox", params={"official": str(SEOUL)})

    items = response.json()["items"]
    assert [(item["project_id"], item["project"]) for item in items] == [(str(HARBOUR), None)] * 2
    assert "nobody else" not in response.text
