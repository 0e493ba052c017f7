"""What becomes of endpoints that fail: one notice of each change, and a way back."""

import asyncio
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import select, update

from services.notifications.consumers.prober import Prober
from services.notifications.consumers.sender import Sender
from services.notifications.gateways.webhook_client import WebhookClient
from services.notifications.model.inbox_item import InboxItem
from services.notifications.model.retrying import Schedule
from services.notifications.model.webhook_endpoint import Patience, WebhookEndpoint
from services.notifications.model.webhook_recovery import WebhookProbe, WebhookRecovery
from services.notifications.settings import NotificationsSettings
from services.notifications.use_cases.judge_endpoint import judge_endpoint
from services.notifications.use_cases.record_turns import Release, record_turns
from services.notifications.worker import WORKER
from shared.clock import utc_now
from shared.contracts.event import CATALOGUE, Event
from shared.contracts.members import MemberSuspended
from shared.database import Sessions
from shared.identifiers import new_id
from shared.messaging.tables import OutboxMessage
from shared.timers import tick
from tests.notifications.endpoints import (
    Made,
    attempts,
    claim,
    client_of,
    deliveries,
    lane_of,
    make_endpoint,
    sending,
    until_settled,
)
from tests.notifications.hearing import Ears, member, official, project
from tests.notifications.receiver import Script, answering, hang, receiving

HARBOUR, ADMINISTRATOR, COORDINATOR = new_id(), new_id(), new_id()
PATIENCE = Patience(timedelta(days=5), (timedelta(hours=6), timedelta(days=4)))
[TIMER] = [timer for timer in WORKER.timers if timer.name == "work-off-recoveries"]


@pytest.fixture(autouse=True)
async def known(ears: Ears) -> None:
    await ears.hear(
        member("seoul"),
        official(ADMINISTRATOR, "seoul", "administrator"),
        official(COORDINATOR, "seoul", "coordinator"),
        official(new_id(), "tokyo", "administrator"),
    )


async def announced(sessions: Sessions) -> list[Event[Any]]:
    async with sessions() as session:
        found = await session.scalars(select(OutboxMessage).order_by(OutboxMessage.position))
    return [
        CATALOGUE["renkei.webhook_endpoint." + one.subject.split(".", 4)[4]].received(one.body)
        for one in found
    ]


async def happened(sessions: Sessions) -> list[str | None]:
    return [fact.happened for fact in await announced(sessions)]


async def judged(
    sessions: Sessions,
    endpoint: Made,
    *,
    failing_for: timedelta | None,
    warnings: int = 0,
    fence: int | None = None,
    is_gone: bool = False,
) -> None:
    """Judge an endpoint as a sender does that has had a turn with it."""
    now = utc_now()
    known_fence = (await lane_of(sessions, endpoint)).fence if fence is None else fence
    async with sessions.begin() as session:
        await judge_endpoint(
            session,
            endpoint.id,
            None if failing_for is None else now - failing_for,
            warnings=warnings,
            fence=known_fence,
            is_gone=is_gone,
            patience=PATIENCE,
            now=now,
        )


async def stored(sessions: Sessions, endpoint: Made) -> WebhookEndpoint:
    async with sessions() as session:
        return await session.get_one(WebhookEndpoint, endpoint.id)


async def probe_of(sessions: Sessions, endpoint: Made) -> WebhookProbe | None:
    async with sessions() as session:
        return await session.get(WebhookProbe, endpoint.id)


async def waiting_endpoint(ears: Ears, sessions: Sessions, url: str, **fields: Any) -> Made:
    """Make an endpoint with a lane, in which a fact waits."""
    endpoint = await make_endpoint(sessions, url, **fields)
    await ears.hear(project(HARBOUR), only="webhooks")
    return endpoint


async def disabled_endpoint(ears: Ears, sessions: Sessions, url: str, **fields: Any) -> Made:
    """Make an endpoint that was disabled for failing, five days long."""
    endpoint = await waiting_endpoint(ears, sessions, url, **fields)
    await judged(sessions, endpoint, failing_for=timedelta(days=5))
    return endpoint


def sender_with(
    client: WebhookClient,
    sessions: Sessions,
    settings: NotificationsSettings,
    ahead: timedelta = timedelta(),
) -> Sender:
    return Sender(sessions, settings, client, clock=lambda: utc_now() + ahead)


async def probed(sessions: Sessions, settings: NotificationsSettings, *, ahead: timedelta) -> int:
    """Make the probes that are due so much later, and count them."""
    made = 0
    async with client_of(settings) as client:
        prober: Prober = sender_with(client, sessions, settings, ahead).prober()
        while await prober.probe_next():
            made += 1
    return made


@pytest.mark.parametrize(
    ("failing_for", "warnings", "kind", "reason"),
    [
        (timedelta(hours=6), 0, "failing", "endpoint_failing"),
        (timedelta(days=4), 1, "failing", "endpoint_failing"),
        (timedelta(days=5), 2, "disabled", "endpoint_disabled"),
        (None, 1, "recovered", "endpoint_recovered"),
    ],
    ids=["warned", "warned again", "disabled", "recovered"],
)
async def test_its_administrators_hear_of_each_change(
    ears: Ears,
    sessions: Sessions,
    failing_for: timedelta | None,
    warnings: int,
    kind: str,
    reason: str,
) -> None:
    endpoint = await waiting_endpoint(ears, sessions, "https://hooks.seoul.example/")
    async with sessions.begin() as session:
        (await session.get_one(WebhookEndpoint, endpoint.id)).warnings = warnings

    await judged(sessions, endpoint, failing_for=failing_for, warnings=warnings)

    [fact] = await announced(sessions)
    assert (fact.happened, fact.audience, fact.actor) == (kind, ("seoul",), None)
    await ears.hear(fact, only="inbox")
    async with sessions() as session:
        [item] = await session.scalars(select(InboxItem))
    assert (item.official_id, item.reason, item.subject_id) == (
        ADMINISTRATOR,
        reason,
        endpoint.id,
    )
    assert item.facts["url"] == "https://hooks.seoul.example/"
    assert (item.facts["failing_since"] is None) == (kind == "recovered")
    assert (item.facts["disables_at"] is None) == (kind != "failing")


@pytest.mark.parametrize(
    ("failing_for", "warnings", "kind"),
    [
        (timedelta(hours=6), 0, "failing"),
        (timedelta(days=5), 2, "disabled"),
        (None, 1, "recovered"),
    ],
    ids=["warn", "disable", "recover"],
)
async def test_two_senders_at_once_give_one_notice(
    ears: Ears, sessions: Sessions, failing_for: timedelta | None, warnings: int, kind: str
) -> None:
    endpoint = await waiting_endpoint(ears, sessions, "https://hooks.seoul.example/")
    async with sessions.begin() as session:
        (await session.get_one(WebhookEndpoint, endpoint.id)).warnings = warnings

    await asyncio.gather(
        *(judged(sessions, endpoint, failing_for=failing_for, warnings=warnings) for _ in range(4))
    )

    assert await happened(sessions) == [kind]


async def test_who_lost_the_lane_judges_nothing(ears: Ears, sessions: Sessions) -> None:
    endpoint = await waiting_endpoint(ears, sessions, "https://hooks.seoul.example/")

    await judged(sessions, endpoint, failing_for=timedelta(days=9), fence=7)
    await judged(sessions, endpoint, failing_for=None, is_gone=True, fence=7)

    assert (await stored(sessions, endpoint)).status == "active"
    assert await announced(sessions) == []


@pytest.mark.parametrize("has_succeeded", [False, True])
async def test_only_a_success_shows_that_an_endpoint_is_well(
    ears: Ears, sessions: Sessions, has_succeeded: bool
) -> None:
    endpoint = await waiting_endpoint(ears, sessions, "https://hooks.seoul.example/")
    await judged(sessions, endpoint, failing_for=timedelta(hours=7))
    now = utc_now()
    async with sessions.begin() as session:
        [claimed] = await claim(session)

    async with sessions.begin() as session:
        lane = replace(claimed.lane, succeeded_at=now) if has_succeeded else claimed.lane
        await record_turns(
            session,
            [],
            [Release(claimed, lane)],
            schedule=Schedule((0,), 0),
            patience=PATIENCE,
            now=now,
        )

    assert await happened(sessions) == ["failing", *(["recovered"] if has_succeeded else [])]


async def test_a_disabled_endpoint_that_is_well_again_is_sent_all_that_it_did_not_get(
    ears: Ears, sessions: Sessions, settings: NotificationsSettings
) -> None:
    async with receiving() as receiver:
        endpoint = await disabled_endpoint(
            ears, sessions, receiver.url, event_types=("renkei.project.*",)
        )
        async with sending(sessions, settings):  # cancels what waits
            [cancelled] = await until_settled(sessions)
        missed = project(HARBOUR, version=2)
        await ears.hear(missed, only="webhooks")
        # Due now: a clock that is ahead would sign for a time that the receiver does not believe.
        async with sessions.begin() as session:
            await session.execute(update(WebhookProbe).values(due_at=utc_now()))

        made = await probed(sessions, settings, ahead=timedelta())

        while await tick(TIMER, sessions):
            pass
        async with sending(sessions, settings):
            found = await until_settled(sessions)

    assert cancelled.state_reason == "endpoint_disabled"
    assert made == 1
    probe, *others = receiver.received
    said = probe.verify(endpoint.secret)
    assert (said["test"], said["audience"]) == (True, "seoul")
    assert [one.message_id for one in others] == [
        f"msg_{cancelled.event_id}",
        f"msg_{missed.id}",
    ]
    assert {one.state for one in found} == {"delivered"}
    now = await stored(sessions, endpoint)
    assert (now.status, now.status_reason, now.failing_since, now.warnings) == (
        "active",
        None,
        None,
        0,
    )
    assert await happened(sessions) == ["disabled", "recovered"]
    assert await probe_of(sessions, endpoint) is None
    async with sessions() as session:
        [recovery] = await session.scalars(select(WebhookRecovery))
    assert (recovery.kind, recovery.state, recovery.queued) == ("all", "completed", 2)
    assert recovery.requested_by is None


@pytest.mark.parametrize(
    ("script", "status", "error"),
    [(answering(500), 500, None), (answering(302), 302, None), (hang, None, "timeout")],
    ids=["500", "redirect", "hangs"],
)
async def test_an_endpoint_that_is_not_well_is_tried_less_and_less_often(
    ears: Ears,
    sessions: Sessions,
    settings: NotificationsSettings,
    script: Script,
    status: int | None,
    error: str | None,
) -> None:
    async with receiving(script) as receiver:
        endpoint = await disabled_endpoint(ears, sessions, receiver.url)
        pauses, ahead = [], timedelta(minutes=16)
        assert await probed(sessions, settings, ahead=timedelta(minutes=14)) == 0
        for _ in range(6):
            before = utc_now() + ahead
            assert await probed(sessions, settings, ahead=ahead) == 1
            probe = await probe_of(sessions, endpoint)
            assert probe is not None
            pauses.append(round((probe.due_at - before) / timedelta(minutes=1)))
            ahead = probe.due_at - utc_now() + timedelta(seconds=5)

    assert pauses == [30, 60, 120, 240, 360, 360]
    assert len({request.message_id for request in receiver.received}) == 6
    assert (await stored(sessions, endpoint)).status == "disabled"
    assert await happened(sessions) == ["disabled"]
    tried = [one for one in await deliveries(sessions) if one.is_test]
    assert {(one.state, one.state_reason, one.trigger) for one in tried} == {
        ("failed", "probe", "probe")
    }
    assert [(one.status, one.error, one.trigger) for one in await attempts(sessions)] == [
        (status, error, "probe")
    ] * 6


@pytest.mark.parametrize(
    "became",
    [
        {"status": "active", "status_reason": None},
        {"status": "deleted", "status_reason": None},
        {"status_reason": "gone"},
        {"status_reason": "operator"},
        {"verified_at": None},  # it has a new address, where nobody has agreed
    ],
)
async def test_what_is_not_disabled_for_failing_is_not_tried(
    ears: Ears, sessions: Sessions, settings: NotificationsSettings, became: dict[str, Any]
) -> None:
    async with receiving() as receiver:
        endpoint = await disabled_endpoint(ears, sessions, receiver.url)
        async with sessions.begin() as session:
            await session.execute(update(WebhookEndpoint).values(**became))

        made = await probed(sessions, settings, ahead=timedelta(days=1))

    assert (made, receiver.received) == (0, [])
    assert await probe_of(sessions, endpoint) is None
    assert await happened(sessions) == ["disabled"]


async def test_an_endpoint_that_is_gone_is_never_tried(
    ears: Ears, sessions: Sessions, settings: NotificationsSettings
) -> None:
    async with receiving(answering(410)) as receiver:
        gone = await waiting_endpoint(ears, sessions, receiver.url)
        await judged(sessions, gone, failing_for=None, is_gone=True)

        made = await probed(sessions, settings, ahead=timedelta(days=1))

    assert (made, receiver.received) == (0, [])
    assert await probe_of(sessions, gone) is None


async def test_an_endpoint_that_says_that_it_is_gone_is_not_tried_again(
    ears: Ears, sessions: Sessions, settings: NotificationsSettings
) -> None:
    async with receiving(answering(410)) as receiver:
        endpoint = await disabled_endpoint(ears, sessions, receiver.url)

        made = await probed(sessions, settings, ahead=timedelta(minutes=16))

    assert (made, len(receiver.received)) == (1, 1)
    assert await probe_of(sessions, endpoint) is None
    assert (await stored(sessions, endpoint)).status == "disabled"


async def test_a_member_that_does_not_take_part_is_not_tried(
    ears: Ears, sessions: Sessions, settings: NotificationsSettings
) -> None:
    async with receiving() as receiver:
        endpoint = await disabled_endpoint(ears, sessions, receiver.url)
        await ears.hear(
            member("seoul", status="suspended", version=2, kind=MemberSuspended), only="members"
        )

        made = await probed(sessions, settings, ahead=timedelta(minutes=16))

    assert (made, receiver.received) == (0, [])
    assert await probe_of(sessions, endpoint) is not None


async def test_a_prober_goes_on_looking_until_it_is_stopped(
    ears: Ears, sessions: Sessions, settings: NotificationsSettings
) -> None:
    eager = settings.model_copy(update={"timer_seconds": 0.02})
    async with receiving() as receiver, client_of(settings) as client:
        endpoint = await disabled_endpoint(ears, sessions, receiver.url)
        prober = sender_with(client, sessions, eager).prober()
        running = asyncio.create_task(prober.run())
        async with sessions.begin() as session:
            await session.execute(update(WebhookProbe).values(due_at=utc_now()))

        await receiver.wait_for(1)
        async with asyncio.timeout(10):
            while (await stored(sessions, endpoint)).status == "disabled":  # noqa: ASYNC110
                await asyncio.sleep(0.02)
        running.cancel()
        with pytest.raises(asyncio.CancelledError):
            await running

    assert len(receiver.received) == 1


async def test_several_probers_try_an_endpoint_once(
    ears: Ears, sessions: Sessions, settings: NotificationsSettings
) -> None:
    async with receiving() as receiver:
        await disabled_endpoint(ears, sessions, receiver.url)

        made = await asyncio.gather(
            *(probed(sessions, settings, ahead=timedelta(minutes=16)) for _ in range(4))
        )

    assert sum(made) == 1
    assert len(receiver.received) == 1
    assert await happened(sessions) == ["disabled", "recovered"]


async def test_what_its_owner_activates_during_a_probe_is_not_announced_again(
    ears: Ears, sessions: Sessions, settings: NotificationsSettings
) -> None:
    async def activate(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        async with sessions.begin() as session:
            endpoint = await session.get_one(WebhookEndpoint, made.id)
            endpoint.change({"status": "active"}, at=utc_now())
        await answering(204)(reader, writer)

    async with receiving(activate) as receiver:
        made = await disabled_endpoint(ears, sessions, receiver.url)

        await probed(sessions, settings, ahead=timedelta(minutes=16))

    assert len(receiver.received) == 1
    assert await happened(sessions) == ["disabled"]
    assert await probe_of(sessions, made) is None
    async with sessions() as session:
        assert list(await session.scalars(select(WebhookRecovery))) == []


async def test_a_recovery_that_was_at_work_is_taken_over(
    ears: Ears, sessions: Sessions, settings: NotificationsSettings
) -> None:
    long_ago: datetime = utc_now() - timedelta(days=20)
    async with receiving() as receiver:
        endpoint = await disabled_endpoint(ears, sessions, receiver.url)
        async with sessions.begin() as session:
            session.add(
                WebhookRecovery(
                    endpoint_id=endpoint.id,
                    kind="failed",
                    since=long_ago,
                    until=utc_now(),
                    requested_by="client:seoul-main",
                    expected=1,
                    created_at=utc_now(),
                    updated_at=utc_now(),
                )
            )

        await probed(sessions, settings, ahead=timedelta(minutes=16))

    async with sessions() as session:
        found = await session.scalars(select(WebhookRecovery).order_by(WebhookRecovery.id))
        old, new = found
    assert (old.state, old.state_reason) == ("cancelled", "superseded")
    assert (new.state, new.kind, new.since) == ("running", "all", long_ago)
