"""Webhook endpoints over HTTP: their owner's, and nobody else's."""

import asyncio
from datetime import timedelta
from typing import Any

import pytest
from fastapi import FastAPI
from httpx2 import AsyncClient, Response
from sqlalchemy import select, text, update

from services.notifications.http.app import create_app
from services.notifications.model.webhook_delivery import WebhookDelivery
from services.notifications.model.webhook_endpoint import (
    ENDPOINTS_AN_HOUR,
    ENDPOINTS_MAX,
    WebhookEndpoint,
    WebhookSecret,
)
from services.notifications.settings import NotificationsSettings
from shared.clock import utc_now
from shared.contracts.event import CATALOGUE, Event
from shared.contracts.members import MemberSuspended
from shared.identifiers import new_id
from shared.messaging.tables import OutboxMessage
from tests.conftest import Database
from tests.notifications.endpoints import (
    deliveries,
    make_endpoint,
    sending,
    shake_hands,
    until_settled,
)
from tests.notifications.hearing import Ears, member, project, revoked_client
from tests.notifications.receiver import answering, receiving
from tests.web import api, environment, on, token

PATH = "/api/v1/webhook-endpoints"
WANTED = {
    "url": "https://hooks.seoul.example/renkei",
    "description": "Records office",
    "event_types": ["renkei.milestone.*"],
}


@pytest.fixture(autouse=True)
async def known(ears: Ears) -> None:
    await ears.hear(member("seoul"), member("tokyo"), only="members")


@pytest.fixture
def seoul(app: FastAPI) -> AsyncClient:
    return api(app, "seoul")


async def made(client: AsyncClient, **fields: Any) -> Response:
    response = await client.post(PATH, json=WANTED | fields)
    assert response.status_code == 201
    return response


async def made_and_agreed(
    client: AsyncClient, database: Database, settings: NotificationsSettings
) -> Response:
    """An endpoint that wants everything, and whose receiver has agreed; it is at version 2."""
    async with receiving() as receiver:
        response = await made(client, url=receiver.url, event_types=["*"])
        await shake_hands(database.sessions, settings)
    return response


async def announced(database: Database) -> list[Event[Any]]:
    async with database.sessions() as session:
        found = await session.scalars(select(OutboxMessage).order_by(OutboxMessage.position))
    return [
        CATALOGUE["renkei.webhook_endpoint." + one.subject.split(".", 4)[4]].received(one.body)
        for one in found
    ]


async def stored(database: Database) -> list[tuple[str, str, int]]:
    async with database.sessions() as session:
        found = await session.scalars(select(WebhookEndpoint).order_by(WebhookEndpoint.id))
        return [(one.url, one.status, one.version) for one in found]


async def test_a_new_endpoint_is_shown_with_its_secret_and_announced(
    seoul: AsyncClient, database: Database
) -> None:
    response = await seoul.post(PATH, json=WANTED)

    assert response.status_code == 201
    body = response.json()
    assert response.headers["Location"] == f"{PATH}/{body['id']}"
    assert response.headers["ETag"] == '"1"'
    assert {name: body[name] for name in WANTED} == WANTED
    assert (body["member"], body["status"], body["status_reason"]) == ("seoul", "active", None)
    assert body["allowed_actions"] == ["change", "pause", "rotate_secret", "verify", "delete"]
    assert body["secret"].startswith("whsec_")
    assert body["public_key"].startswith("whpk_")
    assert body["verified_at"] is None
    assert body["verification"]["state"] == "pending"
    [fact] = await announced(database)
    assert fact.type == "renkei.webhook_endpoint.created.v1"
    assert (fact.audience, fact.actor) == (("seoul",), "client:seoul-main")
    assert "secret" not in fact.wire_form().decode()


async def test_the_secret_is_never_shown_again(seoul: AsyncClient) -> None:
    created = await made(seoul)

    one = await seoul.get(created.headers["Location"])
    many = await seoul.get(PATH)

    assert "secret" not in one.json()
    assert "secret" not in many.json()["items"][0]
    shown_once = {name: created.json()[name] for name in ("secret", "public_key")}
    assert one.json() | shown_once == created.json()


async def test_the_same_request_again_shows_the_same_secret_which_lies_nowhere_in_clear(
    seoul: AsyncClient, database: Database
) -> None:
    first = await seoul.post(PATH, json=WANTED, headers={"Idempotency-Key": "records-1"})

    second = await seoul.post(PATH, json=WANTED, headers={"Idempotency-Key": "records-1"})

    assert (first.status_code, second.status_code) == (201, 201)
    assert second.json() == first.json()
    assert len(await stored(database)) == 1
    written = first.json()["secret"].removeprefix("whsec_")
    async with database.sessions() as session:
        [sealed] = await session.scalars(
            select(WebhookSecret.sealed).where(WebhookSecret.kind == "v1")
        )
        [answer] = await session.scalars(text("SELECT body FROM remembered_answer"))
        [fact] = await session.scalars(select(OutboxMessage.body))
    assert written not in sealed
    assert written.encode() not in answer
    assert written.encode() not in fact


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({"url": "not an address"}, "invalid-request"),
        ({"url": "https://user:word@hooks.seoul.example/"}, "webhook-address-not-allowed"),
        ({"url": "ftp://hooks.seoul.example/"}, "webhook-address-not-allowed"),
        ({"url": "https://" + "a" * 3000}, "invalid-request"),
        ({"url": None}, "invalid-request"),
        ({"event_types": []}, "invalid-request"),
        ({"event_types": ["renkei.*"]}, "invalid-request"),
        ({"event_types": "*"}, "invalid-request"),
        ({"event_types": ["renkei.milestone.eaten.v1"]}, "event-type-unknown"),
        ({"event_types": ["renkei.sandwich.*"]}, "event-type-unknown"),
        ({"description": "two\nlines"}, "invalid-request"),
        ({"status": "active"}, "invalid-request"),
    ],
)
async def test_an_endpoint_that_makes_no_sense_is_refused(
    seoul: AsyncClient, database: Database, fields: dict[str, Any], code: str
) -> None:
    response = await seoul.post(PATH, json=WANTED | fields)

    assert response.status_code == 422
    assert response.json()["type"] == f"/problems/{code}"
    assert await stored(database) == []
    assert await announced(database) == []


@pytest.mark.parametrize(
    "url", ["http://hooks.seoul.example/", "https://127.0.0.1/", "https://localhost/"]
)
async def test_outside_of_development_only_public_addresses_are_taken(
    database: Database, url: str
) -> None:
    app = on(create_app(NotificationsSettings(**environment(database))), database)

    response = await api(app, "seoul").post(PATH, json=WANTED | {"url": url})

    assert response.status_code == 422
    assert response.json()["type"] == "/problems/webhook-address-not-allowed"
    assert await stored(database) == []


async def test_the_list_shows_own_endpoints_and_can_be_filtered(
    app: FastAPI, seoul: AsyncClient
) -> None:
    first, second = await made(seoul), await made(seoul, description=None)
    await made(api(app, "tokyo"))
    await seoul.patch(
        second.headers["Location"], json={"status": "paused"}, headers={"If-Match": '"1"'}
    )

    all_of_them = await seoul.get(PATH)
    paused = await seoul.get(PATH, params={"status": "paused"})
    newest = await seoul.get(PATH, params={"sort": "-created", "limit": 1})

    ids = [first.json()["id"], second.json()["id"]]
    assert [one["id"] for one in all_of_them.json()["items"]] == ids
    assert [one["id"] for one in paused.json()["items"]] == ids[1:]
    assert [one["id"] for one in newest.json()["items"]] == ids[1:]
    assert newest.json()["next"] is not None


@pytest.mark.parametrize(
    ("change", "status"),
    [
        ({"url": "https://other.seoul.example/"}, "active"),
        ({"description": None}, "active"),
        ({"event_types": ["*"]}, "active"),
        ({"status": "paused"}, "paused"),
    ],
)
async def test_a_change_is_made_and_announced(
    seoul: AsyncClient, database: Database, change: dict[str, Any], status: str
) -> None:
    created = await made(seoul)

    response = await seoul.patch(
        created.headers["Location"], json=change, headers={"If-Match": '"1"'}
    )

    assert response.status_code == 200
    assert response.headers["ETag"] == '"2"'
    assert {name: response.json()[name] for name in change} == change
    assert response.json()["status"] == status
    [_, fact] = await announced(database)
    assert fact.type == "renkei.webhook_endpoint.changed.v1"
    assert set(fact.data.previous) - {"updated_at"} == set(change)


async def test_a_disabled_endpoint_can_be_activated_again(
    seoul: AsyncClient, database: Database
) -> None:
    created = await made(seoul)
    async with database.sessions.begin() as session:
        [endpoint] = await session.scalars(select(WebhookEndpoint))
        endpoint.disable("gone", at=endpoint.updated_at)

    response = await seoul.patch(
        created.headers["Location"], json={"status": "active"}, headers={"If-Match": '"2"'}
    )

    assert (response.json()["status"], response.json()["status_reason"]) == ("active", None)


@pytest.mark.parametrize(
    ("change", "etag", "status"),
    [
        ({"description": "Other"}, '"9"', 412),
        ({"description": "Other"}, None, 428),
        ({"status": "disabled"}, '"1"', 422),
        ({"status": None}, '"1"', 422),
        ({"url": "gopher://seoul.example/"}, '"1"', 422),
        ({"event_types": ["renkei.sandwich.*"]}, '"1"', 422),
        ({"member": "tokyo"}, '"1"', 422),
    ],
)
async def test_a_refused_change_leaves_no_trace(
    seoul: AsyncClient, database: Database, change: dict[str, Any], etag: str | None, status: int
) -> None:
    created = await made(seoul)

    response = await seoul.patch(
        created.headers["Location"], json=change, headers={"If-Match": etag} if etag else {}
    )

    assert response.status_code == status
    assert await stored(database) == [(WANTED["url"], "active", 1)]
    assert len(await announced(database)) == 1


async def test_a_change_that_changes_nothing_is_no_fact(
    seoul: AsyncClient, database: Database
) -> None:
    created = await made(seoul)

    response = await seoul.patch(
        created.headers["Location"], json=WANTED, headers={"If-Match": '"1"'}
    )

    assert (response.status_code, response.headers["ETag"]) == (200, '"1"')
    assert len(await announced(database)) == 1


async def test_a_deleted_endpoint_does_not_exist_any_more(
    seoul: AsyncClient, database: Database
) -> None:
    created = await made(seoul)
    address = created.headers["Location"]

    response = await seoul.delete(address, headers={"If-Match": '"1"'})

    assert (response.status_code, response.content) == (204, b"")
    assert (await seoul.get(address)).status_code == 404
    assert (await seoul.get(PATH)).json()["items"] == []
    assert (await announced(database))[-1].type == "renkei.webhook_endpoint.deleted.v1"
    assert await stored(database) == [(WANTED["url"], "deleted", 2)]


async def test_another_members_endpoint_does_not_exist(
    app: FastAPI, seoul: AsyncClient, database: Database
) -> None:
    address = (await made(seoul)).headers["Location"]
    tokyo = api(app, "tokyo")
    anything = {"If-Match": "*"}

    answers = [
        await tokyo.get(address),
        await tokyo.patch(address, json={"status": "paused"}, headers=anything),
        await tokyo.delete(address, headers=anything),
        await tokyo.get(f"{address}/deliveries"),
        await tokyo.get(f"{address}/deliveries/{new_id()}"),
        await tokyo.get(f"{address}/deliveries/{new_id()}/attempts"),
        await tokyo.post(f"{address}/deliveries/{new_id()}/resend"),
    ]

    assert [answer.status_code for answer in answers] == [404] * 7
    assert await stored(database) == [(WANTED["url"], "active", 1)]


async def test_each_verb_needs_its_scope(
    app: FastAPI, seoul: AsyncClient, database: Database
) -> None:
    address = (await made(seoul)).headers["Location"]
    anything = {"If-Match": "*"}
    reader, nobody = api(app, "seoul", "notifications:read"), api(app, "seoul", "projects:read")

    answers = [
        await reader.post(PATH, json=WANTED),
        await reader.patch(address, json={"status": "paused"}, headers=anything),
        await reader.delete(address, headers=anything),
        await nobody.get(PATH),
        await nobody.get(address),
        await nobody.get(f"{address}/deliveries"),
    ]

    assert [answer.status_code for answer in answers] == [403] * 6
    assert (await reader.get(address)).json()["allowed_actions"] == []
    assert await stored(database) == [(WANTED["url"], "active", 1)]


async def test_a_suspended_member_changes_nothing(
    seoul: AsyncClient, database: Database, ears: Ears
) -> None:
    address = (await made(seoul)).headers["Location"]
    await ears.hear(
        member("seoul", status="suspended", version=2, kind=MemberSuspended), only="members"
    )
    anything = {"If-Match": "*"}

    answers = [
        await seoul.post(PATH, json=WANTED),
        await seoul.patch(address, json={"status": "paused"}, headers=anything),
        await seoul.delete(address, headers=anything),
    ]

    assert [answer.json()["type"] for answer in answers] == ["/problems/member-not-active"] * 3
    assert (await seoul.get(address)).json()["allowed_actions"] == []
    assert await stored(database) == [(WANTED["url"], "active", 1)]


async def test_the_owner_sees_deliveries_and_attempts_and_can_send_again(
    seoul: AsyncClient, ears: Ears, database: Database, settings: NotificationsSettings
) -> None:
    fact = project(new_id())
    async with receiving(*[answering(500, body=b"down")] * 3, answering(204)) as receiver:
        created = await made(seoul, url=receiver.url, event_types=["*"])
        await shake_hands(database.sessions, settings)
        deliveries_of_it = f"{created.headers['Location']}/deliveries"
        fact = fact.model_copy(update={"time": (await announced(database))[0].time})
        await ears.hear(fact, only="webhooks")
        async with sending(database.sessions, settings):
            await until_settled(database.sessions, attempts_made=3)
        [failed] = (await seoul.get(deliveries_of_it, params={"state": "failed"})).json()["items"]
        attempts = (await seoul.get(f"{deliveries_of_it}/{failed['id']}/attempts")).json()["items"]

        resent = await seoul.post(f"{deliveries_of_it}/{failed['id']}/resend")

        async with sending(database.sessions, settings):
            await until_settled(database.sessions, attempts_made=4)

    assert failed["event_id"] == str(fact.id)
    assert failed["message_id"] == f"msg_{fact.id}"
    assert (failed["attempts"], failed["state_reason"]) == (3, "attempts_exhausted")
    assert failed["next_attempt_at"] is None
    assert failed["allowed_actions"] == ["resend"]
    assert [(one["status"], one["error"], one["excerpt"]) for one in attempts] == [
        (500, None, "down")
    ] * 3
    assert resent.status_code == 200
    assert (resent.json()["state"], resent.json()["attempts"]) == ("pending", 3)
    assert resent.json()["next_attempt_at"] is not None
    again = (await seoul.get(f"{deliveries_of_it}/{failed['id']}")).json()
    assert (again["state"], again["attempts"]) == ("delivered", 4)
    assert len({request.message_id for request in receiver.received}) == 1


async def test_nothing_is_sent_again_to_a_paused_endpoint(
    seoul: AsyncClient, ears: Ears, database: Database, settings: NotificationsSettings
) -> None:
    created = await made_and_agreed(seoul, database, settings)
    address = created.headers["Location"]
    created_fact, _ = await announced(database)
    await ears.hear(created_fact, only="webhooks")
    [delivery] = await deliveries(database.sessions)
    async with database.sessions.begin() as session:
        (await session.get_one(WebhookDelivery, delivery.id)).state = "failed"
    await seoul.patch(address, json={"status": "paused"}, headers={"If-Match": '"2"'})

    response = await seoul.post(f"{address}/deliveries/{delivery.id}/resend")

    assert response.status_code == 409
    assert response.json()["type"] == "/problems/webhook-endpoint-not-active"
    assert [one.state for one in await deliveries(database.sessions)] == ["failed"]


async def test_a_delivery_of_another_endpoint_is_not_found(
    seoul: AsyncClient, ears: Ears, database: Database, settings: NotificationsSettings
) -> None:
    await made_and_agreed(seoul, database, settings)
    created_fact, _ = await announced(database)
    await ears.hear(created_fact, only="webhooks")
    [delivery] = await deliveries(database.sessions)
    other = await made(seoul)

    response = await seoul.get(f"{other.headers['Location']}/deliveries/{delivery.id}")

    assert response.status_code == 404
    assert response.json()["type"] == "/problems/webhook-delivery-not-found"


async def test_a_member_has_only_so_many_endpoints(
    app: FastAPI, seoul: AsyncClient, database: Database
) -> None:
    for number in range(ENDPOINTS_MAX - 1):
        await make_endpoint(database.sessions, f"https://hooks.seoul.example/{number}")
    await make_endpoint(database.sessions, status="deleted")
    await make_endpoint(database.sessions, member="tokyo")

    answers = await asyncio.gather(*(seoul.post(PATH, json=WANTED) for _ in range(3)))
    others = await api(app, "tokyo").post(PATH, json=WANTED)

    assert sorted(answer.status_code for answer in answers) == [201, 409, 409]
    refused = next(answer.json() for answer in answers if answer.status_code == 409)
    assert refused["type"] == "/problems/too-many-webhook-endpoints"
    assert others.status_code == 201
    assert len(await stored(database)) == ENDPOINTS_MAX + 3
    assert len(await announced(database)) == 2


async def test_a_member_makes_only_so_many_endpoints_an_hour(
    app: FastAPI, seoul: AsyncClient, database: Database
) -> None:
    """Although it deletes them: for each we ask somebody for consent."""
    for _ in range(ENDPOINTS_AN_HOUR):
        await make_endpoint(database.sessions, status="deleted")
    ago = utc_now() - timedelta(minutes=59)
    async with database.sessions.begin() as session:
        await session.execute(update(WebhookEndpoint).values(created_at=ago))

    refused = await seoul.post(PATH, json=WANTED)

    others = await api(app, "tokyo").post(PATH, json=WANTED)
    async with database.sessions.begin() as session:
        await session.execute(update(WebhookEndpoint).values(created_at=ago - timedelta(minutes=2)))
    later = await seoul.post(PATH, json=WANTED)
    assert (refused.status_code, refused.json()["type"]) == (
        429,
        "/problems/too-many-new-webhook-endpoints",
    )
    assert 0 < int(refused.headers["Retry-After"]) <= 60
    assert (others.status_code, later.status_code) == (201, 201)
    assert len(await stored(database)) == ENDPOINTS_AN_HOUR + 2


async def test_a_revoked_client_can_do_nothing_with_the_tokens_it_holds(
    seoul: AsyncClient, ears: Ears, database: Database
) -> None:
    key = {"Idempotency-Key": "records-1"}
    address = (await seoul.post(PATH, json=WANTED, headers=key)).headers["Location"]
    await ears.hear(revoked_client("seoul-main", "seoul"), only="clients")

    answers = [
        await seoul.post(PATH, json=WANTED, headers=key),
        await seoul.post(PATH, json=WANTED),
        await seoul.get(PATH),
        await seoul.get(address),
        await seoul.patch(address, json={"status": "paused"}, headers={"If-Match": "*"}),
        await seoul.delete(address, headers={"If-Match": "*"}),
        await seoul.get(f"{address}/deliveries"),
        await seoul.get("/api/v1/inbox", params={"official": str(new_id())}),
    ]
    seoul.headers["Authorization"] = f"Bearer {token('seoul', client_id='seoul-records')}"
    another = await seoul.get(address)

    assert [answer.status_code for answer in answers] == [401] * 8
    assert {answer.json()["type"] for answer in answers} == {"/problems/unauthenticated"}
    assert another.status_code == 200
    assert len(await stored(database)) == 1
    assert len(await announced(database)) == 1


@pytest.mark.parametrize(
    ("event_types", "missing"),
    [
        (["renkei.webhook_endpoint.*"], None),
        (["renkei.milestone.*"], "projects:read"),
        (["renkei.official.appointed.v1"], "members:read"),
        (["renkei.webhook_endpoint.*", "*"], "members:read"),
    ],
)
async def test_nobody_lets_others_hear_what_it_may_not_read(
    app: FastAPI, database: Database, event_types: list[str], missing: str | None
) -> None:
    contractor = api(app, "seoul", "notifications:read notifications:write")

    response = await contractor.post(PATH, json=WANTED | {"event_types": event_types})

    assert response.status_code == (201 if missing is None else 403)
    assert response.json().get("scope") == missing
    assert len(await stored(database)) == (1 if missing is None else 0)


@pytest.mark.parametrize(
    ("change", "status"),
    [
        ({"url": "https://elsewhere.example/"}, 403),
        ({"event_types": ["*"]}, 403),
        # Then it could lead it elsewhere, where what still waits would follow.
        ({"event_types": ["renkei.webhook_endpoint.*"]}, 403),
        ({"description": "Archive"}, 200),
        ({"status": "paused"}, 200),
    ],
    ids=str,
)
async def test_nobody_redirects_what_it_may_not_read(
    app: FastAPI, seoul: AsyncClient, database: Database, change: dict[str, Any], status: int
) -> None:
    address = (await made(seoul)).headers["Location"]
    contractor = api(app, "seoul", "notifications:read notifications:write")

    response = await contractor.patch(address, json=change, headers={"If-Match": '"1"'})

    assert response.status_code == status
    assert len(await announced(database)) == (2 if status == 200 else 1)
