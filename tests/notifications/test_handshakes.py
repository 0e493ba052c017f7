"""A receiver is asked before it is sent anything, and what it missed by then follows."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from fastapi import FastAPI
from httpx2 import AsyncClient
from sqlalchemy import func, select, text

from services.notifications.consumers.sender import Sender
from services.notifications.model.webhook_endpoint import WebhookEndpoint
from services.notifications.model.webhook_verification import (
    CONSENTS_MAX,
    WebhookConsent,
    WebhookVerification,
    agreed_rate,
)
from services.notifications.settings import NotificationsSettings
from services.notifications.use_cases import queue_webhooks
from services.notifications.use_cases.claim_handshakes import claim_handshakes
from services.notifications.use_cases.record_handshake import record_handshake
from services.notifications.use_cases.tell_members import tell_members
from services.notifications.worker import WORKER
from shared.clock import utc_now
from shared.contracts.members import MemberSuspended
from shared.identifiers import new_id
from shared.messaging.tables import OutboxMessage
from shared.one_time import hash_of
from shared.timers import tick
from tests.conftest import Database
from tests.notifications.endpoints import (
    deliveries,
    make_endpoint,
    sending,
    shake_hands,
    until_settled,
)
from tests.notifications.hearing import Ears, member, project
from tests.notifications.receiver import (
    Receiver,
    Script,
    agreeing,
    answering,
    hang,
    receiving,
    reset,
)
from tests.web import ISSUER, api

PATH = "/api/v1/webhook-endpoints"
HARBOUR = new_id()


@pytest.fixture(autouse=True)
async def known(ears: Ears) -> None:
    await ears.hear(member("seoul"), member("tokyo"), only="members")


@pytest.fixture
def seoul(app: FastAPI) -> AsyncClient:
    return api(app, "seoul")


Shake = Callable[..., Awaitable[None]]


@pytest.fixture
def shake(database: Database, settings: NotificationsSettings) -> Shake:
    async def shake(**options: Any) -> None:
        await shake_hands(database.sessions, settings, **options)

    return shake


async def made(client: AsyncClient, receiver: Receiver, **fields: Any) -> dict[str, Any]:
    response = await client.post(
        PATH, json={"url": receiver.url, "event_types": ["renkei.project.*"]} | fields
    )
    assert response.status_code == 201, response.text
    shown: dict[str, Any] = response.json()
    return shown


async def seen(client: AsyncClient, endpoint: dict[str, Any]) -> dict[str, Any]:
    shown: dict[str, Any] = (await client.get(f"{PATH}/{endpoint['id']}")).json()
    return shown


async def happened(database: Database) -> list[str]:
    async with database.sessions() as session:
        subjects = await session.scalars(
            select(OutboxMessage.subject).order_by(OutboxMessage.position)
        )
        return [subject.split(".")[4] for subject in subjects]


def callback_of(receiver: Receiver, number: int = -1) -> str:
    address = receiver.asked[number].headers["webhook-request-callback"]
    assert address.startswith(f"{ISSUER}{PATH}/")
    return address.removeprefix(ISSUER)


def now_happens(project_id: UUID = HARBOUR, *, at: datetime | None = None) -> Any:
    """A fact of this moment: what happened before an endpoint was made is none of its business."""
    return project(project_id).model_copy(update={"time": at or utc_now(), "id": new_id()})


async def test_a_receiver_is_asked_by_the_book(seoul: AsyncClient, shake: Shake) -> None:
    async with receiving(handshakes=[agreeing("renkei.example", "120")]) as receiver:
        endpoint = await made(
            seoul, receiver, rate_per_minute=600, headers={"X-Gateway-Key": "a-secret-key"}
        )

        await shake()

        shown = await seen(seoul, endpoint)
    [asked] = receiver.asked
    assert (asked.method, asked.target, asked.body) == ("OPTIONS", "/hook", b"")
    assert asked.headers["webhook-request-origin"] == "renkei.example"
    assert asked.headers["webhook-request-rate"] == "600"
    assert callback_of(receiver).startswith(f"{PATH}/{endpoint['id']}/consents/rkw_")
    assert "x-gateway-key" not in asked.headers
    assert "content-type" not in asked.headers
    assert shown["verified_at"] is not None
    assert (shown["allowed_rate"], shown["rate_per_minute"]) == (120, 600)
    assert shown["verification"] | {"last_tried_at": None} == {
        "state": "granted",
        "last_tried_at": None,
        "error": None,
        "next_try_at": None,
    }
    assert "verify" not in shown["allowed_actions"]
    assert receiver.received == []


async def test_its_consent_is_announced_once(
    seoul: AsyncClient, shake: Shake, database: Database
) -> None:
    async with receiving() as receiver:
        await made(seoul, receiver)

        await shake()
        await shake(ahead=timedelta(days=1))

    assert await happened(database) == ["created", "verified"]
    assert len(receiver.asked) == 1


async def test_what_happened_before_it_agreed_follows(
    seoul: AsyncClient,
    ears: Ears,
    shake: Shake,
    database: Database,
    settings: NotificationsSettings,
) -> None:
    async with receiving(handshakes=[answering(200), agreeing()]) as receiver:
        await made(seoul, receiver)
        first, second, third = (now_happens(new_id()) for _ in range(3))
        await ears.hear(first, only="webhooks")
        await shake()
        await ears.hear(second, only="webhooks")
        before = await deliveries(database.sessions)

        await shake(ahead=timedelta(seconds=11))

        await ears.hear(third, only="webhooks")
        async with sending(database.sessions, settings, ahead=timedelta(seconds=12)):
            await until_settled(database.sessions)

    assert before == []
    told = [one.event_id for one in await deliveries(database.sessions)]
    assert told == [first.id, second.id, third.id]
    assert {one.message_id for one in receiver.received} == {f"msg_{one}" for one in told}


async def test_so_much_that_no_request_can_queue_it_follows_a_part_at_a_time(
    seoul: AsyncClient,
    ears: Ears,
    shake: Shake,
    database: Database,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(queue_webhooks, "MISSED_AT_ONCE", 2)
    [recoveries] = [timer for timer in WORKER.timers if timer.name == "work-off-recoveries"]
    async with receiving(handshakes=[agreeing()]) as receiver:
        endpoint = await made(seoul, receiver)
        missed = [now_happens(new_id()) for _ in range(3)]
        await ears.hear(*missed, only="webhooks")
        await shake()
        at_once = await deliveries(database.sessions)
        later = now_happens(new_id())
        await ears.hear(later, only="webhooks")

        while await tick(recoveries, database.sessions):
            pass

    assert at_once == []
    told = {one.event_id: one.priority for one in await deliveries(database.sessions)}
    assert told == {later.id: 0, **{fact.id: 1 for fact in missed}}
    [recovery] = (await seoul.get(f"{PATH}/{endpoint['id']}/recoveries")).json()["items"]
    assert (recovery["state"], recovery["expected"], recovery["queued"]) == ("completed", 3, 3)


@pytest.mark.parametrize(
    ("script", "error"),
    [
        (answering(200), "no_consent"),
        (answering(204, "Allow: POST, OPTIONS"), "no_consent"),
        (answering(405), "no_consent"),
        (answering(302, "Location: http://127.0.0.1:9/"), "no_consent"),
        (agreeing("elsewhere.example"), "other_origin"),
        (agreeing("renkei.example.evil.example"), "other_origin"),
        (agreeing("*", "0"), "rate_unreadable"),
        (agreeing("*", "many"), "rate_unreadable"),
        (hang, "timeout"),
        (reset, "connection"),
    ],
)
async def test_nothing_but_consent_is_consent(
    seoul: AsyncClient, ears: Ears, shake: Shake, database: Database, script: Script, error: str
) -> None:
    async with receiving(handshakes=[script]) as receiver:
        endpoint = await made(seoul, receiver)
        await ears.hear(now_happens(), only="webhooks")

        await shake()

        shown = await seen(seoul, endpoint)
    assert shown["verified_at"] is None
    assert (shown["verification"]["state"], shown["verification"]["error"]) == ("pending", error)
    assert shown["allowed_actions"] == ["change", "pause", "rotate_secret", "verify", "delete"]
    assert await deliveries(database.sessions) == []
    assert await happened(database) == ["created"]


@pytest.mark.parametrize("status", [200, 204, 405, 500])
async def test_consent_does_not_depend_on_the_status(
    seoul: AsyncClient, shake: Shake, status: int
) -> None:
    script = answering(status, "WebHook-Allowed-Origin: RENKEI.example")
    async with receiving(handshakes=[script]) as receiver:
        endpoint = await made(seoul, receiver)

        await shake()

        assert (await seen(seoul, endpoint))["verified_at"] is not None


@pytest.mark.parametrize("method", ["GET", "POST"])
async def test_a_receiver_can_agree_later(
    app: FastAPI,
    seoul: AsyncClient,
    ears: Ears,
    shake: Shake,
    database: Database,
    method: str,
) -> None:
    stranger = api(app)
    async with receiving(handshakes=[answering(200)]) as receiver:
        endpoint = await made(seoul, receiver)
        await ears.hear(now_happens(), only="webhooks")
        await shake()
        await shake(ahead=timedelta(seconds=11))
        rate = {"WebHook-Allowed-Rate": "30"}

        # Also after it was asked again.
        agreed = await stranger.request(method, callback_of(receiver, 0), headers=rate)
        again = await stranger.request(method, callback_of(receiver, 1))

        shown = await seen(seoul, endpoint)
    assert (agreed.status_code, again.status_code) == (200, 200)
    assert shown["verified_at"] is not None
    assert shown["allowed_rate"] == 30
    assert await happened(database) == ["created", "verified"]
    assert len(await deliveries(database.sessions)) == 1


async def test_nobody_else_can_agree(
    app: FastAPI, seoul: AsyncClient, shake: Shake, database: Database
) -> None:
    stranger = api(app)
    async with (
        receiving(handshakes=[answering(200)]) as receiver,
        receiving(handshakes=[answering(200)]) as other,
    ):
        endpoint = await made(seoul, receiver)
        another = await made(seoul, other)
        await shake()
        token = callback_of(receiver).rpartition("/")[2]
        others_token = callback_of(other).rpartition("/")[2]
        at = f"{PATH}/{endpoint['id']}/consents"

        answers = [
            await stranger.get(f"{at}/{others_token}"),
            await stranger.get(f"{at}/{token[:-1]}"),
            await stranger.post(f"{at}/{hash_of(token)}"),
            await stranger.get(f"{PATH}/{another['id']}/consents/{token}"),
            await stranger.get(f"{PATH}/{new_id()}/consents/{token}"),
        ]

    assert [answer.status_code for answer in answers] == [404] * 5
    assert (await seen(seoul, endpoint))["verified_at"] is None
    async with database.sessions() as session:
        kept = (
            await session.scalars(text("SELECT webhook_consent::text FROM webhook_consent"))
        ).all()
    assert not any(token in row for row in kept)


async def test_a_token_is_good_for_a_week_and_for_one_address(
    app: FastAPI, seoul: AsyncClient, shake: Shake, database: Database
) -> None:
    stranger = api(app)
    async with receiving(handshakes=[answering(200)]) as receiver:
        endpoint = await made(seoul, receiver)
        await shake()
        old_address = callback_of(receiver)
        await seoul.patch(
            f"{PATH}/{endpoint['id']}",
            json={"url": f"{receiver.url}/new"},
            headers={"If-Match": '"1"'},
        )
        of_before = await stranger.get(old_address)
        await shake(ahead=timedelta(seconds=11))
        async with database.sessions.begin() as session:
            [consent] = await session.scalars(select(WebhookConsent))
            good_for = consent.expires_at - consent.created_at
            consent.expires_at = utc_now() - timedelta(seconds=1)

        too_late = await stranger.get(callback_of(receiver))

        shown = await seen(seoul, endpoint)
    assert good_for == timedelta(days=7)
    assert (of_before.status_code, too_late.status_code) == (404, 404)
    assert shown["verified_at"] is None
    [timer] = [timer for timer in WORKER.timers if timer.name == "forget-webhook-consents"]
    await tick(timer, database.sessions)
    async with database.sessions() as session:
        assert await session.scalar(select(func.count()).select_from(WebhookConsent)) == 0


async def test_it_is_asked_again_ever_more_rarely_until_it_is_given_up(
    seoul: AsyncClient, shake: Shake, database: Database
) -> None:
    async with receiving(handshakes=[answering(200)]) as receiver:
        endpoint = await made(seoul, receiver)
        pauses: list[float] = []
        moment = utc_now()
        while True:
            await shake(ahead=moment - utc_now() + timedelta(seconds=0.01))
            async with database.sessions() as session:
                verification = await session.get_one(WebhookVerification, UUID(endpoint["id"]))
            if verification.next_try_at is None:
                break
            assert verification.last_tried_at is not None
            seconds = (verification.next_try_at - verification.last_tried_at).total_seconds()
            pauses.append(round(seconds))
            moment = verification.next_try_at

        shown = await seen(seoul, endpoint)
    assert pauses == [10, 60, 600, 3600, 6 * 3600] + [24 * 3600] * 7
    assert len(receiver.asked) == len(pauses) + 1
    assert shown["verification"]["state"] == "given_up"
    assert "verify" in shown["allowed_actions"]


async def test_its_owner_can_let_it_be_asked_again(
    seoul: AsyncClient, shake: Shake, database: Database
) -> None:
    async with receiving(handshakes=[answering(200), agreeing()]) as receiver:
        endpoint = await made(seoul, receiver)
        await shake()
        async with database.sessions.begin() as session:
            verification = await session.get_one(WebhookVerification, UUID(endpoint["id"]))
            verification.state, verification.next_try_at = "given_up", None

        asked = await seoul.post(f"{PATH}/{endpoint['id']}/verifications")

        await shake()
        calm = len(receiver.asked)
        await shake(ahead=timedelta(seconds=11))
        refused = await seoul.post(f"{PATH}/{endpoint['id']}/verifications")
    assert asked.status_code == 200
    assert asked.json()["verification"]["state"] == "pending"
    assert calm == 1
    assert len(receiver.asked) == 2
    assert refused.status_code == 409
    assert refused.json()["type"] == "/problems/webhook-endpoint-verified-already"


async def test_only_its_owner_can(app: FastAPI, seoul: AsyncClient, database: Database) -> None:
    async with receiving() as receiver:
        endpoint = await made(seoul, receiver)
    address = f"{PATH}/{endpoint['id']}/verifications"

    answers = [
        await api(app, "tokyo").post(address),
        await api(app).post(address),
        await api(app, "seoul", "notifications:read").post(address),
    ]
    await seoul.patch(
        f"{PATH}/{endpoint['id']}", json={"status": "paused"}, headers={"If-Match": '"1"'}
    )
    paused = await seoul.post(address)

    assert [answer.status_code for answer in answers] == [404, 401, 403]
    assert paused.json()["type"] == "/problems/webhook-endpoint-not-active"
    async with database.sessions() as session:
        [verification] = await session.scalars(select(WebhookVerification))
    assert (verification.tries, verification.state) == (0, "pending")


async def test_who_is_at_a_new_address_must_agree_first(
    seoul: AsyncClient,
    ears: Ears,
    shake: Shake,
    database: Database,
    settings: NotificationsSettings,
) -> None:
    async with (
        receiving(answering(204), answering(429, "Retry-After: 5")) as old,
        receiving(handshakes=[answering(405), agreeing("*", "600")]) as new,
    ):
        endpoint = await made(seoul, old)
        first, second, third = (now_happens(new_id()) for _ in range(3))
        await shake()
        await ears.hear(first, only="webhooks")
        async with sending(database.sessions, settings):
            await until_settled(database.sessions)
            await ears.hear(second, only="webhooks")
            await old.wait_for(2)

        changed = await seoul.patch(
            f"{PATH}/{endpoint['id']}", json={"url": new.url}, headers={"If-Match": '"2"'}
        )

        await ears.hear(third, only="webhooks")
        await shake(ahead=timedelta(seconds=11))
        async with sending(database.sessions, settings, ahead=timedelta(seconds=23)) as sender:
            await looked_around(sender)
            before = len(new.received)
            await shake(ahead=timedelta(seconds=22))
            await new.wait_for(2)
            await until_settled(database.sessions)

    assert (changed.json()["verified_at"], changed.json()["allowed_rate"]) == (None, None)
    assert before == 0
    assert {one.message_id for one in new.received} == {f"msg_{second.id}", f"msg_{third.id}"}
    assert f"msg_{third.id}" not in {one.message_id for one in old.received}
    assert [one.state for one in await deliveries(database.sessions)] == ["delivered"] * 3


async def test_who_goes_from_one_address_to_the_next_has_us_ask_no_faster(
    seoul: AsyncClient, shake: Shake
) -> None:
    async with receiving(handshakes=[answering(405)]) as somebody:
        endpoint = await made(seoul, somebody)
        changes: list[dict[str, str]] = [
            *({"url": f"{somebody.url}/{number}"} for number in range(3)),
            {"status": "paused"},
            {"url": f"{somebody.url}/4"},
            {"status": "active"},
        ]
        for change in changes:
            await shake()
            answer = await seoul.patch(
                f"{PATH}/{endpoint['id']}", json=change, headers={"If-Match": "*"}
            )
            assert answer.status_code == 200
        await shake()
        asked = len(somebody.asked)

        await shake(ahead=timedelta(seconds=11))

    assert asked == 1
    assert [one.target for one in somebody.asked] == ["/hook", "/hook/4"]


async def test_an_answer_from_the_old_address_counts_nothing(
    seoul: AsyncClient, database: Database
) -> None:
    async with receiving() as receiver:
        endpoint = await made(seoul, receiver)
    async with database.sessions.begin() as session:
        [claimed] = await claim_handshakes(session, limit=5, lease_seconds=60, now=utc_now())
    await seoul.patch(
        f"{PATH}/{endpoint['id']}",
        json={"url": "http://127.0.0.1:9/elsewhere"},
        headers={"If-Match": '"1"'},
    )

    agreement = agreed_rate("*")
    async with database.sessions.begin() as session:
        await record_handshake(session, claimed, agreement, now=utc_now())

    shown = await seen(seoul, endpoint)
    assert (shown["verified_at"], shown["verification"]["state"]) == (None, "pending")
    assert await happened(database) == ["created", "changed"]


async def test_several_workers_ask_once(seoul: AsyncClient, database: Database) -> None:
    async with receiving() as receiver:
        await made(seoul, receiver)

    async def claim() -> int:
        async with database.sessions.begin() as session:
            claimed = await claim_handshakes(session, limit=5, lease_seconds=60, now=utc_now())
            return len(claimed)

    assert sorted(await asyncio.gather(*(claim() for _ in range(4)))) == [0, 0, 0, 1]


async def test_who_died_asking_is_followed_by_another(
    seoul: AsyncClient, database: Database, shake: Shake
) -> None:
    async with receiving() as receiver:
        endpoint = await made(seoul, receiver)
        async with database.sessions.begin() as session:
            await claim_handshakes(session, limit=5, lease_seconds=60, now=utc_now())
        await shake(ahead=timedelta(seconds=50))
        before = (await seen(seoul, endpoint))["verified_at"]

        await shake(ahead=timedelta(seconds=61))

        assert before is None
        assert (await seen(seoul, endpoint))["verified_at"] is not None


async def test_nobody_is_asked_for_who_does_not_take_part_or_has_paused(
    seoul: AsyncClient, app: FastAPI, ears: Ears, shake: Shake
) -> None:
    tokyo = api(app, "tokyo")
    async with receiving() as receiver:
        await made(seoul, receiver)
        paused = await made(tokyo, receiver)
        await tokyo.patch(
            f"{PATH}/{paused['id']}", json={"status": "paused"}, headers={"If-Match": '"1"'}
        )
        await ears.hear(
            member("seoul", status="suspended", version=2, kind=MemberSuspended), only="members"
        )

        await shake()
        before = len(receiver.asked)
        resting = (await seen(tokyo, paused))["verification"]
        await tokyo.patch(
            f"{PATH}/{paused['id']}", json={"status": "active"}, headers={"If-Match": '"2"'}
        )
        await shake(ahead=timedelta(seconds=11))

    assert (before, len(receiver.asked)) == (0, 1)
    assert (resting["state"], resting["next_try_at"]) == ("pending", None)


async def test_a_deleted_endpoint_leaves_nothing_to_agree_to(
    app: FastAPI, seoul: AsyncClient, shake: Shake, database: Database
) -> None:
    async with receiving(handshakes=[answering(200)]) as receiver:
        endpoint = await made(seoul, receiver)
        await shake()

        await seoul.delete(f"{PATH}/{endpoint['id']}", headers={"If-Match": "*"})

        answer = await api(app).get(callback_of(receiver))
        await shake(ahead=timedelta(days=1))
    assert answer.status_code == 404
    assert len(receiver.asked) == 1
    async with database.sessions() as session:
        assert await session.scalar(select(func.count()).select_from(WebhookVerification)) == 0
        [left] = await session.scalars(select(WebhookEndpoint))
    assert (left.status, left.verified_at) == ("deleted", None)


async def test_tokens_do_not_pile_up(seoul: AsyncClient, database: Database) -> None:
    async with receiving() as receiver:
        await made(seoul, receiver)
    for number in range(CONSENTS_MAX + 3):
        async with database.sessions.begin() as session:
            moment = utc_now() + timedelta(days=number + 1)
            assert await claim_handshakes(session, limit=1, lease_seconds=60, now=moment)

    async with database.sessions() as session:
        count = await session.scalar(select(func.count()).select_from(WebhookConsent))
    assert count == CONSENTS_MAX


async def test_a_fact_that_arrives_while_it_agrees_is_not_lost(
    seoul: AsyncClient, database: Database
) -> None:
    async with receiving() as receiver:
        await made(seoul, receiver)
    fact = now_happens()
    async with database.sessions.begin() as session:
        [claimed] = await claim_handshakes(session, limit=5, lease_seconds=60, now=utc_now())

    async def agree() -> None:
        async with database.sessions.begin() as session:
            await record_handshake(session, claimed, agreed_rate("*"), now=utc_now())

    async with database.sessions.begin() as telling:
        # It has looked for endpoints, and found none that is ready; nobody sees the fact yet.
        await tell_members(telling, [fact], now=utc_now())
        agreeing_now = asyncio.create_task(agree())
        await until_somebody_waits(database)
    await agreeing_now

    assert [one.event_id for one in await deliveries(database.sessions)] == [fact.id]


async def looked_around(sender: Sender) -> None:
    """Wait until a sender has looked for what is due, and is done with it."""
    async with asyncio.timeout(5):
        sender.wake.set()
        while sender.wake.is_set() or sender.turns:  # noqa: ASYNC110 -- nobody tells
            await asyncio.sleep(0.01)
        while not sender.wake._waiters:  # noqa: ASYNC110 -- nobody tells
            await asyncio.sleep(0)


async def until_somebody_waits(database: Database) -> None:
    async with asyncio.timeout(5):
        while True:
            async with database.sessions() as session:
                waiting = await session.scalar(
                    text(
                        "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'"
                        " AND datname = current_database()"
                    )
                )
            if waiting:
                return
            await asyncio.sleep(0.01)


async def test_no_address_of_our_house_is_asked(
    database: Database, settings: NotificationsSettings
) -> None:
    inner = settings.model_copy(update={"webhook_allowed_networks": ()})
    async with receiving() as receiver:
        endpoint = await make_endpoint(database.sessions, receiver.url, is_verified=False)
        async with database.sessions.begin() as session:
            session.add(
                WebhookVerification(
                    endpoint_id=endpoint.id,
                    waiting_since=utc_now(),
                    asked_at=utc_now(),
                    next_try_at=utc_now(),
                )
            )
        await shake_hands(database.sessions, inner)

    assert receiver.asked == []
    async with database.sessions() as session:
        [verification] = await session.scalars(select(WebhookVerification))
    assert verification.error == "address_refused"
