"""What receivers get, and what becomes of it, over real sockets."""

import asyncio
import json
import socket
from datetime import timedelta
from email.utils import format_datetime

import pytest
from aiohttp.abc import AbstractResolver, ResolveResult
from pydantic_core import to_json
from sqlalchemy import select

from services.notifications.gateways.webhook_client import WebhookClient
from services.notifications.model.destination import Destination
from services.notifications.model.inbox_item import InboxItem
from services.notifications.model.retrying import Answer
from services.notifications.model.webhook_endpoint import WebhookEndpoint, headers_place
from services.notifications.settings import NotificationsSettings
from services.notifications.use_cases.record_turns import Outcome
from shared.addresses import Networks
from shared.clock import utc_now
from shared.contracts.members import MemberSuspended
from shared.contracts.notifications import WebhookEndpointDisabled
from shared.database import Sessions
from shared.identifiers import new_id
from shared.messaging.tables import OutboxMessage
from shared.outbound import AddressRefused, Guard
from shared.sealing import Seals
from tests.notifications.endpoints import (
    attempts,
    claim,
    deliveries,
    lane_of,
    make_endpoint,
    record,
    sending,
    until_settled,
)
from tests.notifications.hearing import Ears, member, official, project
from tests.notifications.receiver import (
    LOOPBACK,
    Script,
    answering,
    bomb,
    break_off,
    drip,
    endless,
    hang,
    nonsense,
    receiving,
    reset,
)
from tests.web import MASTER_KEYS

HARBOUR = new_id()


async def test_an_answer_that_repeats_what_is_secret_is_kept_without_it(
    ears: Ears, sessions: Sessions, settings: NotificationsSettings
) -> None:
    key, short = "gateway-key-5f1d", "en"
    answer = b"X-Gateway-Key: %s, language: %s, and again %s" % (
        *(key.encode(), short.encode()),
        key.encode() * 200,
    )
    async with receiving(answering(400, body=answer)) as receiver:
        endpoint = await make_endpoint(sessions, receiver.url)
        async with sessions.begin() as session:
            stored = await session.get_one(WebhookEndpoint, endpoint.id)
            stored.sealed_headers = Seals.read(MASTER_KEYS).seal(
                to_json({"X-Gateway-Key": key, "Accept-Language": short}),
                place=headers_place(endpoint.id),
            )
        await ears.hear(project(HARBOUR), only="webhooks")

        async with sending(sessions, settings):
            await until_settled(sessions)

    assert receiver.received[0].headers["x-gateway-key"] == key
    attempt, *_ = await attempts(sessions)
    assert attempt.excerpt is not None
    assert attempt.excerpt.startswith("X-Gateway-Key: [hidden], language: en, and again [hidden]")
    assert "gateway-key" not in attempt.excerpt


async def test_a_receiver_can_verify_what_it_gets(
    ears: Ears, sessions: Sessions, settings: NotificationsSettings
) -> None:
    async with receiving(answering(200, body=b"Thanks\0 a lot")) as receiver:
        endpoint = await make_endpoint(sessions, receiver.url)
        fact = project(HARBOUR)
        await ears.hear(fact, only="webhooks")

        async with sending(sessions, settings):
            [delivery] = await until_settled(sessions)

    [request] = receiver.received
    assert request.target == "/hook"
    assert request.verify(endpoint.secret)["id"] == str(fact.id)
    assert request.body == fact.wire_form()
    assert json.loads(request.body)["timestamp"] == json.loads(request.body)["time"]
    assert request.message_id == f"msg_{fact.id}"
    assert request.headers["content-type"] == "application/cloudevents+json; charset=utf-8"
    assert request.headers["user-agent"] == "Renkei-Webhooks/1"
    assert (delivery.state, delivery.attempts) == ("delivered", 1)
    assert delivery.finished_at is not None
    [attempt] = await attempts(sessions)
    assert (attempt.status, attempt.error, attempt.excerpt) == (200, None, "Thanks  a lot")
    assert attempt.duration_ms >= 0


@pytest.mark.parametrize(
    ("script", "status", "error"),
    [
        pytest.param(answering(500, body=b"sorry"), 500, None, id="500"),
        pytest.param(answering(301, "Location: /elsewhere"), 301, None, id="redirect"),
        pytest.param(answering(404), 404, None, id="404"),
        pytest.param(hang, None, "timeout", id="hangs"),
        pytest.param(drip, None, "timeout", id="drips"),
        pytest.param(reset, None, "connection", id="breaks off"),
        pytest.param(nonsense, None, "protocol", id="speaks another language"),
    ],
)
async def test_a_failed_attempt_is_repeated_with_the_same_message_id(
    ears: Ears,
    sessions: Sessions,
    settings: NotificationsSettings,
    script: Script,
    status: int | None,
    error: str | None,
) -> None:
    async with receiving(script, answering(204)) as receiver:
        endpoint = await make_endpoint(sessions, receiver.url)
        await ears.hear(project(HARBOUR), only="webhooks")

        async with sending(sessions, settings):
            [delivery] = await until_settled(sessions, attempts_made=2)

    first, second = receiver.received
    assert first.message_id == second.message_id
    assert [request.target for request in receiver.received] == ["/hook", "/hook"]
    for request in receiver.received:
        request.verify(endpoint.secret)
    assert (delivery.state, delivery.attempts) == ("delivered", 2)
    made = [(attempt.status, attempt.error) for attempt in await attempts(sessions)]
    assert made == [(status, error), (204, None)]


async def test_after_the_last_attempt_a_delivery_has_failed(
    ears: Ears, sessions: Sessions, settings: NotificationsSettings
) -> None:
    async with receiving(answering(500)) as receiver:
        await make_endpoint(sessions, receiver.url)
        await ears.hear(project(HARBOUR), only="webhooks")

        async with sending(sessions, settings):
            [delivery] = await until_settled(sessions, attempts_made=3)

    assert len(receiver.received) == 3
    assert (delivery.state, delivery.state_reason) == ("failed", "attempts_exhausted")
    assert delivery.attempts == 3


async def test_a_packed_answer_is_never_unpacked(
    ears: Ears, sessions: Sessions, settings: NotificationsSettings
) -> None:
    async with receiving(bomb(50)) as receiver:
        await make_endpoint(sessions, receiver.url)
        await ears.hear(project(HARBOUR), only="webhooks")
        async with sending(sessions, settings):
            [delivery] = await until_settled(sessions)

    assert delivery.state == "delivered"
    [attempt] = await attempts(sessions)
    assert "boomboom" not in (attempt.excerpt or "")
    assert receiver.received[0].headers["accept-encoding"] == "identity"


@pytest.mark.parametrize("script", [endless, break_off], ids=["endless", "breaks off"])
async def test_a_receiver_that_has_accepted_need_not_end_its_answer(
    ears: Ears, sessions: Sessions, settings: NotificationsSettings, script: Script
) -> None:
    async with receiving(script) as receiver:
        await make_endpoint(sessions, receiver.url)
        await ears.hear(project(HARBOUR), only="webhooks")

        async with sending(sessions, settings):
            [delivery] = await until_settled(sessions)

    assert (delivery.state, delivery.attempts) == ("delivered", 1)
    [attempt] = await attempts(sessions)
    assert (attempt.status, attempt.error) == (200, None)
    assert attempt.excerpt is None or len(attempt.excerpt) <= 500


@pytest.mark.parametrize("form", ["seconds", "date"])
async def test_a_receiver_may_ask_for_patience(
    ears: Ears, sessions: Sessions, settings: NotificationsSettings, form: str
) -> None:
    began = utc_now()
    wanted = "600" if form == "seconds" else format_datetime(began + timedelta(seconds=600))
    async with receiving(answering(429, f"Retry-After: {wanted}")) as receiver:
        await make_endpoint(sessions, receiver.url)
        await ears.hear(project(HARBOUR), only="webhooks")

        async with sending(sessions, settings):
            [delivery] = await until_settled(sessions)

    assert len(receiver.received) == 1
    assert delivery.state == "pending"
    assert timedelta(seconds=598) < delivery.due_at - began < timedelta(seconds=620)


async def test_a_receiver_that_is_gone_is_left_alone(
    ears: Ears, sessions: Sessions, settings: NotificationsSettings
) -> None:
    administrator = new_id()
    await ears.hear(official(administrator, "seoul", "administrator"), only="officials")
    async with receiving(answering(410)) as receiver:
        endpoint = await make_endpoint(sessions, receiver.url)
        await ears.hear(project(HARBOUR, version=1), only="webhooks")

        async with sending(sessions, settings):
            await until_settled(sessions)
            await ears.hear(project(HARBOUR, version=2), only="webhooks")

    [delivery] = await deliveries(sessions)
    assert (delivery.state, delivery.state_reason) == ("failed", "gone")
    async with sessions() as session:
        stored = await session.get_one(WebhookEndpoint, endpoint.id)
        [message] = await session.scalars(select(OutboxMessage))
    assert (stored.status, stored.status_reason, stored.version) == ("disabled", "gone", 2)
    fact = WebhookEndpointDisabled.model_validate_json(message.body)
    assert (fact.data.state.status, fact.actor, fact.audience) == ("disabled", None, ("seoul",))

    await ears.hear(fact, only="inbox")

    async with sessions() as session:
        [item] = await session.scalars(select(InboxItem))
    assert (item.official_id, item.reason) == (administrator, "endpoint_disabled")
    assert (item.subject_id, item.project_id) == (endpoint.id, None)


@pytest.mark.parametrize(
    ("status", "reason"), [("disabled", "endpoint_disabled"), ("deleted", "endpoint_deleted")]
)
async def test_what_waits_for_an_endpoint_that_ended_is_cancelled(
    ears: Ears, sessions: Sessions, settings: NotificationsSettings, status: str, reason: str
) -> None:
    async with receiving() as receiver:
        endpoint = await make_endpoint(sessions, receiver.url)
        await ears.hear(project(HARBOUR), only="webhooks")
        async with sessions.begin() as session:
            (await session.get_one(WebhookEndpoint, endpoint.id)).status = status

        async with sending(sessions, settings):
            [delivery] = await until_settled(sessions)

    assert receiver.received == []
    assert (delivery.state, delivery.state_reason) == ("cancelled", reason)
    assert (delivery.attempts, await attempts(sessions)) == (0, [])


async def test_what_waits_for_a_suspended_member_is_cancelled(
    ears: Ears, sessions: Sessions, settings: NotificationsSettings
) -> None:
    async with receiving() as receiver:
        await make_endpoint(sessions, receiver.url)
        await ears.hear(project(HARBOUR), only="webhooks")
        await ears.hear(member("seoul", status="suspended", kind=MemberSuspended), only="members")

        async with sending(sessions, settings):
            [delivery] = await until_settled(sessions)

    assert receiver.received == []
    assert (delivery.state, delivery.state_reason) == ("cancelled", "member_suspended")


async def test_what_waits_for_a_paused_endpoint_goes_on_waiting(
    ears: Ears, sessions: Sessions
) -> None:
    endpoint = await make_endpoint(sessions)
    await ears.hear(project(HARBOUR), only="webhooks")
    async with sessions.begin() as session:
        (await session.get_one(WebhookEndpoint, endpoint.id)).status = "paused"

    async with sessions.begin() as session:
        claimed = await claim(session)

    assert claimed == []
    assert [one.state for one in await deliveries(sessions)] == ["pending"]


async def test_another_sender_takes_over_from_one_that_was_killed(
    ears: Ears, sessions: Sessions, settings: NotificationsSettings
) -> None:
    async with receiving(hang, answering(204)) as receiver:
        endpoint = await make_endpoint(sessions, receiver.url)
        await ears.hear(project(HARBOUR), only="webhooks")
        async with sending(sessions, settings):
            await receiver.wait_for(1)
        [interrupted] = await deliveries(sessions)

        async with sending(sessions, settings, ahead=timedelta(seconds=61)):
            [delivery] = await until_settled(sessions)

    first, second = receiver.received
    assert first.message_id == second.message_id
    first.verify(endpoint.secret)
    second.verify(endpoint.secret)
    assert (interrupted.state, interrupted.attempts) == ("pending", 0)
    assert (delivery.state, delivery.attempts) == ("delivered", 1)
    assert (await lane_of(sessions, endpoint)).fence == 2


async def test_two_senders_never_hold_the_same_lane(ears: Ears, sessions: Sessions) -> None:
    for city in ("delhi", "hanoi", "paris", "seoul"):
        await make_endpoint(sessions, member=city)
    await ears.hear(*(project(new_id()) for _ in range(6)), only="webhooks")

    async with sessions.begin() as one, sessions.begin() as other:
        mine = await claim(one, limit=3)
        theirs = await claim(other, limit=3)
    async with sessions.begin() as session:
        later = await claim(session)

    held = [*mine, *theirs, *later]
    assert len(mine) == 3
    assert len({lane.endpoint_id for lane in held}) == len(held) == 4
    assert [len(lane.deliveries) for lane in held] == [6] * 4


async def test_a_sender_that_lost_its_lease_overwrites_nothing(
    ears: Ears, sessions: Sessions
) -> None:
    endpoint = await make_endpoint(sessions)
    await ears.hear(project(HARBOUR), only="webhooks")
    now = utc_now()
    async with sessions.begin() as session:
        [slow] = await claim(session, now=now)
    async with sessions.begin() as session:
        [quick] = await claim(session, now=now + timedelta(seconds=61))
    async with sessions.begin() as session:
        await record(session, (quick, quick.deliveries[0], Answer(now, 5, status=204)), now=now)

    async with sessions.begin() as session:
        await record(session, (slow, slow.deliveries[0], Answer(now, 5, status=500)), now=now)

    [delivery] = await deliveries(sessions)
    assert (delivery.state, delivery.attempts) == ("delivered", 1)
    assert sorted(attempt.status or 0 for attempt in await attempts(sessions)) == [204, 500]
    assert (await lane_of(sessions, endpoint)).next_due_at is None


async def test_each_member_has_its_turn(ears: Ears, sessions: Sessions) -> None:
    busy = [await make_endpoint(sessions, member="delhi") for _ in range(3)]
    await ears.hear(project(new_id(), audience=["delhi"]), only="webhooks")
    quiet = await make_endpoint(sessions, member="seoul")
    await ears.hear(project(new_id(), audience=["seoul"]), only="webhooks")

    async with sessions.begin() as session:
        first = await claim(session, limit=2)
        rest = await claim(session)

    assert {one.member for one in first} == {"delhi", "seoul"}
    assert len({one.endpoint_id for one in (*first, *rest)}) == len([*busy, quiet])


async def test_an_endpoint_that_hangs_does_not_block_the_others(
    ears: Ears, sessions: Sessions, settings: NotificationsSettings
) -> None:
    patient = settings.model_copy(update={"webhook_total_seconds": 30, "webhook_parallel": 6})
    async with receiving(hang) as hanging, receiving() as healthy:
        await make_endpoint(sessions, hanging.url, member="delhi")
        await make_endpoint(sessions, healthy.url, member="seoul")
        await ears.hear(*(project(new_id()) for _ in range(20)), only="webhooks")

        async with sending(sessions, patient):
            await healthy.wait_for(20)

    assert len({request.message_id for request in healthy.received}) == 20
    assert len(hanging.received) == 1


async def test_several_senders_send_each_delivery_once(
    ears: Ears, sessions: Sessions, settings: NotificationsSettings
) -> None:
    async with receiving() as receiver:
        await make_endpoint(sessions, receiver.url)
        await ears.hear(*(project(new_id()) for _ in range(30)), only="webhooks")

        async with sending(sessions, settings), sending(sessions, settings):
            await until_settled(sessions)

    assert len(receiver.received) == 30
    assert len({request.message_id for request in receiver.received}) == 30


async def test_what_is_queued_wakes_the_sender(
    ears: Ears, sessions: Sessions, settings: NotificationsSettings
) -> None:
    lazy = settings.model_copy(update={"webhook_poll_seconds": 60})
    async with receiving() as receiver:
        await make_endpoint(sessions, receiver.url)

        async with sending(sessions, lazy):
            await asyncio.sleep(0)
            await ears.hear(project(HARBOUR), only="webhooks")
            await receiver.wait_for(1)

    assert len(receiver.received) == 1


async def test_an_unreadable_secret_is_no_reason_to_send_unsigned(
    ears: Ears, sessions: Sessions, settings: NotificationsSettings
) -> None:
    other_key = settings.model_copy(
        update={"master_keys": type(settings.master_keys)("k2:" + "B" * 43 + "=")}
    )
    async with receiving() as receiver:
        await make_endpoint(sessions, receiver.url)
        await ears.hear(project(HARBOUR), only="webhooks")

        async with sending(sessions, other_key):
            await until_settled(sessions)

    assert receiver.received == []
    assert (await attempts(sessions))[0].error == "secret_unreadable"


async def test_a_sender_stops_even_in_the_moment_it_is_woken(
    sessions: Sessions, settings: NotificationsSettings
) -> None:
    lazy = settings.model_copy(update={"webhook_poll_seconds": 60})

    async with asyncio.timeout(10):
        async with sending(sessions, lazy) as sender:
            while not sender.wake._waiters:  # noqa: ASYNC110 -- nobody tells
                await asyncio.sleep(0)
            sender.wake.set()
            await asyncio.sleep(0)

    assert sender.turns == set()


async def test_an_outcome_that_cannot_be_recorded_does_not_stop_the_others(
    ears: Ears, sessions: Sessions, settings: NotificationsSettings
) -> None:
    await make_endpoint(sessions)
    await ears.hear(project(new_id()), project(new_id()), only="webhooks")
    now = utc_now()
    async with sessions.begin() as session:
        [lane] = await claim(session)
    kept, lost = lane.deliveries
    too_long = Answer(now, 2**40, status=204)

    async with sending(sessions, settings) as sender:
        sender.found.put_nowait(Outcome(lane, lost, too_long))
        sender.found.put_nowait(Outcome(lane, kept, Answer(now, 5, status=204)))
        while sender.unrecorded or not sender.found.empty():  # noqa: ASYNC110 -- nobody tells
            await asyncio.sleep(0.01)

    states = {one.id: one.state for one in await deliveries(sessions)}
    assert states == {kept.id: "delivered", lost.id: "pending"}


def client(*, networks: Networks = (), resolver: AbstractResolver | None = None) -> WebhookClient:
    return WebhookClient(
        networks=networks,
        connect_seconds=2,
        total_seconds=2,
        origin="renkei.test",
        resolver=resolver,
    )


def to(url: str) -> Destination:
    return Destination(url, ())


class Says(AbstractResolver):
    """A name server that gives the same addresses to every name."""

    def __init__(self, *addresses: str) -> None:
        self.addresses = addresses

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        return [
            ResolveResult(hostname=host, host=address, port=port, family=family, proto=0, flags=0)
            for address in self.addresses
        ]

    async def close(self) -> None:
        pass


@pytest.mark.parametrize(
    "host",
    [
        "127.0.0.1",
        "10.0.0.1",
        "[::1]",
        "[::ffff:127.0.0.1]",
        "0x7f.1",
        "2130706433",
        "[64:ff9b::7f00:1]",
        "localhost",
    ],
)
async def test_a_private_address_is_refused_before_connecting(host: str) -> None:
    async with (
        receiving() as receiver,
        client() as sender,
    ):
        answer = await sender.post(to(f"https://{host}:{receiver.port}/"), b"{}", {})

    assert (answer.status, answer.error) == (None, "address_refused")
    assert receiver.received == []


@pytest.mark.parametrize("addresses", [("127.0.0.1",), ("93.184.216.34", "10.0.0.1")])
async def test_a_name_with_a_private_address_is_refused(addresses: tuple[str, ...]) -> None:
    async with client(resolver=Says(*addresses)) as sender:
        answer = await sender.post(to("https://hooks.seoul.example/"), b"{}", {})

    assert (answer.status, answer.error) == (None, "address_refused")


@pytest.mark.parametrize("address", ["127.0.0.1", "::ffff:127.0.0.1", "64:ff9b::7f00:1"])
def test_no_socket_is_made_for_a_private_address(address: str) -> None:
    family = socket.AF_INET6 if ":" in address else socket.AF_INET

    with pytest.raises(AddressRefused):
        Guard().socket_for((family, socket.SOCK_STREAM, 0, "", (address, 443)))


async def test_a_name_that_does_not_exist_is_a_failure_of_its_own() -> None:
    async with client(networks=LOOPBACK) as sender:
        answer = await sender.post(to("http://no-such-name.invalid/"), b"{}", {})

    assert (answer.status, answer.error) == (None, "dns")
