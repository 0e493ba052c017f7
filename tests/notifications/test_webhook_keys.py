"""Signatures as a receiver checks them, before, during and after its keys change."""

import json
from base64 import b64decode, urlsafe_b64decode
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from fastapi import FastAPI
from httpx2 import AsyncClient
from joserfc.jwk import KeySet
from sqlalchemy import select, text
from standardwebhooks import Webhook, WebhookVerificationError

from services.notifications.model.webhook_endpoint import KEYS_MAX, WebhookSecret
from services.notifications.settings import NotificationsSettings
from services.notifications.worker import WORKER
from shared.clock import utc_now
from shared.identifiers import new_id
from shared.messaging.tables import OutboxMessage
from shared.timers import tick
from tests.conftest import Database
from tests.notifications.endpoints import sending, shake_hands, until_settled
from tests.notifications.hearing import Ears, member, official, project
from tests.notifications.receiver import Received, receiving
from tests.web import SCOPES, api, person_token

PATH = "/api/v1/webhook-endpoints"


@pytest.fixture(autouse=True)
async def known(ears: Ears) -> None:
    await ears.hear(member("seoul"), member("tokyo"), only="members")


@pytest.fixture
def seoul(app: FastAPI) -> AsyncClient:
    return api(app, "seoul")


async def made(client: AsyncClient, url: str = "https://hooks.seoul.example/") -> dict[str, Any]:
    response = await client.post(PATH, json={"url": url, "event_types": ["renkei.project.*"]})
    assert response.status_code == 201, response.text
    shown: dict[str, Any] = response.json()
    return shown


async def rotated(client: AsyncClient, endpoint: dict[str, Any], **wanted: Any) -> dict[str, Any]:
    response = await client.post(f"{PATH}/{endpoint['id']}/secret-rotations", json=wanted)
    assert response.status_code == 200, response.text
    answer: dict[str, Any] = response.json()
    return answer


async def public_keys(app: FastAPI, endpoint: dict[str, Any]) -> list[bytes]:
    """The keys that anybody can read, without a token."""
    response = await api(app).get(f"{PATH}/{endpoint['id']}/jwks")
    assert response.status_code == 200
    if response.json()["keys"]:
        KeySet.import_key_set(response.json())
    return [urlsafe_b64decode(key["x"] + "=") for key in response.json()["keys"]]


def is_good(request: Received, secret: str) -> bool:
    """Check by the reference library, which knows `v1` alone."""
    try:
        Webhook(secret).verify(request.body, request.headers)
    except WebhookVerificationError:
        return False
    return True


def is_good_by(request: Received, public: bytes) -> bool:
    """Check `v1a` with what a receiver has: the public key."""
    signed = f"{request.message_id}.{request.headers['webhook-timestamp']}.".encode()
    for each in request.headers["webhook-signature"].split(" "):
        version, _, signature = each.partition(",")
        if version == "v1a":
            try:
                Ed25519PublicKey.from_public_bytes(public).verify(
                    b64decode(signature), signed + request.body
                )
            except InvalidSignature:
                continue
            return True
    return False


def raw(written: str) -> bytes:
    return b64decode(written.removeprefix("whpk_"))


async def test_signatures_are_good_before_during_and_after_a_rotation(
    app: FastAPI,
    seoul: AsyncClient,
    ears: Ears,
    database: Database,
    settings: NotificationsSettings,
) -> None:
    async def next_request(ahead: timedelta = timedelta()) -> Received:
        count = len(receiver.received)
        fact = project(new_id()).model_copy(update={"time": utc_now()})
        await ears.hear(fact, only="webhooks")
        async with sending(database.sessions, settings, ahead=ahead):
            await receiver.wait_for(count + 1)
            await until_settled(database.sessions)
        return receiver.received[-1]

    async with receiving() as receiver:
        first = await made(seoul, receiver.url)
        await shake_hands(database.sessions, settings)
        keys_before = await public_keys(app, first)
        before = await next_request()
        second = await rotated(seoul, first, overlap_hours=1)
        keys_during = await public_keys(app, first)
        during = await next_request()
        # The receiver does not mind the age of a message that its own clock has not reached.
        async with database.sessions.begin() as session:
            for key in await session.scalars(
                select(WebhookSecret).where(WebhookSecret.expires_at.is_not(None))
            ):
                key.expires_at = utc_now() - timedelta(seconds=1)
            await session.execute(text("UPDATE webhook_endpoint SET version = version + 1"))
        keys_after = await public_keys(app, first)
        after = await next_request()

    old, new = raw(first["public_key"]), raw(second["public_key"])
    assert keys_before == [old]
    assert keys_during == [new, old]
    assert keys_after == [new]
    told = [before, during, after]
    assert [is_good(one, first["secret"]) for one in told] == [True, True, False]
    assert [is_good(one, second["secret"]) for one in told] == [False, True, True]
    assert [is_good_by(one, old) for one in told] == [True, True, False]
    assert [is_good_by(one, new) for one in told] == [False, True, True]
    count = [len(one.headers["webhook-signature"].split(" ")) for one in told]
    assert count == [2, 4, 2]


async def test_a_key_signs_no_longer_than_it_is_good_in_a_sender_that_knows_it(
    seoul: AsyncClient, ears: Ears, database: Database, settings: NotificationsSettings
) -> None:
    async with receiving() as receiver:
        first = await made(seoul, receiver.url)
        await shake_hands(database.sessions, settings)
        await rotated(seoul, first, overlap_hours=1)
        async with sending(database.sessions, settings) as sender:
            own = sender.clock
            for hours in (0, 2):
                sender.clock = lambda hours=hours: own() + timedelta(hours=hours)  # type: ignore[misc]
                fact = project(new_id()).model_copy(update={"time": utc_now()})
                await ears.hear(fact, only="webhooks")
                await receiver.wait_for(len(receiver.received) + 1)
                await until_settled(database.sessions)

    count = [len(one.headers["webhook-signature"].split(" ")) for one in receiver.received]
    assert count == [4, 2]


@pytest.mark.parametrize(
    ("which", "are_new"), [("v1", (True, False)), ("v1a", (False, True)), ("both", (True, True))]
)
async def test_each_key_can_change_alone(
    app: FastAPI, seoul: AsyncClient, which: str, are_new: tuple[bool, bool]
) -> None:
    endpoint = await made(seoul)

    answer = await rotated(seoul, endpoint, which=which, overlap_hours=0)

    assert (answer["secret"] is not None, answer["public_key"] is not None) == are_new
    assert answer["secret"] != endpoint["secret"]
    current = answer["public_key"] or endpoint["public_key"]
    assert await public_keys(app, endpoint) == [raw(current)]


async def test_a_rotation_is_announced_and_seen_by_its_version(
    seoul: AsyncClient, database: Database
) -> None:
    endpoint = await made(seoul)
    began = utc_now()

    answer = await rotated(seoul, endpoint)

    assert answer["version"] == 2
    good_until = datetime.fromisoformat(answer["former_expire_at"])
    assert timedelta() <= good_until - began - timedelta(hours=24) < timedelta(seconds=10)
    async with database.sessions() as session:
        facts = await session.scalars(select(OutboxMessage).order_by(OutboxMessage.position))
        [_, changed] = [json.loads(fact.body) for fact in facts]
    assert changed["type"] == "renkei.webhook_endpoint.changed.v1"
    assert "whsec_" not in json.dumps(changed)


async def test_the_same_rotation_again_shows_the_same_secret_which_lies_nowhere_in_clear(
    seoul: AsyncClient, database: Database
) -> None:
    endpoint = await made(seoul)
    address = f"{PATH}/{endpoint['id']}/secret-rotations"
    key = {"Idempotency-Key": "rotation-1"}

    first = await seoul.post(address, json={}, headers=key)
    second = await seoul.post(address, json={}, headers=key)

    assert second.json() == first.json()
    assert second.headers["Idempotency-Replayed"] == "true"
    async with database.sessions() as session:
        [answer] = await session.scalars(text("SELECT body FROM remembered_answer"))
        assert len(list(await session.scalars(select(WebhookSecret)))) == 4
    assert first.json()["secret"].removeprefix("whsec_").encode() not in answer


async def test_only_a_few_keys_live_at_a_time(seoul: AsyncClient, database: Database) -> None:
    endpoint = await made(seoul)
    for _ in range(KEYS_MAX - 1):
        await rotated(seoul, endpoint, which="v1")

    refused = await seoul.post(f"{PATH}/{endpoint['id']}/secret-rotations", json={"which": "v1"})
    others = await rotated(seoul, endpoint, which="v1a")
    at_once = await rotated(seoul, endpoint, which="v1", overlap_hours=0)

    assert refused.status_code == 409
    assert refused.json()["type"] == "/problems/too-many-webhook-keys"
    assert others["public_key"] is not None
    async with database.sessions() as session:
        living = await session.scalar(
            text("SELECT count(*) FROM webhook_secret WHERE kind = 'v1' AND expires_at IS NULL")
        )
        longest = await session.scalar(
            text("SELECT max(expires_at) FROM webhook_secret WHERE kind = 'v1'")
        )
    assert living == 1
    assert longest == datetime.fromisoformat(at_once["former_expire_at"])


async def test_an_overlap_is_never_made_longer(seoul: AsyncClient, database: Database) -> None:
    endpoint = await made(seoul)
    first = await rotated(seoul, endpoint, which="v1", overlap_hours=1)

    await rotated(seoul, endpoint, which="v1", overlap_hours=168)

    async with database.sessions() as session:
        soonest = await session.scalar(text("SELECT min(expires_at) FROM webhook_secret"))
    assert soonest == datetime.fromisoformat(first["former_expire_at"])


async def test_keys_that_are_good_no_longer_are_deleted(
    seoul: AsyncClient, database: Database
) -> None:
    endpoint = await made(seoul)
    await rotated(seoul, endpoint, overlap_hours=0)
    await rotated(seoul, endpoint, overlap_hours=5)
    [timer] = [timer for timer in WORKER.timers if timer.name == "forget-webhook-keys"]

    await tick(timer, database.sessions)

    async with database.sessions() as session:
        assert len(list(await session.scalars(select(WebhookSecret)))) == 4


@pytest.mark.parametrize(
    "body",
    [
        {"overlap_hours": -1},
        {"overlap_hours": 169},
        {"overlap_hours": "24"},
        {"overlap_hours": 1.5},
        {"which": "v2"},
        {"which": None},
        {"secret": "whsec_bXkgb3du"},
    ],
    ids=str,
)
async def test_a_rotation_that_makes_no_sense_changes_nothing(
    seoul: AsyncClient, database: Database, body: dict[str, Any]
) -> None:
    endpoint = await made(seoul)

    response = await seoul.post(f"{PATH}/{endpoint['id']}/secret-rotations", json=body)

    assert response.status_code == 422
    async with database.sessions() as session:
        assert len(list(await session.scalars(select(WebhookSecret)))) == 2


async def test_only_its_owner_rotates_and_only_after_a_recent_login(
    app: FastAPI, seoul: AsyncClient, ears: Ears, database: Database
) -> None:
    endpoint = await made(seoul)
    address = f"{PATH}/{endpoint['id']}/secret-rotations"
    person = new_id()
    await ears.hear(official(person, "seoul", "administrator", scopes=tuple(SCOPES.split())))
    someone = api(app)

    answers = [
        await api(app).post(address, json={}),
        await api(app, "tokyo").post(address, json={}),
        await api(app, "seoul", "notifications:read").post(address, json={}),
        await someone.post(
            address,
            json={},
            headers={"Authorization": f"Bearer {person_token('seoul', person, seconds_ago=9_000)}"},
        ),
    ]

    assert [answer.status_code for answer in answers] == [401, 404, 403, 401]
    assert answers[3].json()["max_age"] == 900
    async with database.sessions() as session:
        assert len(list(await session.scalars(select(WebhookSecret)))) == 2


async def test_public_keys_are_for_everybody_and_nothing_else_is(
    app: FastAPI, seoul: AsyncClient
) -> None:
    endpoint = await made(seoul)
    stranger = api(app)

    response = await stranger.get(f"{PATH}/{endpoint['id']}/jwks")

    [key] = response.json()["keys"]
    assert response.headers["content-type"] == "application/jwk-set+json"
    assert response.headers["cache-control"] == "public, max-age=300"
    assert key.keys() == {"kty", "crv", "alg", "use", "kid", "x"}
    assert (key["kty"], key["crv"], key["alg"], key["use"]) == ("OKP", "Ed25519", "EdDSA", "sig")
    UUID(key["kid"])
    assert (await stranger.get(f"{PATH}/{endpoint['id']}")).status_code == 401


async def test_an_endpoint_from_before_there_were_pairs_gets_one_when_its_keys_are_rotated(
    app: FastAPI, seoul: AsyncClient, database: Database
) -> None:
    endpoint = await made(seoul)
    async with database.sessions.begin() as session:
        await session.execute(text("DELETE FROM webhook_secret WHERE kind = 'v1a'"))
    before = await public_keys(app, endpoint)

    answer = await rotated(seoul, endpoint, which="v1a")

    assert before == []
    assert await public_keys(app, endpoint) == [raw(answer["public_key"])]


async def test_what_does_not_exist_or_was_deleted_has_no_keys(
    app: FastAPI, seoul: AsyncClient
) -> None:
    endpoint = await made(seoul)
    stranger = api(app)
    await seoul.delete(f"{PATH}/{endpoint['id']}", headers={"If-Match": "*"})

    gone = await stranger.get(f"{PATH}/{endpoint['id']}/jwks")
    unknown = await stranger.get(f"{PATH}/{new_id()}/jwks")

    assert (gone.status_code, unknown.status_code) == (404, 404)
    assert gone.json()["type"] == unknown.json()["type"] == "/problems/webhook-endpoint-not-found"
