"""Who lets facts out to another address has logged in just now, unless it is a machine."""

from typing import Any, Final

import pytest
from fastapi import FastAPI
from httpx2 import AsyncClient
from sqlalchemy import func, select

from services.notifications.http.app import create_app
from services.notifications.settings import NotificationsSettings
from shared.identifiers import new_id
from shared.messaging.tables import OutboxMessage
from tests.conftest import Database
from tests.notifications.hearing import Ears, member, official
from tests.web import SCOPES, api, environment, on, person_token

PATH: Final = "/api/v1/webhook-endpoints"
HOURS: Final = 3 * 3600
OFFICIAL: Final = new_id()
WANTED: Final = {
    "url": "https://hooks.seoul.example/renkei",
    "event_types": ["renkei.inbox_item.*", "renkei.webhook_endpoint.created.v1"],
}
MORE: Final[list[dict[str, Any]]] = [
    {"url": "https://elsewhere.example/"},
    {"event_types": ["*"]},
    {"event_types": ["renkei.webhook_endpoint.*"]},
    {"event_types": ["renkei.webhook_endpoint.deleted.v1"]},
    {"url": "https://elsewhere.example/", "status": "paused"},
]
NO_MORE: Final[list[dict[str, Any]]] = [
    {},
    WANTED,
    {"description": "Archive"},
    {"status": "paused"},
    {"event_types": ["renkei.inbox_item.read.v1"]},
]


@pytest.fixture(autouse=True)
async def told(ears: Ears) -> None:
    scopes = tuple(SCOPES.split())
    await ears.hear(member("seoul"), official(OFFICIAL, "seoul", "administrator", scopes=scopes))


def administrator(
    app: FastAPI, scopes: str = SCOPES, *, seconds_ago: int, acr: str | None = None
) -> AsyncClient:
    client = api(app)
    bearer = person_token("seoul", OFFICIAL, scopes, seconds_ago=seconds_ago, acr=acr)
    client.headers["Authorization"] = f"Bearer {bearer}"
    return client


async def announced(database: Database) -> int:
    async with database.sessions() as session:
        return await session.scalar(select(func.count()).select_from(OutboxMessage)) or 0


async def address_of_one(app: FastAPI) -> str:
    response = await api(app, "seoul").post(PATH, json=WANTED)
    assert response.status_code == 201, response.text
    return str(response.headers["location"])


async def test_a_new_endpoint_needs_a_recent_login(app: FastAPI, database: Database) -> None:
    refused = await administrator(app, seconds_ago=HOURS).post(PATH, json=WANTED)
    before = await announced(database)
    made = await administrator(app, seconds_ago=880).post(PATH, json=WANTED)

    assert refused.status_code == 401
    assert 'error="insufficient_user_authentication"' in refused.headers["www-authenticate"]
    assert refused.json()["max_age"] == 900
    assert before == 0
    assert made.status_code == 201


@pytest.mark.parametrize("change", MORE, ids=str)
async def test_so_does_a_change_that_lets_out_more(
    app: FastAPI, database: Database, change: dict[str, Any]
) -> None:
    address = await address_of_one(app)

    refused = await administrator(app, seconds_ago=HOURS).patch(
        address, json=change, headers={"If-Match": '"1"'}
    )
    before = await announced(database)
    taken = await administrator(app, seconds_ago=880).patch(
        address, json=change, headers={"If-Match": '"1"'}
    )

    assert (refused.status_code, before) == (401, 1)
    assert taken.status_code == 200


@pytest.mark.parametrize("change", NO_MORE, ids=str)
async def test_no_other_change_does(app: FastAPI, change: dict[str, Any]) -> None:
    address = await address_of_one(app)

    response = await administrator(app, seconds_ago=HOURS).patch(
        address, json=change, headers={"If-Match": '"1"'}
    )

    assert response.status_code == 200, response.text


async def test_nor_does_the_end_of_an_endpoint(app: FastAPI) -> None:
    address = await address_of_one(app)

    response = await administrator(app, seconds_ago=HOURS).delete(
        address, headers={"If-Match": '"1"'}
    )

    assert response.status_code == 204


async def test_who_asks_for_what_cannot_be_is_not_sent_to_log_in(app: FastAPI) -> None:
    address = await address_of_one(app)
    old = administrator(app, "notifications:read notifications:write", seconds_ago=HOURS)

    answers = [
        await old.post(PATH, json=WANTED | {"url": "ftp://hooks.seoul.example/"}),
        await old.post(PATH, json=WANTED | {"event_types": ["renkei.milestone.*"]}),
        await old.patch(address, json=MORE[0], headers={"If-Match": '"9"'}),
        await old.patch(
            address, json={"url": "ftp://hooks.seoul.example/"}, headers={"If-Match": '"1"'}
        ),
    ]

    assert [answer.status_code for answer in answers] == [422, 403, 412, 422]


async def test_a_network_may_ask_for_a_second_factor(database: Database) -> None:
    given = environment(database) | {"recent_login_acr_values": "urn:renkei:mfa"}
    app = on(create_app(NotificationsSettings(**given)), database)

    refused = await administrator(app, seconds_ago=0).post(PATH, json=WANTED)
    made = await administrator(app, seconds_ago=0, acr="urn:renkei:mfa").post(PATH, json=WANTED)

    assert (refused.status_code, refused.json()["acr_values"]) == (401, "urn:renkei:mfa")
    assert made.status_code == 201
